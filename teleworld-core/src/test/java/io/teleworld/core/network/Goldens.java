package io.teleworld.core.network;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.core.weights.Safetensors;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import io.teleworld.testkit.ReferenceRuntime;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Reading of golden files and comparison with them. */
final class Goldens {

    private Goldens() {}

    static Safetensors open(String name) throws IOException {
        try (InputStream in = Goldens.class.getResourceAsStream("/goldens/" + name + ".safetensors")) {
            return Safetensors.of(name, Objects.requireNonNull(in, name).readAllBytes());
        }
    }

    static Weights weights(Safetensors file, String prefix) {
        Map<String, HostTensor> w = new HashMap<>();
        for (String n : file.names()) {
            if (n.startsWith(prefix)) {
                w.put(n.substring(prefix.length()), file.tensor(n));
            }
        }
        return Weights.of(w);
    }

    static Program compile(Graph graph, Weights weights) {
        return new ReferenceRuntime().compile(graph, weights, Precision.FP32);
    }

    /** The tiny transformer of the golden files. */
    static VideoTransformerConfig tiny(int inChannels, @Nullable Integer imageDim, int textLen) {
        return new VideoTransformerConfig(
                List.of(1, 2, 2),
                2,
                12,
                inChannels,
                16,
                16,
                256,
                32,
                2,
                true,
                VideoTransformerConfig.RMS_ACROSS_HEADS,
                1e-6,
                imageDim,
                imageDim == null ? null : 24,
                1024,
                null,
                textLen,
                0);
    }

    /** Swaps axes 1 and 2 of [B,F,C,h,w]. */
    static HostTensor swapped(Tensor t) {
        long[] s = t.shape();
        int b = (int) s[0];
        int m = (int) s[1];
        int n = (int) s[2];
        int area = (int) (s[3] * s[4]);
        float[] from = t.toFloatArray();
        float[] to = new float[from.length];
        for (int i = 0; i < b; i++) {
            for (int j = 0; j < m; j++) {
                for (int k = 0; k < n; k++) {
                    System.arraycopy(from, ((i * m + j) * n + k) * area, to, ((i * n + k) * m + j) * area, area);
                }
            }
        }
        return HostTensor.ofFloats(to, s[0], s[2], s[1], s[3], s[4]);
    }

    static HostTensor positions(int... frames) {
        float[] p = new float[frames.length];
        for (int i = 0; i < p.length; i++) {
            p[i] = frames[i];
        }
        return HostTensor.ofFloats(p, p.length);
    }

    static HostTensor timesteps(int frames, double t) {
        float[] v = new float[frames];
        java.util.Arrays.fill(v, (float) t);
        return HostTensor.ofFloats(v, 1, frames);
    }

    /** Largest difference relative to the largest expected magnitude. */
    static void assertMaxRel(String what, float[] actual, float[] expected, double limit) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < actual.length; i++) {
            difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
            largest = Math.max(largest, Math.abs(expected[i]));
        }
        assertThat(difference / largest).as(what).isLessThan(limit);
    }
}
