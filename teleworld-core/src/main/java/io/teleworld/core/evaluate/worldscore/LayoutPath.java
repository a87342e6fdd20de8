package io.teleworld.core.evaluate.worldscore;

import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.List;

/**
 * The camera path of a list of layouts, one after another: the poses at the ends of the layouts are the anchors; between two
 * anchors, world-to-camera rotations follow the shortest arc at a constant rate, and world-to-camera translations a
 * straight line. The first camera is the identity. Immutable and thread-safe.
 */
public final class LayoutPath {

    /** x left and y up instead of x right and y down. */
    private static final Pose HALF_TURN_Z = new Pose(-1, 0, 0, 0, -1, 0, 0, 0, 1, 0, 0, 0);
    /** What the benchmark's files put between its cameras' axes and the world. */
    private static final Pose HALF_TURN_Y = new Pose(-1, 0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 0);

    private final List<CameraLayout> layouts;
    private final int framesPerScene;
    /** World-to-camera, axes x left, y up, z forward. */
    private final List<Pose> views;

    private LayoutPath(List<CameraLayout> layouts, int framesPerScene, List<Pose> views) {
        this.layouts = layouts;
        this.framesPerScene = framesPerScene;
        this.views = views;
    }

    /**
     * A path.
     *
     * @param layouts at least 1
     * @param framesPerScene frames of one layout, both ends included; at least 2. n layouts have n·(framesPerScene − 1) + 1
     *     poses
     * @param speed length of a push, in world units; above 0
     */
    public static LayoutPath of(List<CameraLayout> layouts, int framesPerScene, double speed) {
        if (layouts.isEmpty()) {
            throw new IllegalArgumentException("there are no layouts; a path needs at least 1");
        }
        if (framesPerScene < 2) {
            throw new IllegalArgumentException("frames per scene are " + framesPerScene + "; at least 2 are needed");
        }
        if (!(speed > 0) || !Double.isFinite(speed)) {
            throw new IllegalArgumentException("speed is " + speed + "; it must be above 0 and finite");
        }
        // A layout moves the camera in its own frame: its view comes after those before it.
        List<Pose> anchors = new ArrayList<>(List.of(Pose.IDENTITY));
        for (CameraLayout l : layouts) {
            anchors.add(l.worldToCamera(speed).compose(anchors.get(anchors.size() - 1)));
        }
        List<Pose> views = new ArrayList<>(List.of(Pose.IDENTITY));
        for (int scene = 0; scene < layouts.size(); scene++) {
            for (int i = 1; i < framesPerScene; i++) {
                views.add(between(anchors.get(scene), anchors.get(scene + 1), (double) i / (framesPerScene - 1)));
            }
        }
        return new LayoutPath(List.copyOf(layouts), framesPerScene, List.copyOf(views));
    }

    /** The layouts in order. */
    public List<CameraLayout> layouts() {
        return layouts;
    }

    /** Camera-to-world with this project's axes (x right, y down, z forward); the first is the identity. */
    public List<Pose> poses() {
        return views.stream()
                .map(v -> HALF_TURN_Z.compose(v.inverse()).compose(HALF_TURN_Z))
                .toList();
    }

    /** The matrices of {@code cameras_interp} in the benchmark's {@code camera_data.json}: 4×4, row-major. */
    public List<double[]> savedMatrices() {
        return views.stream()
                .map(v -> HALF_TURN_Y.compose(v).inverse().toRowMajor())
                .toList();
    }

    /** The frames at the ends of the layouts, the first among them. */
    public List<Integer> anchorFrames() {
        List<Integer> out = new ArrayList<>();
        for (int i = 0; i <= layouts.size(); i++) {
            out.add(i * (framesPerScene - 1));
        }
        return List.copyOf(out);
    }

    private static Pose between(Pose a, Pose b, double share) {
        Pose turn = a.inverse().compose(b);
        double angle = a.rotationAngleTo(b);
        Pose r = a.compose(Math.abs(angle) < 1e-12 ? Pose.IDENTITY : rotation(turn, angle, share * angle));
        return r.withTranslation(
                a.tx() + share * (b.tx() - a.tx()),
                a.ty() + share * (b.ty() - a.ty()),
                a.tz() + share * (b.tz() - a.tz()));
    }

    /** The rotation by another angle about the axis of one whose angle is below π. */
    private static Pose rotation(Pose turn, double angle, double part) {
        double n = 2 * Math.sin(angle);
        double x = (turn.r21() - turn.r12()) / n;
        double y = (turn.r02() - turn.r20()) / n;
        double z = (turn.r10() - turn.r01()) / n;
        double c = Math.cos(part);
        double s = Math.sin(part);
        double d = 1 - c;
        return new Pose(
                c + x * x * d,
                x * y * d - z * s,
                x * z * d + y * s,
                y * x * d + z * s,
                c + y * y * d,
                y * z * d - x * s,
                z * x * d - y * s,
                z * y * d + x * s,
                c + z * z * d,
                0,
                0,
                0);
    }
}
