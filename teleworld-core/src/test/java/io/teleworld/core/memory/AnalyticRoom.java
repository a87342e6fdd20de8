package io.teleworld.core.memory;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.SplittableRandom;

/** A textured box room with a pillar, a moving sphere and, if wanted, no ceiling: ray-traced, everything known exactly. */
final class AnalyticRoom {

    static final double[] MIN = {-2.5, -1, -2.5};
    static final double[] MAX = {2.5, 1, 4.5};
    private static final double[] PILLAR_MIN = {0.5, -1, 1.6};
    private static final double[] PILLAR_MAX = {1.0, 1, 2.1};
    private static final int WAVES = 10;

    private final boolean openSky;
    private final double[] waves = new double[13 * WAVES * 7];

    AnalyticRoom(long seed, double cyclesPerUnit, boolean openSky) {
        this.openSky = openSky;
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < waves.length; i += 7) {
            double f = cyclesPerUnit * random.nextDouble(0.1, 1);
            double a = random.nextDouble(2 * Math.PI);
            waves[i] = 2 * Math.PI * f * Math.cos(a);
            waves[i + 1] = 2 * Math.PI * f * Math.sin(a);
            waves[i + 2] = random.nextDouble(2 * Math.PI);
            for (int c = 0; c < 3; c++) {
                waves[i + 3 + c] = random.nextDouble(-0.09, 0.09);
            }
        }
    }

    static final class Frame {
        final byte[] rgb;
        final float[] depth;
        final byte[] dynamic;

        Frame(int pixels) {
            rgb = new byte[3 * pixels];
            depth = new float[pixels];
            dynamic = new byte[pixels];
        }
    }

    /** One frame; colour is the mean in linear light of 3×3 rays, depth and label those of the central ray. */
    Frame trace(Intrinsics k, Pose pose, double sphereX) {
        Frame f = new Frame(k.width() * k.height());
        double[] hit = new double[6];
        for (int y = 0; y < k.height(); y++) {
            for (int x = 0; x < k.width(); x++) {
                int p = y * k.width() + x;
                double r = 0;
                double g = 0;
                double b = 0;
                for (int j = 0; j < 9; j++) {
                    double cx = (x + (j % 3 + 0.5) / 3 - k.cx()) / k.fx();
                    double cy = (y + (j / 3 + 0.5) / 3 - k.cy()) / k.fy();
                    ray(pose, cx, cy, sphereX, hit);
                    r += hit[0];
                    g += hit[1];
                    b += hit[2];
                    if (j == 4) {
                        f.depth[p] = (float) hit[3];
                        f.dynamic[p] = (byte) hit[4];
                    }
                }
                f.rgb[3 * p] = LinearLight.srgb((int) (r / 9 * 65535));
                f.rgb[3 * p + 1] = LinearLight.srgb((int) (g / 9 * 65535));
                f.rgb[3 * p + 2] = LinearLight.srgb((int) (b / 9 * 65535));
            }
        }
        return f;
    }

    private void ray(Pose p, double cx, double cy, double sphereX, double[] hit) {
        double[] o = {p.tx(), p.ty(), p.tz()};
        double[] d = {
            p.r00() * cx + p.r01() * cy + p.r02(),
            p.r10() * cx + p.r11() * cy + p.r12(),
            p.r20() * cx + p.r21() * cy + p.r22()
        };
        double best = Double.POSITIVE_INFINITY;
        int face = -1;
        for (int a = 0; a < 3; a++) {
            double t = ((d[a] > 0 ? MAX[a] : MIN[a]) - o[a]) / d[a];
            if (t > 0 && t < best) {
                best = t;
                face = 2 * a + (d[a] > 0 ? 1 : 0);
            }
        }
        if (openSky && face == 2) {
            best = Double.POSITIVE_INFINITY;
            face = -1;
        }
        double near = 0;
        double far = best;
        int nearFace = -1;
        for (int a = 0; a < 3; a++) {
            double t0 = (PILLAR_MIN[a] - o[a]) / d[a];
            double t1 = (PILLAR_MAX[a] - o[a]) / d[a];
            if (Math.min(t0, t1) > near) {
                near = Math.min(t0, t1);
                nearFace = 6 + 2 * a + (t0 < t1 ? 0 : 1);
            }
            far = Math.min(far, Math.max(t0, t1));
        }
        if (nearFace >= 0 && near < far) {
            best = near;
            face = nearFace;
        }
        hit[4] = 0;
        if (!Double.isNaN(sphereX)) {
            double ox = o[0] - sphereX;
            double oy = o[1] - 0.2;
            double oz = o[2] - 1.2;
            double a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            double b = ox * d[0] + oy * d[1] + oz * d[2];
            double q = b * b - a * (ox * ox + oy * oy + oz * oz - 0.09);
            if (q > 0 && -b - Math.sqrt(q) > 0 && (-b - Math.sqrt(q)) / a < best) {
                best = (-b - Math.sqrt(q)) / a;
                hit[0] = 0.6;
                hit[1] = 0.05;
                hit[2] = 0.05;
                hit[3] = best;
                hit[4] = 1;
                return;
            }
        }
        hit[3] = best;
        if (face < 0) {
            double n = Math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
            hit[0] = 0.3 + 0.2 * d[0] / n;
            hit[1] = 0.5;
            hit[2] = 0.8 + 0.1 * d[2] / n;
            return;
        }
        int axis = face % 6 / 2;
        double u = o[(axis + 1) % 3] + best * d[(axis + 1) % 3];
        double v = o[(axis + 2) % 3] + best * d[(axis + 2) % 3];
        for (int c = 0; c < 3; c++) {
            hit[c] = 0.42 + 0.05 * ((face + c) % 3);
        }
        for (int i = face * WAVES * 7; i < (face + 1) * WAVES * 7; i += 7) {
            double s = Math.sin(waves[i] * u + waves[i + 1] * v + waves[i + 2]);
            for (int c = 0; c < 3; c++) {
                hit[c] += s * waves[i + 3 + c];
            }
        }
        for (int c = 0; c < 3; c++) {
            hit[c] = Math.max(0, Math.min(1, hit[c]));
        }
    }

    Keyframe keyframe(Intrinsics k, Pose pose, double time, int segment, double sphereX) {
        Frame f = trace(k, pose, sphereX);
        return new Keyframe(time, segment, pose, k, f.rgb, f.depth, null, Double.isNaN(sphereX) ? null : f.dynamic);
    }

    /** PSNR over the pixels of {@code view} that are not holes, in dB. */
    static double psnr(GuidanceView view, Frame truth) {
        double sum = 0;
        int n = 0;
        for (int p = 0; p < view.mask().length; p++) {
            if (view.mask()[p] != GuidanceView.HOLE) {
                for (int c = 0; c < 3; c++) {
                    double e = (view.rgb()[3 * p + c] & 0xFF) - (truth.rgb[3 * p + c] & 0xFF);
                    sum += e * e;
                    n++;
                }
            }
        }
        return 10 * Math.log10(255.0 * 255 * n / sum);
    }
}
