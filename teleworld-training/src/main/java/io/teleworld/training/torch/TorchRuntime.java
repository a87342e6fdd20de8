package io.teleworld.training.torch;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

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
    private final AtomicLong weightBytes = new AtomicLong();
    private final AtomicLong stateBytes = new AtomicLong();
    private final AtomicLong liveTensors = new AtomicLong();
    private final Set<TorchProgram> programs = new LinkedHashSet<>();
    private boolean closed;

    TorchRuntime(Device device, List<Device> known) {
        this.device = device;
        List<Device> ordered = new ArrayList<>(known);
        ordered.remove(device);
        ordered.add(0, device);
        this.devices = List.copyOf(ordered);
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
        return new MemoryFigures(weightBytes.get(), stateBytes.get(), liveTensors.get());
    }

    @Override
    public Program compile(Graph graph, Weights weights, Precision precision) {
        requireOpen();
        ProgramChecks.requirePrecision(name(), PRECISIONS, precision);
        ProgramChecks.requireWeights(graph, weights);
        TorchProgram program = new TorchProgram(this, graph, weights, device.id(), Arithmetic.of(precision));
        synchronized (this) {
            if (!closed) {
                programs.add(program);
                weightBytes.addAndGet(program.weightBytes());
                return program;
            }
        }
        program.close();
        throw new ResourceClosedException(toString(), null);
    }

    void forget(TorchProgram program) {
        synchronized (this) {
            if (programs.remove(program)) {
                weightBytes.addAndGet(-program.weightBytes());
            }
        }
    }

    void addStateBytes(long bytes) {
        stateBytes.addAndGet(bytes);
    }

    void addLiveTensors(int count) {
        liveTensors.addAndGet(count);
    }

    private synchronized void requireOpen() {
        if (closed) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    @Override
    public void close() {
        List<TorchProgram> open;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            open = new ArrayList<>(programs);
        }
        for (int i = open.size() - 1; i >= 0; i--) {
            open.get(i).close();
        }
    }

    @Override
    public String toString() {
        return "runtime " + TorchRuntimeProvider.NAME + " on " + device.id();
    }
}
