package io.teleworld.core.camera;

import io.teleworld.geometry.Pose;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Camera paths as numbers for a transformer with a camera encoder (ReCamMaster, arXiv 2503.11647): per frame the top three
 * rows, row-major, of the pose relative to the first frame's camera. Stateless.
 */
public final class CameraEmbedding {

    /** Numbers per frame. */
    public static final int WIDTH = 12;

    private static final Pattern NUMBER = Pattern.compile("[-+]?\\d+(?:\\.\\d*)?(?:[eE][-+]?\\d+)?");

    private CameraEmbedding() {}

    /**
     * The embedding of a path, one pose per latent frame.
     *
     * @param poses camera-to-world, at least one
     * @return [frames, {@value #WIDTH}], flat
     */
    public static float[] of(List<Pose> poses) {
        if (poses.isEmpty()) {
            throw new IllegalArgumentException("the path has no poses; at least one is needed");
        }
        Pose toFirst = poses.get(0).inverse();
        float[] out = new float[poses.size() * WIDTH];
        for (int f = 0; f < poses.size(); f++) {
            double[] m = toFirst.compose(poses.get(f)).toRowMajor();
            for (int i = 0; i < WIDTH; i++) {
                out[f * WIDTH + i] = (float) m[i];
            }
        }
        return out;
    }

    /**
     * Reads a pose of the public camera files, which Unreal Engine wrote: four bracketed rows of the transposed matrix,
     * in centimetres, x forward, y right, z up. The result is a camera with x right, y down and z forward in a world with
     * x forward, y left and z up, in metres.
     *
     * @param text 16 numbers
     * @throws IllegalArgumentException if it holds another number of numbers or no rotation
     */
    public static Pose parseUnreal(String text) {
        double[] v = new double[16];
        int n = 0;
        Matcher m = NUMBER.matcher(text);
        while (m.find()) {
            if (n < v.length) {
                v[n] = Double.parseDouble(m.group());
            }
            n++;
        }
        if (n != v.length) {
            throw new IllegalArgumentException("camera '" + text + "' has " + n + " numbers; 16 are needed");
        }
        // Rows of the text are columns of the matrix. The camera's axes are taken in the order right, up, forward, and
        // up
        // negated; so is the world's second axis, as Unreal's system is left-handed.
        double[] matrix = new double[12];
        int[] column = {1, 2, 0};
        for (int row = 0; row < 3; row++) {
            for (int c = 0; c < 3; c++) {
                double entry = v[4 * column[c] + row];
                matrix[4 * row + c] = (c == 1) != (row == 1) ? -entry : entry;
            }
            matrix[4 * row + 3] = (row == 1 ? -v[12 + row] : v[12 + row]) / 100;
        }
        return Pose.ofRowMajor(matrix);
    }
}
