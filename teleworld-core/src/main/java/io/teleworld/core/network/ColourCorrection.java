package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.List;

/**
 * Gives enlarged pictures the colours of the small ones, frame by frame (FlashVSR, arXiv 2510.12747). Stateless.
 */
public final class ColourCorrection {

    /** What is taken over. */
    public enum Method {
        /** Nothing. */
        NONE,
        /** Mean and deviation of every channel of a frame. */
        STATISTICS,
        /** Everything but the details of the five finest scales. */
        WAVELET
    }

    private static final int LEVELS = 5;
    private static final double EPSILON = 1e-5;

    private ColourCorrection() {}

    /**
     * Inputs {@code frames} and {@code reference} [n,3,H,W] in [-1,1], output {@code frames} in [-1,1].
     *
     * @param method not NONE
     */
    public static Graph graph(Method method, int height, int width) {
        GraphBuilder b = new GraphBuilder("colour_correction");
        Dim n = Dim.symbol("n");
        Value x = b.input("frames", DType.F32, n, Dim.of(3), Dim.of(height), Dim.of(width));
        Value reference = b.input("reference", DType.F32, n, Dim.of(3), Dim.of(height), Dim.of(width));
        b.output("corrected", apply(b, method, x, reference));
        return b.build();
    }

    /** Corrects {@code x} by {@code reference}, both [n,3,H,W]; clipped to [-1,1] unless the method is NONE. */
    static Value apply(GraphBuilder b, Method method, Value x, Value reference) {
        return switch (method) {
            case NONE -> x;
            case STATISTICS -> b.clip(statistics(b, x, reference), -1, 1);
            case WAVELET -> b.clip(b.add(b.sub(x, coarse(b, x)), coarse(b, reference)), -1, 1);
        };
    }

    private static Value statistics(GraphBuilder b, Value x, Value reference) {
        Value mean = b.reduceMean(x, true, 2, 3);
        Value referenceMean = b.reduceMean(reference, true, 2, 3);
        Value normal = b.div(b.sub(x, mean), deviation(b, x, mean));
        return b.add(b.mul(normal, deviation(b, reference, referenceMean)), referenceMean);
    }

    private static Value deviation(GraphBuilder b, Value x, Value mean) {
        Value d = b.sub(x, mean);
        return b.sqrt(b.add(b.reduceMean(b.mul(d, d), true, 2, 3), b.scalar(EPSILON)));
    }

    /** What is left when the details of every level are taken away; the details add up to the difference. */
    private static Value coarse(GraphBuilder b, Value x) {
        float[] one = {0.0625f, 0.125f, 0.0625f, 0.125f, 0.25f, 0.125f, 0.0625f, 0.125f, 0.0625f};
        float[] kernel = new float[27];
        for (int c = 0; c < 3; c++) {
            System.arraycopy(one, 0, kernel, 9 * c, 9);
        }
        Value k = b.constant(kernel, 3, 1, 3, 3);
        for (int level = 0; level < LEVELS; level++) {
            int r = 1 << level;
            Value padded = b.pad(x, Op.PadMode.EDGE, 0, 0, r, r, 0, 0, r, r);
            x = b.conv(padded, k, null, List.of(1, 1), List.of(0, 0, 0, 0), List.of(r, r), 3);
        }
        return x;
    }
}
