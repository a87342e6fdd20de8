package io.teleworld.training.torch;

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
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Runs graphs on LibTorch without recording, one operator after the other; {@link TorchModule} is its counterpart for
 * training.
 */
final class TorchRuntime implements TensorRuntime {

    private static final Set<Precision> PRECISIONS =
            Collections.unmodifiableSet(EnumSet.of(Precision.FP32, Precision.BF16));
    private static final Set<Class<? extends Op>> OPERATORS = Set.copyOf(Op.all());

    private final Device device;
    private final List<Device> devices;
    private final RuntimeLedger ledger;

    TorchRuntime(Device device, List<Device> known) {
        this.device = device;
        List<Device> ordered = new ArrayList<>(known);
        ordered.remove(device);
        ordered.add(0, device);
        this.devices = List.copyOf(ordered);
        this.ledger = new RuntimeLedger(toString());
    }

    @Override
    public String name() {
        return TorchRuntimeProvider.NAME;
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
        return PRECISIONS;
    }

    @Override
    public MemoryFigures memory() {
        return ledger.memory();
    }

    @Override
    public Program compile(Graph graph, Weights weights, Precision precision) {
        ledger.requireOpen();
        ProgramChecks.requirePrecision(name(), PRECISIONS, precision);
        ProgramChecks.requireWeights(graph, weights);
        TorchProgram program =
                new TorchProgram(ledger, Lowering.expanded(graph), weights, device.id(), Arithmetic.of(precision));
        return ledger.add(program, program.weightBytes());
    }

    @Override
    public void close() {
        ledger.close();
    }

    @Override
    public String toString() {
        return "runtime " + TorchRuntimeProvider.NAME + " on " + device.id();
    }
}
