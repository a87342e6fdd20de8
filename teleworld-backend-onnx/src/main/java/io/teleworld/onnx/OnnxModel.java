package io.teleworld.onnx;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.ByteString;
import io.teleworld.graph.Shape;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A lowered graph: the ONNX model without its initializers, these apart so that large ones never sit in one heap array,
 * and the ONNX names of what a run passes in and out. Immutable.
 *
 * @param skeleton everything but the initializers
 * @param initializers weights and constants
 * @param inputs ONNX name by graph input
 * @param outputs ONNX name by graph output
 * @param stateInputs ONNX name by state that is read
 * @param stateOutputs ONNX name by state that is written
 */
record OnnxModel(
        ModelProto skeleton,
        List<Initializer> initializers,
        Map<String, String> inputs,
        Map<String, String> outputs,
        Map<String, String> stateInputs,
        Map<String, String> stateOutputs) {

    /** Above this many bytes of weights an exported file keeps them apart, because one protobuf message ends at 2 GiB. */
    static final long INLINE_LIMIT = 1_500_000_000L;

    /** Above this many a session reads them from a temporary file: a message is on the heap twice while it is passed. */
    static final long MESSAGE_LIMIT = 256L << 20;

    /** Smaller tensors stay in the model file even if the weights are apart, so that shape constants are read there. */
    private static final long EXTERNAL_MINIMUM = 1024;

    /** Offsets in the data file are multiples of this, so that readers can map it. */
    private static final int EXTERNAL_ALIGNMENT = 4096;

    /**
     * @param name ONNX name
     * @param type number of the ONNX element type
     * @param shape without symbols
     * @param bytes size of the data
     * @param data makes the little-endian elements anew at each call
     */
    record Initializer(String name, int type, Shape shape, long bytes, Supplier<ByteBuffer> data) {

        private TensorProto.Builder header() {
            TensorProto.Builder t = TensorProto.newBuilder().setName(name).setDataType(type);
            for (long d : shape.known()) {
                t.addDims(d);
            }
            return t;
        }
    }

    OnnxModel {
        initializers = List.copyOf(initializers);
    }

    /** What a run needs, so that a program does not keep the files of its weights open or their copies alive. */
    OnnxModel withoutWeights() {
        ModelProto empty = ModelProto.getDefaultInstance();
        return new OnnxModel(empty, List.of(), inputs, outputs, stateInputs, stateOutputs);
    }

    long initializerBytes() {
        return initializers.stream().mapToLong(Initializer::bytes).sum();
    }

    /** The whole model as one message; for at most {@link #INLINE_LIMIT} bytes of weights. */
    ModelProto inline() {
        ModelProto.Builder m = skeleton.toBuilder();
        for (Initializer i : initializers) {
            m.getGraphBuilder()
                    .addInitializer(
                            i.header().setRawData(ByteString.copyFrom(i.data().get())));
        }
        return m.build();
    }

    /** Writes one file, or, above {@code inlineLimit} bytes of weights, a second one {@code <file>.data} beside it. */
    void write(Path file, long inlineLimit) throws IOException {
        ModelProto whole = initializerBytes() <= inlineLimit ? inline() : withDataFile(file);
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
            whole.writeTo(out);
        }
    }

    private ModelProto withDataFile(Path file) throws IOException {
        String location = file.getFileName() + ".data";
        ModelProto.Builder m = skeleton.toBuilder();
        try (FileChannel out = FileChannel.open(
                file.resolveSibling(location),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            long offset = 0;
            for (Initializer i : initializers) {
                TensorProto.Builder t = i.header();
                ByteBuffer data = i.data().get();
                if (i.bytes() < EXTERNAL_MINIMUM) {
                    t.setRawData(ByteString.copyFrom(data));
                } else {
                    offset = (offset + EXTERNAL_ALIGNMENT - 1) / EXTERNAL_ALIGNMENT * EXTERNAL_ALIGNMENT;
                    long at = offset;
                    while (data.hasRemaining()) {
                        at += out.write(data, at);
                    }
                    t.setDataLocation(TensorProto.DataLocation.EXTERNAL)
                            .addExternalData(entry("location", location))
                            .addExternalData(entry("offset", Long.toString(offset)))
                            .addExternalData(entry("length", Long.toString(i.bytes())));
                    offset = at;
                }
                m.getGraphBuilder().addInitializer(t);
            }
        }
        return m.build();
    }

    private static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }
}
