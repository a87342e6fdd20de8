package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;

/**
 * A rendered trajectory. Not copied on access: treat the arrays as read-only. Safe to share once rendered.
 *
 * <p>Frames are T·H·W·3 bytes of sRGB, depth T·H·W planar world units (+∞ for sky), labels T·H·W world instance ids.
 */
public final class Clip {

    private final String world;
    private final Trajectory trajectory;
    private final byte[] rgb;
    private final float[] depth;
    private final int[] label;

    private Clip(String world, Trajectory trajectory, byte[] rgb, float[] depth, int[] label) {
        this.world = world;
        this.trajectory = trajectory;
        this.rgb = rgb;
        this.depth = depth;
        this.label = label;
    }

    /** Renders every frame of a trajectory, one after the other, on the calling thread. */
    public static Clip render(World world, Trajectory trajectory, RenderTarget target) {
        Intrinsics k = trajectory.intrinsics();
        int pixels = k.width() * k.height();
        int frames = trajectory.frames();
        byte[] rgb = new byte[target.colour() ? frames * pixels * 3 : 0];
        float[] depth = new float[frames * pixels];
        int[] label = new int[frames * pixels];
        for (int i = 0; i < frames; i++) {
            world.render(trajectory.poses().get(i), k, trajectory.timeOf(i), target);
            if (target.colour()) {
                System.arraycopy(target.rgb(), 0, rgb, i * pixels * 3, pixels * 3);
            }
            System.arraycopy(target.depth(), 0, depth, i * pixels, pixels);
            System.arraycopy(target.label(), 0, label, i * pixels, pixels);
        }
        return new Clip(world.name(), trajectory, rgb, depth, label);
    }

    /** The name of the world. */
    public String world() {
        return world;
    }

    /** The path. */
    public Trajectory trajectory() {
        return trajectory;
    }

    /** T·H·W·3 bytes of sRGB; the array itself. */
    public byte[] rgb() {
        return rgb;
    }

    /** T·H·W planar depths; the array itself. */
    public float[] depth() {
        return depth;
    }

    /** T·H·W labels; the array itself. */
    public int[] label() {
        return label;
    }
}
