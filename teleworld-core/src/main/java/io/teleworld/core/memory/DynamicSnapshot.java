package io.teleworld.core.memory;

/** What moved, at one key frame's time. Immutable once built; never merged into the static map. */
final class DynamicSnapshot {

    final double time;
    final int segment;
    /** World positions, three per point. */
    final float[] xyz;
    /** Linear light as in {@link Block#colour}. */
    final long[] colour;

    final float[] size;
    /** Instance id per point, 1 to 255. */
    final byte[] instance;
    /** Mean position per instance id, three each; NaN where the id is unused. */
    final float[] centroid = new float[3 * 256];

    DynamicSnapshot(double time, int segment, float[] xyz, long[] colour, float[] size, byte[] instance) {
        this.time = time;
        this.segment = segment;
        this.xyz = xyz;
        this.colour = colour;
        this.size = size;
        this.instance = instance;
        int[] n = new int[256];
        double[] sum = new double[3 * 256];
        for (int i = 0; i < instance.length; i++) {
            int id = instance[i] & 0xFF;
            n[id]++;
            for (int a = 0; a < 3; a++) {
                sum[3 * id + a] += xyz[3 * i + a];
            }
        }
        for (int i = 0; i < centroid.length; i++) {
            centroid[i] = n[i / 3] == 0 ? Float.NaN : (float) (sum[i] / n[i / 3]);
        }
    }

    int count() {
        return instance.length;
    }

    boolean has(int id) {
        return !Float.isNaN(centroid[3 * id]);
    }

    /**
     * How far each instance of this snapshot moves until {@code other}: to the instance of the same id, else to the
     * nearest centroid within {@code reach}, else not at all.
     *
     * @return three floats per instance id
     */
    float[] displacementTo(DynamicSnapshot other, double reach) {
        float[] d = new float[3 * 256];
        for (int id = 1; id < 256; id++) {
            if (!has(id)) {
                continue;
            }
            int match = other.has(id) ? id : -1;
            double best = reach * reach;
            for (int o = 1; o < 256 && match != id; o++) {
                if (other.has(o)) {
                    double q = 0;
                    for (int a = 0; a < 3; a++) {
                        double e = other.centroid[3 * o + a] - centroid[3 * id + a];
                        q += e * e;
                    }
                    if (q < best) {
                        best = q;
                        match = o;
                    }
                }
            }
            if (match >= 0) {
                for (int a = 0; a < 3; a++) {
                    d[3 * id + a] = other.centroid[3 * match + a] - centroid[3 * id + a];
                }
            }
        }
        return d;
    }
}
