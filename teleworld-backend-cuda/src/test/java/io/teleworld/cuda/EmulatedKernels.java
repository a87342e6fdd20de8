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
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import io.teleworld.testkit.ReferenceRuntime;
import java.nio.ByteBuffer;
import java.util.ArrayList;
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

    private static void compute(
            RecordingDriver d,
            Op op,
            List<TensorType> inputs,
            List<TensorType> outputs,
            List<? extends Number> addresses) {
        GraphBuilder b = new GraphBuilder("kernel");
        List<Value> in = new ArrayList<>();
        Map<String, HostTensor> given = new LinkedHashMap<>();
        for (int i = 0; i < inputs.size(); i++) {
            TensorType t = inputs.get(i);
            in.add(b.input("x" + i, t.dtype(), t.shape()));
            HostTensor copy = HostTensor.zeros(t.dtype(), t.shape().known());
            ByteBuffer to = copy.mutableBuffer();
            to.put(0, d.view(addresses.get(i).longValue(), to.capacity()), 0, to.capacity());
            given.put("x" + i, copy);
        }
        List<Value> out = b.apply(op, in);
        for (int i = 0; i < out.size(); i++) {
            b.output("y" + i, out.get(i));
        }
        try (ReferenceRuntime reference = new ReferenceRuntime();
                Program p = reference.compile(b.build(), Weights.of(Map.of()), Precision.FP32);
                Scope scope = Scope.root("kernel")) {
            Map<String, Tensor> results = p.run(given, p.newState(scope), RunOptions.DEFAULT, scope);
            for (int i = 0; i < out.size(); i++) {
                ByteBuffer from = results.get("y" + i).hostBuffer();
                long address = addresses.get(inputs.size() + i).longValue();
                d.view(address, from.capacity()).put(0, from, 0, from.capacity());
            }
        }
    }
}
