package io.teleworld.goldens;

import io.teleworld.tensor.HostTensor;
import java.util.Arrays;
import java.util.List;

/** Latents as flat arrays: rearrangements that the checks need. Stateless. */
final class Latents {

    private Latents() {}

    /** [outer,m,n,inner] to [outer,n,m,inner]. */
    static float[] swapped(float[] from, int outer, int m, int n) {
        int inner = from.length / (outer * m * n);
        float[] to = new float[from.length];
        for (int i = 0; i < outer; i++) {
            for (int j = 0; j < m; j++) {
                for (int k = 0; k < n; k++) {
                    System.arraycopy(from, ((i * m + j) * n + k) * inner, to, ((i * n + k) * m + j) * inner, inner);
                }
            }
        }
        return to;
    }

    /** Part {@code index} of {@code count} equal ones. */
    static float[] part(float[] all, int index, int count) {
        int size = all.length / count;
        return Arrays.copyOfRange(all, index * size, (index + 1) * size);
    }

    /** These of the equally long frames, in this order. */
    static float[] frames(float[] all, List<Integer> which, int frameSize) {
        float[] out = new float[which.size() * frameSize];
        for (int i = 0; i < which.size(); i++) {
            System.arraycopy(all, which.get(i) * frameSize, out, i * frameSize, frameSize);
        }
        return out;
    }

    static float[] concat(float[]... parts) {
        float[] out = new float[Arrays.stream(parts).mapToInt(p -> p.length).sum()];
        int at = 0;
        for (float[] p : parts) {
            System.arraycopy(p, 0, out, at, p.length);
            at += p.length;
        }
        return out;
    }

    static HostTensor positions(List<Integer> frames) {
        float[] p = new float[frames.size()];
        for (int i = 0; i < p.length; i++) {
            p[i] = frames.get(i);
        }
        return HostTensor.ofFloats(p, p.length);
    }

    static float[] filled(int n, double value) {
        float[] v = new float[n];
        Arrays.fill(v, (float) value);
        return v;
    }
}
