package io.teleworld.core.evaluate;

import io.teleworld.RgbImage;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Finds the camera poses of a video whose geometry is known, from its pictures alone. Stateless and thread-safe.
 *
 * <p>Direct alignment: a reference picture is warped by its depth and a candidate motion into another picture; Gauss-Newton
 * steps with damping minimise Huber's loss, cut off, of the difference in brightness, from coarse to fine, together with a gain and an
 * offset of brightness. Commanded poses are never looked at.
 */
public final class PoseRecovery {

    private static final int MIN_SIDE = 16;
    private static final int ITERATIONS = 30;
    /** Steps end below this, in radians and units of depth, and when the loss falls by less than this share. */
    private static final double LEAST_STEP = 1e-4;

    private static final double LEAST_GAIN_OF_LOSS = 1e-5;
    private static final int PARAMETERS = 8;
    private static final double HUBER = 1.345;
    /** Beyond so many deviations something else is seen; how far beyond does not matter. */
    private static final double CUT = 6;

    private static final double MAD_TO_SIGMA = 1.4826;
    /** Half a step of 8-bit brightness: below it differences are rounding. */
    private static final double LEAST_SIGMA = 0.5 / 255;

    private static final double NEAR = 1e-3;
    /** Sky turns with the camera but does not move. */
    private static final double SKY_IN_MEDIANS = 1e3;

    private static final double LEAST_INLIERS = 0.3;
    /** Pictures without anything in common are explained best by no gain at all. */
    private static final double LEAST_GAIN = 0.5;

    private PoseRecovery() {}

    /** Where a video's geometry comes from. */
    @FunctionalInterface
    public interface Geometry {

        /**
         * Planar depth of the scene.
         *
         * @param frame number in the video
         * @param pose camera-to-world, the world being the first frame's camera
         * @return height × width, row-major, in the unit of the poses; infinite for sky
         */
        float[] depth(int frame, Pose pose);
    }

    /**
     * What is to be seen from a pose.
     *
     * @param picture of the camera's size
     * @param depth its planar depth as in {@link Geometry}
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large images; never compared
    public record View(RgbImage picture, float[] depth) {}

    /** A scene that is known altogether. */
    @FunctionalInterface
    public interface Scene {

        /**
         * A view of the scene.
         *
         * @param frame number in the video
         * @param pose camera-to-world, the world being the first frame's camera
         */
        View view(int frame, Pose pose);
    }

    /**
     * What an alignment found.
     *
     * @param pose the target's camera in the reference camera's frame
     * @param inliers share of the reference's pixels that are seen in the target and agree there within three deviations
     * @param reliable whether steps ended by themselves, enough pixels agree and contrasts are alike; a pose that is not may be
     *     anything
     */
    public record Alignment(Pose pose, double inliers, boolean reliable) {}

    /**
     * A video's poses.
     *
     * @param poses camera-to-world, the first the identity
     * @param reliableShare share of the frames behind the first whose alignment was reliable
     */
    public record Track(List<Pose> poses, double reliableShare) {
        public Track {
            poses = List.copyOf(poses);
        }
    }

    /**
     * Follows a video by itself: only the depth is known, so its pictures may show anything, but errors add up. Each frame is
     * aligned with the latest keyframe, beginning where the frame before it ended; a keyframe is taken every so many frames,
     * and its depth is asked for at its own recovered pose. A frame without a reliable alignment keeps the pose before it.
     *
     * @param video pictures of the camera's size, at least 1
     * @param every frames from one keyframe to the next, at least 1
     */
    public static Track track(List<RgbImage> video, Intrinsics camera, Geometry geometry, int every) {
        return follow(video, camera, (i, pose) -> new View(video.get(i), geometry.depth(i, pose)), every);
    }

    /**
     * Finds a video's poses in a scene: as {@link #track}, but keyframes are the scene's own views from the recovered poses, so
     * errors do not add up as long as the video shows that scene.
     *
     * @param video pictures of the camera's size, at least 1
     * @param every frames from one view to the next, at least 1
     */
    public static Track locate(List<RgbImage> video, Intrinsics camera, Scene scene, int every) {
        return follow(video, camera, scene, every);
    }

    private static Track follow(List<RgbImage> video, Intrinsics camera, Scene keyframes, int every) {
        if (video.isEmpty() || every < 1) {
            throw new IllegalArgumentException(
                    "video has " + video.size() + " frames, keyframes every " + every + "; both must be at least 1");
        }
        List<Pose> poses = new ArrayList<>(List.of(Pose.IDENTITY));
        Pose key = Pose.IDENTITY;
        List<Level> reference = reference(keyframes.view(0, key), camera);
        Pose relative = Pose.IDENTITY;
        int reliable = 0;
        for (int i = 1; i < video.size(); i++) {
            List<Level> target = pyramid(video.get(i), camera);
            Alignment a = align(reference, target, relative);
            if (a.reliable()) {
                relative = a.pose();
                reliable++;
            }
            Pose pose = key.compose(relative);
            poses.add(pose);
            if (i % every == 0) {
                key = pose;
                reference = reference(keyframes.view(i, key), camera);
                relative = Pose.IDENTITY;
            }
        }
        return new Track(poses, video.size() == 1 ? 1 : (double) reliable / (video.size() - 1));
    }

    /**
     * Aligns two pictures.
     *
     * @param reference a picture of the camera's size
     * @param depth its planar depth, row-major; infinite for sky
     * @param target another picture of that size
     * @param guess the target's camera in the reference camera's frame, to begin with
     */
    public static Alignment align(RgbImage reference, float[] depth, Intrinsics camera, RgbImage target, Pose guess) {
        return align(reference(new View(reference, depth), camera), pyramid(target, camera), guess);
    }

    /** One size of a picture: brightness in [0, 1], and depth where it is known. */
    private static final class Level {
        final int width;
        final int height;
        final double fx;
        final double fy;
        final double cx;
        final double cy;
        final float[] luma;
        float[] depth = new float[0];

        Level(int width, int height, double fx, double fy, double cx, double cy, float[] luma) {
            this.width = width;
            this.height = height;
            this.fx = fx;
            this.fy = fy;
            this.cx = cx;
            this.cy = cy;
            this.luma = luma;
        }

        /** Half the size: brightness is averaged, of depths the nearest is kept, because it hides the others. */
        Level half() {
            int w = width / 2;
            int h = height / 2;
            Level out = new Level(w, h, fx / 2, fy / 2, cx / 2, cy / 2, new float[w * h]);
            out.depth = new float[depth.length == 0 ? 0 : w * h];
            for (int y = 0; y < h; y++) {
                for (int x = 0; x < w; x++) {
                    int i = 2 * y * width + 2 * x;
                    out.luma[y * w + x] = (luma[i] + luma[i + 1] + luma[i + width] + luma[i + width + 1]) / 4;
                    if (depth.length > 0) {
                        out.depth[y * w + x] = Math.min(
                                Math.min(depth[i], depth[i + 1]), Math.min(depth[i + width], depth[i + width + 1]));
                    }
                }
            }
            return out;
        }
    }

    private static List<Level> pyramid(RgbImage image, Intrinsics k) {
        if (image.width() != k.width() || image.height() != k.height()) {
            throw new IllegalArgumentException("picture is " + image.width() + "×" + image.height()
                    + "; the camera's is " + k.width() + "×" + k.height());
        }
        byte[] rgb = image.rgb();
        float[] luma = new float[rgb.length / 3];
        for (int i = 0; i < luma.length; i++) {
            luma[i] =
                    (0.299f * (rgb[3 * i] & 0xff) + 0.587f * (rgb[3 * i + 1] & 0xff) + 0.114f * (rgb[3 * i + 2] & 0xff))
                            / 255;
        }
        return levels(new Level(k.width(), k.height(), k.fx(), k.fy(), k.cx(), k.cy(), luma));
    }

    private static List<Level> reference(View view, Intrinsics k) {
        float[] depth = view.depth();
        Level whole = pyramid(view.picture(), k).get(0);
        if (depth.length != whole.luma.length) {
            throw new IllegalArgumentException(
                    "depth has " + depth.length + " values; the picture has " + whole.luma.length + " pixels");
        }
        float[] finite = new float[depth.length];
        int n = 0;
        for (float z : depth) {
            if (Float.isFinite(z) && z > 0) {
                finite[n++] = z;
            }
        }
        Arrays.sort(finite, 0, n);
        float sky = n == 0 ? 1 : (float) (SKY_IN_MEDIANS * finite[n / 2]);
        whole.depth = new float[depth.length];
        for (int i = 0; i < depth.length; i++) {
            whole.depth[i] = Float.isFinite(depth[i]) && depth[i] > 0 ? depth[i] : sky;
        }
        return levels(whole);
    }

    private static List<Level> levels(Level whole) {
        List<Level> out = new ArrayList<>(List.of(whole));
        Level last = whole;
        while (Math.min(last.width, last.height) >= 2 * MIN_SIDE) {
            last = last.half();
            out.add(last);
        }
        return out;
    }

    private static Alignment align(List<Level> reference, List<Level> target, Pose guess) {
        Solution s = new Solution(guess.inverse(), 1, 0);
        boolean ended = false;
        for (int l = reference.size() - 1; l >= 0; l--) {
            Problem problem = new Problem(reference.get(l), target.get(l));
            ended = false;
            double damping = 1e-4;
            Sums sums = problem.evaluate(s, 0);
            for (int i = 0; i < ITERATIONS && sums.count > PARAMETERS; i++) {
                double[] step = solve(sums, damping);
                Solution next = s.moved(step);
                Sums after = problem.evaluate(next, sums.sigma);
                if (after.count > PARAMETERS && after.loss <= sums.loss) {
                    s = next;
                    damping = Math.max(1e-7, damping / 5);
                    ended = size(step) < LEAST_STEP || sums.loss - after.loss < LEAST_GAIN_OF_LOSS * sums.loss;
                    sums = problem.evaluate(s, 0);
                } else {
                    damping *= 8;
                    ended = damping > 1e3 || size(step) < LEAST_STEP;
                }
                if (ended) {
                    break;
                }
            }
        }
        Level whole = reference.get(0);
        Sums last = new Problem(whole, target.get(0)).evaluate(s, 0);
        double inliers = (double) last.inliers / whole.luma.length;
        return new Alignment(
                s.toTarget.inverse(),
                inliers,
                ended && inliers >= LEAST_INLIERS && s.gain() > LEAST_GAIN && s.gain() < 1 / LEAST_GAIN);
    }

    private static double size(double[] step) {
        double sum = 0;
        for (int i = 0; i < 6; i++) {
            sum += step[i] * step[i];
        }
        return Math.sqrt(sum);
    }

    /** A motion from the reference's camera frame to the target's, and target = gain · reference + offset. */
    private record Solution(Pose toTarget, double gain, double offset) {

        Solution moved(double[] step) {
            Pose turn = rotation(step[3], step[4], step[5]);
            Pose p = turn.compose(toTarget);
            return new Solution(
                    p.withTranslation(p.tx() + step[0], p.ty() + step[1], p.tz() + step[2]),
                    gain + step[6],
                    offset + step[7]);
        }

        /** The rotation of a vector whose length is the angle (Rodrigues). */
        private static Pose rotation(double x, double y, double z) {
            double angle = Math.sqrt(x * x + y * y + z * z);
            if (angle < 1e-15) {
                return Pose.IDENTITY;
            }
            double s = Math.sin(angle) / angle;
            double c = (1 - Math.cos(angle)) / (angle * angle);
            return new Pose(
                    1 - c * (y * y + z * z),
                    c * x * y - s * z,
                    c * x * z + s * y,
                    c * x * y + s * z,
                    1 - c * (x * x + z * z),
                    c * y * z - s * x,
                    c * x * z - s * y,
                    c * y * z + s * x,
                    1 - c * (x * x + y * y),
                    0,
                    0,
                    0);
        }
    }

    /** Normal equations, mean loss and deviation at a solution. */
    private static final class Sums {
        final double[] matrix = new double[PARAMETERS * PARAMETERS];
        final double[] vector = new double[PARAMETERS];
        double loss;
        double sigma;
        int count;
        int inliers;
    }

    /** The alignment at one size. */
    private static final class Problem {
        private final Level r;
        private final Level t;
        private final float[] residuals;
        private final float[] jacobian;

        Problem(Level r, Level t) {
            this.r = r;
            this.t = t;
            this.residuals = new float[r.luma.length];
            this.jacobian = new float[(PARAMETERS - 2) * r.luma.length];
        }

        /** The equations at a solution, with a given deviation or, where that is 0, the residuals' own. */
        Sums evaluate(Solution s, double sigma) {
            warp(s);
            Sums out = new Sums();
            out.sigma = sigma > 0 ? sigma : deviation();
            double bend = HUBER * out.sigma;
            double cut = CUT * out.sigma;
            double[] j = new double[PARAMETERS];
            for (int i = 0; i < residuals.length; i++) {
                double e = residuals[i];
                if (Double.isNaN(e)) {
                    continue;
                }
                double a = Math.abs(e);
                double weight = a <= bend ? 1 : a <= cut ? bend / a : 0;
                out.loss += a <= bend ? 0.5 * a * a : bend * (Math.min(a, cut) - 0.5 * bend);
                out.count++;
                out.inliers += a <= 3 * out.sigma ? 1 : 0;
                for (int k = 0; k < PARAMETERS - 2; k++) {
                    j[k] = jacobian[(PARAMETERS - 2) * i + k];
                }
                j[6] = -r.luma[i];
                j[7] = -1;
                for (int row = 0; row < PARAMETERS; row++) {
                    double w = weight * j[row];
                    out.vector[row] -= w * e;
                    for (int column = 0; column <= row; column++) {
                        out.matrix[PARAMETERS * row + column] += w * j[column];
                    }
                }
            }
            // What leaves the picture must not look like a gain.
            out.loss = out.count == 0 ? Double.POSITIVE_INFINITY : out.loss / out.count;
            return out;
        }

        private void warp(Solution s) {
            Pose p = s.toTarget();
            for (int y = 0; y < r.height; y++) {
                for (int x = 0; x < r.width; x++) {
                    int i = y * r.width + x;
                    double z = r.depth[i];
                    double px = (x + 0.5 - r.cx) / r.fx * z;
                    double py = (y + 0.5 - r.cy) / r.fy * z;
                    double qx = p.r00() * px + p.r01() * py + p.r02() * z + p.tx();
                    double qy = p.r10() * px + p.r11() * py + p.r12() * z + p.ty();
                    double qz = p.r20() * px + p.r21() * py + p.r22() * z + p.tz();
                    residuals[i] = Float.NaN;
                    if (qz < NEAR) {
                        continue;
                    }
                    double u = t.fx * qx / qz + t.cx - 0.5;
                    double v = t.fy * qy / qz + t.cy - 0.5;
                    if (!(u >= 0) || !(v >= 0) || u >= t.width - 1 || v >= t.height - 1) {
                        continue;
                    }
                    int column = (int) u;
                    int row = (int) v;
                    double fu = u - column;
                    double fv = v - row;
                    int at = row * t.width + column;
                    double a = t.luma[at];
                    double b = t.luma[at + 1];
                    double c = t.luma[at + t.width];
                    double d = t.luma[at + t.width + 1];
                    double top = a + fu * (b - a);
                    double bottom = c + fu * (d - c);
                    double value = top + fv * (bottom - top);
                    double gu = (b - a) + fv * ((d - c) - (b - a));
                    double gv = bottom - top;
                    residuals[i] = (float) (value - s.gain() * r.luma[i] - s.offset());
                    double jx = gu * t.fx / qz;
                    double jy = gv * t.fy / qz;
                    double jz = -(jx * qx + jy * qy) / qz;
                    int o = (PARAMETERS - 2) * i;
                    jacobian[o] = (float) jx;
                    jacobian[o + 1] = (float) jy;
                    jacobian[o + 2] = (float) jz;
                    jacobian[o + 3] = (float) (qy * jz - qz * jy);
                    jacobian[o + 4] = (float) (qz * jx - qx * jz);
                    jacobian[o + 5] = (float) (qx * jy - qy * jx);
                }
            }
        }

        private double deviation() {
            float[] sizes = new float[residuals.length];
            int n = 0;
            for (float e : residuals) {
                if (!Float.isNaN(e)) {
                    sizes[n++] = Math.abs(e);
                }
            }
            Arrays.sort(sizes, 0, n);
            return Math.max(LEAST_SIGMA, n == 0 ? 0 : MAD_TO_SIGMA * sizes[n / 2]);
        }
    }

    /** The damped step by Cholesky's decomposition. */
    private static double[] solve(Sums sums, double damping) {
        int n = PARAMETERS;
        double[] l = sums.matrix.clone();
        double[] x = sums.vector.clone();
        for (int i = 0; i < n; i++) {
            // Where nothing is known of a parameter it stays.
            l[n * i + i] += damping * l[n * i + i] + 1e-9;
        }
        for (int row = 0; row < n; row++) {
            for (int column = 0; column <= row; column++) {
                double sum = l[n * row + column];
                for (int k = 0; k < column; k++) {
                    sum -= l[n * row + k] * l[n * column + k];
                }
                l[n * row + column] = row == column ? Math.sqrt(Math.max(sum, 1e-12)) : sum / l[n * column + column];
            }
        }
        for (int row = 0; row < n; row++) {
            for (int k = 0; k < row; k++) {
                x[row] -= l[n * row + k] * x[k];
            }
            x[row] /= l[n * row + row];
        }
        for (int row = n - 1; row >= 0; row--) {
            for (int k = row + 1; k < n; k++) {
                x[row] -= l[n * k + row] * x[k];
            }
            x[row] /= l[n * row + row];
        }
        return x;
    }
}
