package io.teleworld.core.camera;

import io.teleworld.Key;
import io.teleworld.Keys;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/**
 * The discrete camera rule of HY-WorldPlay (arXiv 2512.14614): one fixed motion per latent step, about the camera's own
 * axes. First R ← R·Ry(yaw)·Rx(pitch), then t ← t + R·(right, 0, forward). Used to exchange trajectories.
 *
 * <p>Immutable.
 *
 * @param translation world units moved per step, at least 0
 * @param rotation radians turned per step, at least 0
 */
public record DiscreteCamera(double translation, double rotation) {

    /** WorldPlay's steps: 0.08 units and 3°. */
    public static final DiscreteCamera WORLD_PLAY = new DiscreteCamera(0.08, Math.toRadians(3));

    public DiscreteCamera {
        if (!(translation >= 0) || !(rotation >= 0)) {
            throw new IllegalArgumentException(
                    "steps are " + translation + " units and " + rotation + " rad; both must be at least 0");
        }
    }

    /**
     * Keys held for a number of latent steps.
     *
     * @param keys the keys
     * @param steps how many steps, positive; a fraction is one last, proportionally smaller step
     */
    public record Action(Keys keys, double steps) {

        public Action {
            if (keys.isEmpty()) {
                throw new IllegalArgumentException("an action needs at least one key");
            }
            if (!(steps > 0) || Double.isInfinite(steps)) {
                throw new IllegalArgumentException("action lasts " + steps + " steps; it must be positive and finite");
            }
        }
    }

    /**
     * One step.
     *
     * @param pose where it starts
     * @param keys keys held; opposite keys cancel
     * @param scale fraction of a whole step
     */
    public Pose step(Pose pose, Keys keys, double scale) {
        double turn = rotation * scale;
        Pose rotated = pose.compose(Pose.yaw(keys.yaw() * turn)).compose(Pose.pitch(keys.pitch() * turn));
        double move = translation * scale;
        return rotated.compose(Pose.translation(keys.right() * move, 0, keys.forward() * move));
    }

    /** The start pose followed by one pose per step. */
    public List<Pose> path(Pose start, List<Action> actions) {
        List<Pose> poses = new ArrayList<>();
        poses.add(start);
        Pose pose = start;
        for (Action action : actions) {
            for (double left = action.steps(); left > 1e-9; left -= 1) {
                pose = step(pose, action.keys(), Math.min(1, left));
                poses.add(pose);
            }
        }
        return Collections.unmodifiableList(poses);
    }

    /**
     * Reads a pose string such as {@code "w-3, right-0.5"}: keys, a hyphen and a number of latent steps, separated by
     * commas. Keys held together are joined by {@code +}.
     *
     * @throws IllegalArgumentException naming the entry that cannot be read
     */
    public static List<Action> parse(String text) {
        List<Action> actions = new ArrayList<>();
        for (String entry : text.split(",", -1)) {
            String e = entry.strip();
            int dash = e.indexOf('-');
            if (dash < 1) {
                throw new IllegalArgumentException("\"" + e + "\" is not an action such as \"w-3\"");
            }
            double steps;
            try {
                steps = Double.parseDouble(e.substring(dash + 1));
            } catch (NumberFormatException x) {
                throw new IllegalArgumentException("\"" + e + "\" does not end in a number of steps", x);
            }
            actions.add(new Action(Keys.parse(e.substring(0, dash)), steps));
        }
        return List.copyOf(actions);
    }

    /** The pose string that {@link #parse} reads back. */
    public static String print(List<Action> actions) {
        List<String> entries = new ArrayList<>();
        for (Action action : actions) {
            List<String> names = new ArrayList<>();
            for (Key key : Key.values()) {
                if (action.keys().contains(key)) {
                    names.add(key.name().toLowerCase(Locale.ROOT));
                }
            }
            double steps = action.steps();
            boolean whole = steps == Math.rint(steps) && steps < 1e15;
            entries.add(String.join("+", names) + "-" + (whole ? Long.toString((long) steps) : Double.toString(steps)));
        }
        return String.join(", ", entries);
    }
}
