package io.teleworld.testkit;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The oracle that every other runtime must agree with: a plain-Java interpreter that is slow and obvious. It computes
 * each operator in double precision and rounds the result to the value's element type. Thread-safe; it uses the calling
 * thread.
 */
public final class ReferenceRuntime implements TensorRuntime {

    /** The provider's name. */
    public static final String NAME = "reference";

    static final Device DEVICE = new Device(Device.CPU, "the calling thread", -1);

    private final Set<Class<? extends Op>> operators;
    private final Set<ReferenceProgram> programs = new HashSet<>();
    private boolean closed;

    final AtomicLong weightBytes = new AtomicLong();
    final AtomicLong stateBytes = new AtomicLong();
    final AtomicLong liveTensors = new AtomicLong();

    /** A runtime that runs every operator, composites too, with a kernel of its own. */
    public ReferenceRuntime() {
        this(false);
    }

    /**
     * Chooses how composites run.
     *
     * @param expandComposites whether composites run through their default expansion instead of a kernel
     */
    public ReferenceRuntime(boolean expandComposites) {
        Set<Class<? extends Op>> ops = new HashSet<>(Kernels.all().keySet());
        ops.add(Op.ReadState.class);
        ops.add(Op.WriteState.class);
        if (expandComposites) {
            ops.removeIf(Op.Composite.class::isAssignableFrom);
        }
        this.operators = Set.copyOf(ops);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public List<Device> devices() {
        return List.of(DEVICE);
    }

    @Override
    public Set<Class<? extends Op>> operators() {
        return operators;
    }

    @Override
    public Set<Precision> precisions() {
        return Set.of(Precision.FP32);
    }

    @Override
    public MemoryFigures memory() {
        return new MemoryFigures(weightBytes.get(), stateBytes.get(), liveTensors.get());
    }

    @Override
    public synchronized Program compile(Graph graph, Weights weights, Precision precision) {
        if (closed) {
            throw new ResourceClosedException("runtime " + NAME, null);
        }
        ProgramChecks.requirePrecision(NAME, precisions(), precision);
        Graph lowered = ProgramChecks.lower(graph, NAME, operators);
        ProgramChecks.requireWeights(graph, weights);
        for (Node n : lowered.nodes()) {
            for (Value v : n.outputs()) {
                if (v.dtype() == DType.F8_E4M3) {
                    throw new TeleWorldException(
                            TeleWorldException.Category.BACKEND,
                            "runtime " + NAME + " cannot make F8_E4M3, which " + n.name() + " asks for");
                }
            }
        }
        ReferenceProgram p = new ReferenceProgram(this, graph, lowered, weights);
        programs.add(p);
        return p;
    }

    synchronized void forget(ReferenceProgram p) {
        programs.remove(p);
    }

    @Override
    public void close() {
        Set<ReferenceProgram> open;
        synchronized (this) {
            closed = true;
            open = Set.copyOf(programs);
        }
        open.forEach(ReferenceProgram::close);
    }
}
