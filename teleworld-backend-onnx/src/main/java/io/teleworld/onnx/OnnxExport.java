package io.teleworld.onnx;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;

/** Writes graphs as ONNX files for Netron and other tools. Stateless and thread-safe; needs no native library. */
public final class OnnxExport {

    private OnnxExport() {}

    /**
     * Writes a graph with its weights as an ONNX model of opset 23, exactly as the runtime runs it. States become inputs
     * {@code state/<name>} and outputs {@code next_state/<name>}; symbolic extents keep their names. More than 1.5 GB of
     * weights go to a second file {@code <file>.data} beside it.
     *
     * @param graph what to write
     * @param weights one tensor per parameter
     * @param precision {@link Precision#FP32}, or {@link Precision#INT8_LINEAR} or {@link Precision#INT8}, which use
     *     Microsoft's MatMulIntegerToFloat
     * @param file is replaced if it exists; its folder must exist
     * @throws TeleWorldException of category USER if a weight is missing or has another shape, of category BACKEND if
     *     the precision cannot be written, of category RESOURCE if the file cannot be
     */
    public static void write(Graph graph, Weights weights, Precision precision, Path file) {
        write(graph, weights, precision, file, OnnxModel.INLINE_LIMIT);
    }

    static void write(Graph graph, Weights weights, Precision precision, Path file, long inlineLimit) {
        ProgramChecks.requirePrecision(
                OnnxRuntimeProvider.NAME, EnumSet.of(Precision.FP32, Precision.INT8_LINEAR, Precision.INT8), precision);
        ProgramChecks.requireWeights(graph, weights);
        OnnxModel model = OnnxLowering.lower(graph, weights, precision);
        try {
            model.write(file, inlineLimit);
        } catch (IOException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.RESOURCE, "cannot write " + file + ": " + e.getMessage(), e);
        }
    }
}
