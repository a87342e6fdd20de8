package io.teleworld.djl;

import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.JniUtils;
import io.teleworld.graph.Constant;
import io.teleworld.graph.Graph;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.AbstractProgram;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.runtime.support.TensorProgramState;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A graph as a TorchScript module, with its weights on the device in the forms that the module takes. */
final class DjlProgram extends AbstractProgram<TensorProgramState<PtNDArray>> {

    private final DjlToolbox toolbox;
    private final TorchScriptLowering.Script script;
    /** Owns the module and the weights. */
    private final PtNDManager manager;

    private final PtSymbolBlock block;
    private final List<IValue> weights = new ArrayList<>();
    private long weightBytes;

    /** Compiles; takes the manager over. */
    DjlProgram(
            RuntimeLedger ledger,
            DjlToolbox toolbox,
            PtNDManager manager,
            Graph graph,
            Weights source,
            Precision precision) {
        super(graph, ledger);
        this.toolbox = toolbox;
        this.manager = manager;
        boolean cpu = !manager.getDevice().isGpu();
        this.script = TorchScriptLowering.lower(graph, precision, cpu);
        this.block = DjlToolbox.module(manager, script.source());
        load(source, TorchScriptLowering.narrowType(precision));
    }

    // ------------------------------------------------------------------------------------------ weights

    private void load(Weights source, int narrow) {
        Map<Value, HostTensor> tensors = new HashMap<>();
        graph().parameters().forEach((name, v) -> tensors.put(v, source.get(name)));
        for (Map.Entry<Value, Constant> e : graph().constants().entrySet()) {
            tensors.put(e.getKey(), e.getValue().tensor());
        }
        PtNDArray[] plain = script.tensors().stream()
                .map(use -> prepare(use, tensors, narrow))
                .toArray(PtNDArray[]::new);
        weights.add(IValue.listFrom(plain));
        if (!script.packed().isEmpty()) {
            weights.add(pack(tensors));
        }
    }

    private PtNDArray prepare(WeightUse use, Map<Value, HostTensor> tensors, int narrow) {
        HostTensor t = tensor(tensors, use.value());
        boolean plain = use.form() == WeightUse.Form.PLAIN || narrow == 0;
        PtNDArray array = toolbox.load(t, plain ? TorchTypes.code(use.value().dtype()) : narrow);
        if (use.form() == WeightUse.Form.KERNEL && t.shape().length == 4) {
            PtNDArray ordered = toolbox.kernel(array);
            array.close();
            array = ordered;
        }
        array.attach(manager);
        weightBytes += t.elementCount() * (plain ? use.value().dtype().byteSize() : 2);
        return array;
    }

    private IValue pack(Map<Value, HostTensor> tensors) {
        IValue list = toolbox.nothingPacked();
        for (WeightUse use : script.packed()) {
            HostTensor t = tensor(tensors, use.value());
            PtNDArray weight = toolbox.load(t, TorchTypes.F32);
            Value bias = use.bias();
            @Nullable PtNDArray b = bias == null ? null : toolbox.load(tensor(tensors, bias), TorchTypes.F32);
            toolbox.pack(list, weight, b);
            weight.close();
            if (b != null) {
                b.close();
            }
            weightBytes += t.elementCount() + t.shape()[0] * 8;
        }
        return list;
    }

    private static HostTensor tensor(Map<Value, HostTensor> tensors, Value v) {
        HostTensor t = tensors.get(v);
        if (t == null) {
            throw new IllegalStateException("no weight for " + v);
        }
        return t;
    }

    long weightBytes() {
        return weightBytes;
    }

    // ------------------------------------------------------------------------------------------ running

    @Override
    protected TensorProgramState<PtNDArray> createState() {
        return new TensorProgramState<>(this, ledger(), toolbox);
    }

    @Override
    protected Map<String, ? extends Tensor> execute(
            Map<String, ? extends Tensor> inputs,
            @Nullable TensorProgramState<PtNDArray> state,
            RunOptions options,
            Map<String, Long> symbols) {
        return DjlEngine.call("running graph " + graph().name(), () -> {
            try (PtNDManager run = manager.newSubManager(manager.getDevice());
                    TensorProgramState<PtNDArray>.@Nullable Transaction change =
                            state == null ? null : state.begin(options)) {
                PtNDArray[] results = forward(run, inputs, change, symbols);
                Map<String, DjlResult> out = new LinkedHashMap<>();
                for (int i = 0; i < script.outputs().size(); i++) {
                    String name = script.outputs().get(i);
                    Value v = output(name);
                    out.put(name, new DjlResult(ledger(), v.dtype(), v.shape().evaluate(symbols), results[i]));
                }
                if (change != null) {
                    try {
                        commit(change, results);
                    } catch (RuntimeException e) {
                        out.values().forEach(DjlResult::close);
                        throw e;
                    }
                }
                return out;
            }
        });
    }

    private void commit(TensorProgramState<PtNDArray>.Transaction change, PtNDArray[] results) {
        for (int i = 0; i < script.writes().size(); i++) {
            change.write(script.writes().get(i), results[script.outputs().size() + i]);
        }
        change.commit();
    }

    private PtNDArray[] forward(
            PtNDManager run,
            Map<String, ? extends Tensor> inputs,
            TensorProgramState<PtNDArray>.@Nullable Transaction change,
            Map<String, Long> symbols) {
        List<PtNDArray> x = new ArrayList<>();
        for (String name : script.inputs()) {
            Tensor t = inputs.get(name);
            if (t == null) {
                throw new IllegalArgumentException("input " + name + " is missing");
            }
            x.add(input(run, t));
        }
        List<PtNDArray> s = new ArrayList<>();
        for (State read : script.reads()) {
            if (change == null) {
                throw new IllegalStateException("no state " + read.name());
            }
            s.add(change.read(read));
        }
        long[] d = script.extents().stream().mapToLong(e -> e.evaluate(symbols)).toArray();
        try (Arguments arguments = new Arguments()) {
            arguments.addOwn(IValue.listFrom(x.toArray(PtNDArray[]::new)));
            arguments.addOwn(IValue.listFrom(s.toArray(PtNDArray[]::new)));
            weights.forEach(arguments::add);
            arguments.addOwn(IValue.listFrom(d));
            // For this thread: profiling and specialising would make the first runs slow, and runs differ from each
            // other.
            JniUtils.setGraphExecutorOptimize(false);
            IValue result = block.forward(arguments.all());
            try {
                return result.toTensorArray(run);
            } finally {
                result.close();
            }
        }
    }

    private PtNDArray input(PtNDManager run, Tensor t) {
        if (t instanceof DjlResult r) {
            PtNDArray a = r.array();
            if (a.getDevice().equals(manager.getDevice())) {
                return a;
            }
        }
        return DjlToolbox.wrap(run, t);
    }

    /** The values that a call passes; closing frees those that belong to it alone. */
    private static final class Arguments implements AutoCloseable {

        private final List<IValue> all = new ArrayList<>();
        private final List<IValue> own = new ArrayList<>();

        void add(IValue v) {
            all.add(v);
        }

        void addOwn(IValue v) {
            own.add(v);
            all.add(v);
        }

        IValue[] all() {
            return all.toArray(IValue[]::new);
        }

        @Override
        public void close() {
            own.forEach(IValue::close);
        }
    }

    private Value output(String name) {
        Value v = graph().outputs().get(name);
        if (v == null) {
            throw new IllegalStateException("no output " + name);
        }
        return v;
    }

    @Override
    protected void release() {
        weights.forEach(IValue::close);
        block.close();
        manager.close();
    }

    @Override
    public String toString() {
        return super.toString() + " on DJL";
    }
}
