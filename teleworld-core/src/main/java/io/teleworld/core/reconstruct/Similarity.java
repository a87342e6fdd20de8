package io.teleworld.core.reconstruct;

import io.teleworld.geometry.Pose;

/**
 * A similarity transform, Sim(3): y = scale·R·x + t. Immutable.
 *
 * @param scale positive
 * @param rigid the rotation R and the translation t
 */
public record Similarity(double scale, Pose rigid) {

    /** How the scale of a fit is found. The rules agree on exact points and differ on noisy ones. */
    public enum ScaleRule {
        /** Least squares, Σw·t·Rs / Σw|s|² of the centred points (Umeyama 1991). */
        LEAST_SQUARES,
        /** √(Σw|t|² / Σw|s|²) of the centred points, which does not shrink with noise (VGGT-Long). */
        SPREAD_RATIO,
        /** 1: a rigid fit. */
        RIGID
    }

    /** No change. */
    public static final Similarity IDENTITY = new Similarity(1, Pose.IDENTITY);

    public Similarity {
        if (!(scale > 0) || Double.isInfinite(scale)) {
            throw new IllegalArgumentException("scale is " + scale + "; it must be positive and finite");
        }
    }

    /** The image of a point. */
    public double[] apply(double x, double y, double z) {
        Pose r = rigid;
        return new double[] {
            scale * (r.r00() * x + r.r01() * y + r.r02() * z) + r.tx(),
            scale * (r.r10() * x + r.r11() * y + r.r12() * z) + r.ty(),
            scale * (r.r20() * x + r.r21() * y + r.r22() * z) + r.tz()
        };
    }

    /** {@code first} followed by this: x ↦ this(first(x)). */
    public Similarity compose(Similarity first) {
        double[] t = apply(first.rigid.tx(), first.rigid.ty(), first.rigid.tz());
        return new Similarity(scale * first.scale, rigid.compose(first.rigid).withTranslation(t[0], t[1], t[2]));
    }

    /** A camera-to-world pose expressed in the transformed world. */
    public Pose apply(Pose camera) {
        double[] t = apply(camera.tx(), camera.ty(), camera.tz());
        return rigid.compose(camera).withTranslation(t[0], t[1], t[2]);
    }

    /**
     * The weighted least-squares similarity that takes {@code source} to {@code target} (Umeyama 1991). The rotation
     * comes from the quaternion form (Horn 1987), which is proper even where the best orthogonal matrix is a reflection.
     *
     * @param source points, three numbers each, at least three of them not on one line
     * @param target as many points
     * @param weights one number per point, at least 0, with a positive sum
     * @throws IllegalArgumentException if sizes differ, no weight is positive or the points do not fix a similarity
     */
    public static Similarity fit(double[] source, double[] target, double[] weights) {
        return fit(source, target, weights, ScaleRule.LEAST_SQUARES);
    }

    /** {@link #fit(double[], double[], double[])} with another rule for the scale; the rotation is the same. */
    public static Similarity fit(double[] source, double[] target, double[] weights, ScaleRule rule) {
        int n = weights.length;
        if (source.length != 3 * n || target.length != 3 * n) {
            throw new IllegalArgumentException("there are " + source.length + " source and " + target.length
                    + " target coordinates for " + n + " weights; both must be three per weight");
        }
        double sum = 0;
        double[] ms = new double[3];
        double[] mt = new double[3];
        for (int i = 0; i < n; i++) {
            double w = weights[i];
            if (!(w >= 0)) {
                throw new IllegalArgumentException("weight " + i + " is " + w + "; it must be at least 0");
            }
            sum += w;
            for (int a = 0; a < 3; a++) {
                ms[a] += w * source[3 * i + a];
                mt[a] += w * target[3 * i + a];
            }
        }
        if (!(sum > 0)) {
            throw new IllegalArgumentException("the weights sum to " + sum + "; the sum must be positive");
        }
        for (int a = 0; a < 3; a++) {
            ms[a] /= sum;
            mt[a] /= sum;
        }
        double[] c = new double[9];
        double spread = 0;
        double targetSpread = 0;
        for (int i = 0; i < n; i++) {
            double w = weights[i];
            for (int a = 0; a < 3; a++) {
                double s = source[3 * i + a] - ms[a];
                double t = target[3 * i + a] - mt[a];
                spread += w * s * s;
                targetSpread += w * t * t;
                for (int b = 0; b < 3; b++) {
                    c[3 * b + a] += w * (target[3 * i + b] - mt[b]) * s;
                }
            }
        }
        Pose r = rotation(c);
        double trace = r.r00() * c[0]
                + r.r01() * c[1]
                + r.r02() * c[2]
                + r.r10() * c[3]
                + r.r11() * c[4]
                + r.r12() * c[5]
                + r.r20() * c[6]
                + r.r21() * c[7]
                + r.r22() * c[8];
        double scale = switch (rule) {
            case LEAST_SQUARES -> trace / spread;
            case SPREAD_RATIO -> Math.sqrt(targetSpread / spread);
            case RIGID -> 1;
        };
        if (!(scale > 0) || Double.isInfinite(scale)) {
            throw new IllegalArgumentException("the points do not fix a similarity (scale " + scale + ")");
        }
        Similarity turned = new Similarity(scale, r);
        double[] m = turned.apply(ms[0], ms[1], ms[2]);
        return new Similarity(scale, r.withTranslation(mt[0] - m[0], mt[1] - m[1], mt[2] - m[2]));
    }

    /**
     * {@link #fit}, repeated with Huber weights so that outliers count less: at most five rounds, ended early when scale
     * and translation settle or the loss no longer changes.
     *
     * @param delta residual from which on a point counts linearly, in the target's units; 0.1 median depths is usual
     */
    public static Similarity fitRobust(double[] source, double[] target, double[] weights, double delta) {
        return fitRobust(source, target, weights, delta, ScaleRule.LEAST_SQUARES);
    }

    /** {@link #fitRobust(double[], double[], double[], double)} with another rule for the scale. */
    public static Similarity fitRobust(
            double[] source, double[] target, double[] weights, double delta, ScaleRule rule) {
        if (!(delta > 0)) {
            throw new IllegalArgumentException("Huber delta is " + delta + "; it must be positive");
        }
        Similarity best = fit(source, target, weights, rule);
        double[] w = new double[weights.length];
        double loss = Double.NaN;
        for (int round = 0; round < 5; round++) {
            double now = 0;
            for (int i = 0; i < w.length; i++) {
                double[] y = best.apply(source[3 * i], source[3 * i + 1], source[3 * i + 2]);
                double dx = y[0] - target[3 * i];
                double dy = y[1] - target[3 * i + 1];
                double dz = y[2] - target[3 * i + 2];
                double e = Math.sqrt(dx * dx + dy * dy + dz * dz);
                w[i] = weights[i] * (e <= delta ? 1 : delta / e);
                now += weights[i] * (e <= delta ? 0.5 * e * e : delta * (e - 0.5 * delta));
            }
            if (Math.abs(now - loss) < 1e-9 * loss) {
                break;
            }
            loss = now;
            Similarity next = fit(source, target, w, rule);
            boolean settled = Math.abs(next.scale - best.scale) + next.rigid.distanceTo(best.rigid) < 1e-9
                    && next.rigid.rotationAngleTo(best.rigid) < Math.toRadians(0.1);
            best = next;
            if (settled) {
                break;
            }
        }
        return best;
    }

    /** The rotation R that maximises tr(Rᵀ·C): the leading eigenvector of Horn's 4×4 matrix. */
    private static Pose rotation(double[] c) {
        // C has target rows and source columns; Horn writes its transpose.
        double sxx = c[0];
        double sxy = c[3];
        double sxz = c[6];
        double syx = c[1];
        double syy = c[4];
        double syz = c[7];
        double szx = c[2];
        double szy = c[5];
        double szz = c[8];
        double[][] m = {
            {sxx + syy + szz, syz - szy, szx - sxz, sxy - syx},
            {syz - szy, sxx - syy - szz, sxy + syx, szx + sxz},
            {szx - sxz, sxy + syx, -sxx + syy - szz, syz + szy},
            {sxy - syx, szx + sxz, syz + szy, -sxx - syy + szz}
        };
        double[][] v = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
        for (int sweep = 0; sweep < 50; sweep++) {
            double off = 0;
            double all = 0;
            for (int p = 0; p < 4; p++) {
                for (int q = 0; q < 4; q++) {
                    all += m[p][q] * m[p][q];
                    off += p == q ? 0 : m[p][q] * m[p][q];
                }
            }
            if (off <= 1e-32 * all) {
                break;
            }
            for (int p = 0; p < 3; p++) {
                for (int q = p + 1; q < 4; q++) {
                    jacobi(m, v, p, q);
                }
            }
        }
        int top = 0;
        for (int i = 1; i < 4; i++) {
            top = m[i][i] > m[top][top] ? i : top;
        }
        double w = v[0][top];
        double x = v[1][top];
        double y = v[2][top];
        double z = v[3][top];
        return new Pose(
                1 - 2 * (y * y + z * z),
                2 * (x * y - w * z),
                2 * (x * z + w * y),
                2 * (x * y + w * z),
                1 - 2 * (x * x + z * z),
                2 * (y * z - w * x),
                2 * (x * z - w * y),
                2 * (y * z + w * x),
                1 - 2 * (x * x + y * y),
                0,
                0,
                0);
    }

    /** One Jacobi rotation that zeroes m[p][q]. */
    private static void jacobi(double[][] m, double[][] v, int p, int q) {
        if (m[p][q] == 0) {
            return;
        }
        double theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
        double t = Math.copySign(1, theta) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        double c = 1 / Math.sqrt(t * t + 1);
        double s = t * c;
        for (int k = 0; k < 4; k++) {
            double a = m[k][p];
            double b = m[k][q];
            m[k][p] = c * a - s * b;
            m[k][q] = s * a + c * b;
        }
        for (int k = 0; k < 4; k++) {
            double a = m[p][k];
            double b = m[q][k];
            m[p][k] = c * a - s * b;
            m[q][k] = s * a + c * b;
            a = v[k][p];
            b = v[k][q];
            v[k][p] = c * a - s * b;
            v[k][q] = s * a + c * b;
        }
    }
}
