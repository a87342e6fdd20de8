package io.teleworld.worlds;

/**
 * Depth as 16 bits on a logarithmic scale: 0 is sky, 1 to 65535 run from {@link #NEAR} to {@link #FAR} world units in
 * equal ratios, so that the relative error is at most 0.9·10⁻⁴. Stateless.
 */
public final class DepthCode {

    /** The smallest depth, in world units; nearer ones are stored as this. */
    public static final double NEAR = 0.5;

    /** The greatest depth, in world units; farther ones are stored as this. */
    public static final double FAR = 65536;

    private static final double STEP = Math.log(FAR / NEAR) / 65534;

    private DepthCode() {}

    /** The code of a planar depth in world units; +∞ and NaN give 0. */
    public static char encode(float depth) {
        if (!(depth < Float.POSITIVE_INFINITY)) {
            return 0;
        }
        double z = Math.max(NEAR, Math.min(FAR, depth));
        return (char) (1 + Math.round(Math.log(z / NEAR) / STEP));
    }

    /** The depth of a code; +∞ for 0. */
    public static float decode(char code) {
        return code == 0 ? Float.POSITIVE_INFINITY : (float) (NEAR * Math.exp((code - 1) * STEP));
    }
}
