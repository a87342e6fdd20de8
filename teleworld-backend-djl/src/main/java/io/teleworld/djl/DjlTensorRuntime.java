package io.teleworld.djl;

import ai.djl.pytorch.engine.PtNDManager;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.RuntimeLedger;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** DJL's PyTorch engine on one device; see {@link TorchScriptLowering} for what becomes of a graph. */
final class DjlTensorRuntime implements TensorRuntime {

    private static final Set<Class<? extends Op>> OPERATORS = Set.copyOf(Op.all());
    private static final Set<Precision> PRECISIONS = Collections.unmodifiableSet(
            EnumSet.of(Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8_LINEAR, Precision.INT8));

    /** Packed int8 products exist for host processors only. */
    private static final Set<Precision> CUDA_PRECISIONS =
            Collections.unmodifiableSet(EnumSet.of(Precision.FP32, Precision.FP16, Precision.BF16));

    private final List<Device> devices;
    private final Set<Precision> precisions;
    private final RuntimeLedger ledger;
    private final PtNDManager root;
    private final DjlToolbox toolbox;

    /**
     * An open runtime.
     *
     * @param devices what there is, the one that it computes on first
     * @param root on that device; taken over
     */
    DjlTensorRuntime(List<Device> devices, PtNDManager root) {
        this.devices = List.copyOf(devices);
        this.precisions = root.getDevice().isGpu() ? CUDA_PRECISIONS : PRECISIONS;
        this.root = root;
        this.ledger = new RuntimeLedger(toString());
        this.toolbox = new DjlToolbox(root.newSubManager(root.getDevice()));
    }

    @Override
    public String name() {
        return DjlRuntimeProvider.NAME;
    }

    @Override
    public List<Device> devices() {
        return devices;
    }

    @Override
    public Set<Class<? extends Op>> operators() {
        return OPERATORS;
    }

    @Override
    public Set<Precision> precisions() {
        return precisions;
    }

    @Override
    public MemoryFigures memory() {
        return ledger.memory();
    }

    @Override
    public Program compile(Graph graph, Weights weights, Precision precision) {
        ledger.requireOpen();
        ProgramChecks.requirePrecision(name(), precisions, precision);
        ProgramChecks.requireWeights(graph, weights);
        Graph lowered = graph.expand(op -> !(op instanceof Op.WindowAttention));
        PtNDManager own = root.newSubManager(root.getDevice());
        try {
            DjlProgram program = DjlEngine.call(
                    "compiling graph " + graph.name(),
                    () -> new DjlProgram(ledger, toolbox, own, lowered, weights, precision));
            return ledger.add(program, program.weightBytes());
        } catch (RuntimeException e) {
            own.close();
            throw e;
        }
    }

    @Override
    public void close() {
        ledger.close();
        // States that outlive the runtime can still be copied, which needs the toolbox; results need nothing.
        if (ledger.memory().stateBytes() == 0) {
            toolbox.close();
            root.close();
        }
    }

    @Override
    public String toString() {
        return "runtime " + DjlRuntimeProvider.NAME + " on " + devices.get(0).id();
    }
}
