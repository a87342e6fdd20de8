package io.teleworld.cuda;

import io.teleworld.cuda.plan.ElementTypes;
import io.teleworld.cuda.plan.KernelSource;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.PreparedSequence;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.RunSequence;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;

/** One CUDA device. Programs take turns on it. */
final class CudaTensorRuntime implements TensorRuntime {

    /** What a plan does without a kernel. */
    private static final Set<Class<? extends Op>> PLANNED =
            Set.of(Op.Reshape.class, Op.ReadState.class, Op.WriteState.class);

    private final List<Device> devices;
    private final CudaDevice device;
    private final KernelSource kernels;
    private final boolean products;
    private final Set<Class<? extends Op>> operators;
    private final Set<Precision> precisions;
    private final RuntimeLedger ledger;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * An open runtime.
     *
     * @param devices what there is, the one that it computes on first
     * @param device open; taken over
     * @param kernels of the device's module
     */
    CudaTensorRuntime(List<Device> devices, CudaDevice device, KernelSource kernels) {
        this.devices = List.copyOf(devices);
        this.device = device;
        this.kernels = kernels;
        this.products = device.driver().hasMatmul();
        this.operators = Op.all().stream()
                .filter(op -> PLANNED.contains(op)
                        || kernels.supports(op)
                        || (products && (op == Op.MatMul.class || op == Op.Linear.class)))
                .collect(Collectors.toUnmodifiableSet());
        EnumSet<Precision> p = EnumSet.of(Precision.FP32);
        if (products && kernels.supports(Op.Cast.class)) {
            p.add(Precision.FP16);
            p.add(Precision.BF16);
            // Factors per row and channel need tensor cores of compute capability 9.0.
            if (device.properties().computeMajor() >= 9) {
                p.add(Precision.FP8_LINEAR);
            }
        }
        this.precisions = Collections.unmodifiableSet(p);
        this.ledger = new RuntimeLedger(toString());
    }

    @Override
    public String name() {
        return CudaRuntimeProvider.NAME;
    }

    @Override
    public List<Device> devices() {
        return devices;
    }

    @Override
    public Set<Class<? extends Op>> operators() {
        return operators;
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
        Graph lowered = ProgramChecks.lower(graph, name(), operators);
        CudaProgram program =
                new CudaProgram(device, ledger, graph, lowered, weights, kernels, products, types(lowered, precision));
        return ledger.add(program, program.weightBytes());
    }

    /** All runs become one captured graph; results stay on the device in between. */
    @Override
    public PreparedSequence prepare(RunSequence sequence, Scope scope) {
        ledger.requireOpen();
        return scope.adopt(new CudaSequence(device, ledger, sequence));
    }

    private static ElementTypes types(Graph lowered, Precision precision) {
        return switch (precision) {
            case FP32 -> ElementTypes.of(lowered, DType.F32);
            case FP16 -> ElementTypes.of(lowered, DType.F16);
            case BF16 -> ElementTypes.of(lowered, DType.BF16);
            case FP8_LINEAR -> ElementTypes.fp8(lowered);
            case INT8_LINEAR, INT8 ->
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND, "runtime cuda cannot compute in " + precision);
        };
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            ledger.close();
            device.release();
        }
    }

    /** The devices with one of them first. */
    static List<Device> ordered(List<Device> all, Device first) {
        List<Device> out = new ArrayList<>(all);
        out.remove(first);
        out.add(0, first);
        return out;
    }

    @Override
    public String toString() {
        return "runtime " + CudaRuntimeProvider.NAME + " on " + devices.get(0).id();
    }
}
