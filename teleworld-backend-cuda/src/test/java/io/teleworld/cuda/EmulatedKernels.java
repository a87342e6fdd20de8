package io.teleworld.cuda;

import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.cuda.kernel.KernelLaunch;
import io.teleworld.cuda.plan.KernelSource;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.TensorType;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import io.teleworld.testkit.ReferenceRuntime;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One "kernel" per operator, computed by the reference interpreter in the recording driver's memory. So everything around
 * the kernels is run for real: liveness, layout, views, copies, state slots, captured graphs.
 */
final class EmulatedKernels implements KernelSource {

    private final RecordingDriver driver;
    private final Set<Class<? extends Op>> lacking;
    private final AtomicInteger count = new AtomicInteger();

    EmulatedKernels(RecordingDriver driver, Set<Class<? extends Op>> lacking) {
        this.driver = driver;
        this.lacking = lacking;
    }

    @Override
    public boolean supports(Class<? extends Op> op) {
        return !lacking.contains(op);
    }

    @Override
    public List<KernelLaunch> launches(
            Op op,
            List<TensorType> inputs,
            List<TensorType> outputs,
            List<Integer> inputBuffers,
            List<Integer> outputBuffers) {
        String name = op.name() + "_" + count.getAndIncrement();
        List<KernelLaunch.Argument> arguments = new ArrayList<>();
        inputBuffers.forEach(b -> arguments.add(new KernelLaunch.Buffer(b, 0)));
        outputBuffers.forEach(b -> arguments.add(new KernelLaunch.Buffer(b, 0)));
        driver.define(name, (d, values) -> compute(d, op, inputs, outputs, values));
        return List.of(new KernelLaunch(name, 1, 1, 1, 32, 1, 1, 0, arguments));
    }

    @Override
    public List<KernelLaunch> quantise(TensorType x, int from, int codes, int scales) {
        String name = "Quantise_" + count.getAndIncrement();
        driver.define(name, (d, at) -> {
            HostTensor copy = HostTensor.zeros(x.dtype(), x.shape().known());
            ByteBuffer to = copy.mutableBuffer();
            to.put(0, d.view(at.get(0).longValue(), to.capacity()), 0, to.capacity());
            quantise(d, widen(copy), at.get(1).longValue(), at.get(2).longValue());
        });
        return List.of(launch(name, List.of(from, codes, scales)));
    }

    @Override
    public List<KernelLaunch> quantised(
            Op op, List<TensorType> inputs, List<Integer> inputBuffers, int codes, int scales) {
        if (!(op instanceof Op.ModulatedLayerNorm)) {
            return List.of();
        }
        String name = "Quantised" + op.name() + "_" + count.getAndIncrement();
        driver.define(name, (d, at) -> {
            List<Number> all = List.copyOf(at);
            Tensor y = results(d, op, inputs, all).get(0);
            quantise(
                    d,
                    HostTensor.ofFloats(y.toFloatArray(), y.shape()),
                    all.get(inputs.size()).longValue(),
                    all.get(inputs.size() + 1).longValue());
        });
        List<Integer> buffers = new ArrayList<>(inputBuffers);
        buffers.add(codes);
        buffers.add(scales);
        return List.of(launch(name, buffers));
    }

    private static KernelLaunch launch(String name, List<Integer> buffers) {
        List<KernelLaunch.Argument> arguments = new ArrayList<>();
        buffers.forEach(b -> arguments.add(new KernelLaunch.Buffer(b, 0)));
        return new KernelLaunch(name, 1, 1, 1, 32, 1, 1, 0, arguments);
    }

    private static void quantise(RecordingDriver d, HostTensor x, long codes, long scales) {
        float[] values = x.toFloatArray();
        int width = Math.toIntExact(x.shape()[x.shape().length - 1]);
        byte[] row = new byte[width];
        for (int r = 0; r < values.length / width; r++) {
            float scale = RowQuantisation.quantise(Arrays.copyOfRange(values, r * width, (r + 1) * width), row);
            d.view(codes + (long) r * width, width).put(0, row);
            d.view(scales + 4L * r, 4).putFloat(0, scale);
        }
    }

    private static void compute(
            RecordingDriver d,
            Op op,
            List<TensorType> inputs,
            List<TensorType> outputs,
            List<? extends Number> addresses) {
        List<Tensor> results = results(d, op, inputs, addresses);
        for (int i = 0; i < outputs.size(); i++) {
            Tensor result = results.get(i);
            DType stored = outputs.get(i).dtype();
            long address = addresses.get(inputs.size() + i).longValue();
            ByteBuffer from = result.hostBuffer();
            if (result.dtype() == stored) {
                d.view(address, from.capacity()).put(0, from, 0, from.capacity());
            } else {
                long bytes = result.elementCount() * stored.byteSize();
                store(d.view(address, bytes), stored, widen(result).toFloatArray());
            }
        }
    }

    /** What the reference interpreter gives, copied. */
    private static List<Tensor> results(
            RecordingDriver d, Op op, List<TensorType> inputs, List<? extends Number> addresses) {
        GraphBuilder b = new GraphBuilder("kernel");
        List<Value> in = new ArrayList<>();
        Map<String, HostTensor> given = new LinkedHashMap<>();
        for (int i = 0; i < inputs.size(); i++) {
            TensorType t = inputs.get(i);
            HostTensor copy = HostTensor.zeros(t.dtype(), t.shape().known());
            ByteBuffer to = copy.mutableBuffer();
            to.put(0, d.view(addresses.get(i).longValue(), to.capacity()), 0, to.capacity());
            // As in the kernels, arithmetic is in F32 whatever the storage.
            HostTensor wide = t.dtype() == DType.BF16 || t.dtype() == DType.F16 ? widen(copy) : copy;
            in.add(b.input("x" + i, wide.dtype(), t.shape()));
            given.put("x" + i, wide);
        }
        List<Value> out = b.apply(op, in);
        for (int i = 0; i < out.size(); i++) {
            b.output("y" + i, out.get(i));
        }
        try (ReferenceRuntime reference = new ReferenceRuntime();
                Program p = reference.compile(b.build(), Weights.of(Map.of()), Precision.FP32);
                Scope scope = Scope.root("kernel")) {
            Map<String, Tensor> results = p.run(given, p.newState(scope), RunOptions.DEFAULT, scope);
            List<Tensor> copies = new ArrayList<>();
            for (int i = 0; i < out.size(); i++) {
                Tensor result = results.get("y" + i);
                HostTensor copy = HostTensor.zeros(result.dtype(), result.shape());
                ByteBuffer to = copy.mutableBuffer();
                to.put(0, result.hostBuffer(), 0, to.capacity());
                copies.add(copy);
            }
            return copies;
        }
    }

    private static HostTensor widen(Tensor t) {
        ByteBuffer b = t.hostBuffer();
        float[] values = new float[Math.toIntExact(t.elementCount())];
        for (int i = 0; i < values.length; i++) {
            switch (t.dtype()) {
                case F32 -> values[i] = b.getFloat(4 * i);
                case BF16 -> values[i] = FloatFormats.bf16ToFloat(b.getShort(2 * i));
                case F16 -> values[i] = FloatFormats.f16ToFloat(b.getShort(2 * i));
                default -> throw new IllegalStateException("arithmetic in " + t.dtype());
            }
        }
        return HostTensor.ofFloats(values, t.shape());
    }

    private static void store(ByteBuffer to, DType stored, float[] values) {
        for (int i = 0; i < values.length; i++) {
            switch (stored) {
                case BF16 -> to.putShort(2 * i, FloatFormats.floatToBf16(values[i]));
                case F16 -> to.putShort(2 * i, FloatFormats.floatToF16(values[i]));
                default -> throw new IllegalStateException("result of " + stored);
            }
        }
    }
}
