package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver.MatmulShape;
import io.teleworld.cuda.plan.StaticPlan;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Program;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Device time of a program's steps by class. While one is attached, runs are not replayed as captured graphs: every step
 * is launched by itself between two events, so gaps between launches are not counted, but small kernels seem slower than
 * they are in a captured graph. Results and states are those of ordinary runs. Thread-safe.
 */
public final class CudaProfiler implements AutoCloseable {

    /** What a step does. */
    public enum Kind {
        /** Matrix products of linear layers and others. */
        PRODUCT,
        /** Attention, norm of its operands not included. */
        ATTENTION,
        /** Convolutions and memory blocks. */
        CONVOLUTION,
        /** Norms, activations and sums. */
        ELEMENTWISE,
        /** Reading and writing of states. */
        STATE,
        /** Copies, casts and changes of layout. */
        COPY
    }

    /**
     * A sum over steps. Immutable.
     *
     * @param steps how many
     * @param millis device time between events
     * @param flops floating-point operations of products, attention and convolutions, a multiply-add being two
     * @param bytes what was read and written at least, each buffer once per step
     * @param fastest the highest rate of one step in operations per second; 0 where none are counted
     */
    public record Sum(long steps, double millis, double flops, double bytes, double fastest) {

        private static final Sum NOTHING = new Sum(0, 0, 0, 0, 0);

        private Sum plus(double ms, double moreFlops, double moreBytes) {
            return new Sum(
                    steps + 1,
                    millis + ms,
                    flops + moreFlops,
                    bytes + moreBytes,
                    Math.max(fastest, ms > 0 ? moreFlops / ms * 1e3 : 0));
        }
    }

    private final CudaProgram program;
    private final Map<Kind, Sum> sums = new EnumMap<>(Kind.class);

    private CudaProfiler(CudaProgram program) {
        this.program = program;
    }

    /** Attaches to a program of this runtime, in the place of an earlier one; nothing for other runtimes' programs. */
    public static Optional<CudaProfiler> attach(Program program) {
        if (program instanceof CudaProgram own) {
            CudaProfiler p = new CudaProfiler(own);
            own.profile(p);
            return Optional.of(p);
        }
        return Optional.empty();
    }

    /** Sums since the last call, by kind. */
    public synchronized Map<Kind, Sum> take() {
        Map<Kind, Sum> out = new EnumMap<>(Kind.class);
        out.putAll(sums);
        sums.clear();
        return out;
    }

    /** Ends it; later runs are replayed again. */
    @Override
    public void close() {
        program.profile(null);
    }

    /** Adds a run: the time of each of the plan's steps. */
    synchronized void add(StaticPlan plan, float[] millis) {
        Map<String, Op> operators = new HashMap<>();
        for (Node n : plan.graph().nodes()) {
            operators.put(n.name(), n.op());
        }
        List<StaticPlan.Step> steps = plan.steps();
        for (int i = 0; i < steps.size(); i++) {
            StaticPlan.Step s = steps.get(i);
            Op op = operators.get(s.node());
            Kind kind = kind(s, op);
            Sum before = sums.getOrDefault(kind, Sum.NOTHING);
            sums.put(kind, before.plus(millis[i], flops(plan, s, kind, op), bytes(plan, s)));
        }
    }

    private static Kind kind(StaticPlan.Step s, @org.jspecify.annotations.Nullable Op op) {
        if (s instanceof StaticPlan.Product) {
            return Kind.PRODUCT;
        }
        if (op instanceof Op.ReadState || op instanceof Op.WriteState) {
            return Kind.STATE;
        }
        boolean cast = s instanceof StaticPlan.Kernels k
                && k.launches().stream().allMatch(l -> l.function().startsWith("tw_cast"));
        if (s instanceof StaticPlan.Copy || cast || op == null) {
            return Kind.COPY;
        }
        if (op instanceof Op.Linear || op instanceof Op.MatMul) {
            return Kind.PRODUCT;
        }
        String name = op.getClass().getSimpleName();
        if (name.contains("Attention")) {
            return Kind.ATTENTION;
        }
        if (op instanceof Op.Conv || op instanceof Op.MemoryBlock) {
            return Kind.CONVOLUTION;
        }
        return COPYING.contains(name) ? Kind.COPY : Kind.ELEMENTWISE;
    }

    private static final Set<String> COPYING = Set.of(
            "Cast",
            "Reshape",
            "Transpose",
            "Concat",
            "Split",
            "Slice",
            "Gather",
            "Expand",
            "Pad",
            "DepthToSpace",
            "Resize");

    private static double flops(
            StaticPlan plan, StaticPlan.Step s, Kind kind, @org.jspecify.annotations.Nullable Op op) {
        if (s instanceof StaticPlan.Product p) {
            MatmulShape shape = p.shape();
            return shape.flops();
        }
        if (kind == Kind.ATTENTION && op instanceof Op.Attention && s.reads().size() >= 3) {
            List<Long> q = plan.buffers().get(s.reads().get(0)).shape();
            List<Long> k = plan.buffers().get(s.reads().get(1)).shape();
            List<Long> v = plan.buffers().get(s.reads().get(2)).shape();
            return q.size() == 3 && k.size() == 3 && v.size() == 3
                    ? 2.0 * q.get(0) * q.get(1) * k.get(1) * (q.get(2) + v.get(2))
                    : 0;
        }
        if (op instanceof Op.Conv && s.reads().size() >= 2) {
            List<Long> w = plan.buffers().get(s.reads().get(1)).shape();
            List<Long> y = plan.buffers().get(s.writes().get(0)).shape();
            return 2.0 * elements(y) * elements(w) / w.get(0);
        }
        return 0;
    }

    private static double elements(List<Long> shape) {
        return shape.stream().mapToDouble(d -> d).reduce(1, (a, b) -> a * b);
    }

    private static double bytes(StaticPlan plan, StaticPlan.Step s) {
        if (s instanceof StaticPlan.Copy c) {
            return 2.0 * c.bytes();
        }
        if (s instanceof StaticPlan.Product p && p.shape().batch() > 1) {
            // Only the first operand of a batch is a buffer of the step.
            MatmulShape m = p.shape();
            double operands = (double) m.m() * m.k() * (m.strideA() == 0 ? 1 : m.batch())
                    + (double) m.n() * m.k() * (m.strideB() == 0 ? 1 : m.batch());
            double results = (double) m.m() * m.n() * m.batch()
                    + (p.bias().isEmpty() ? 0 : (double) m.n() * (m.strideBias() == 0 ? 1 : m.batch()));
            return operands * m.operands().byteSize() + results * m.result().byteSize();
        }
        Set<Integer> buffers = new LinkedHashSet<>(s.reads());
        double sum =
                buffers.stream().mapToDouble(b -> plan.buffers().get(b).bytes()).sum();
        return sum
                + s.writes().stream()
                        .distinct()
                        .mapToDouble(b -> plan.buffers().get(b).bytes())
                        .sum();
    }
}
