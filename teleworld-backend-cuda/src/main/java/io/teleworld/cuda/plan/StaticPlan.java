package io.teleworld.cuda.plan;

import io.teleworld.cuda.driver.CudaDriver.MatmulShape;
import io.teleworld.cuda.kernel.KernelLaunch;
import io.teleworld.graph.Graph;
import io.teleworld.tensor.DType;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What one run of a graph does when every extent is known: steps in order, and the buffers that they use. Immutable and
 * thread-safe.
 *
 * <p>Outputs are copied and states written at the end, in this order, so that every read of a state sees what it held
 * when the run began; frames whose slots the run does not read are written as soon as they are there. Views (reshapes, whole runs of a leading axis) take no memory and no step.
 */
public final class StaticPlan {

    /** Scratch memory that matrix products get, enough for every algorithm on recent cards. */
    public static final long SCRATCH_BYTES = 32L << 20;

    /** One thing to be done. */
    public sealed interface Step {
        /** The node that it belongs to, for messages. */
        String node();

        /** Buffers that it reads. */
        List<Integer> reads();

        /** Buffers that it writes. */
        List<Integer> writes();
    }

    /**
     * Kernels of one operator.
     *
     * @param node the node
     * @param launches in order; at least one
     * @param reads buffers that are read
     * @param writes buffers that are written
     */
    public record Kernels(String node, List<KernelLaunch> launches, List<Integer> reads, List<Integer> writes)
            implements Step {
        public Kernels {
            launches = List.copyOf(launches);
            reads = List.copyOf(reads);
            writes = List.copyOf(writes);
        }
    }

    /**
     * A place in a buffer.
     *
     * @param buffer its number
     * @param byteOffset added to where it begins
     */
    public record Place(int buffer, long byteOffset) {}

    /**
     * A matrix product.
     *
     * @param node the node
     * @param shape what is multiplied
     * @param a left operand
     * @param b right operand
     * @param bias buffer of the bias, if there is one
     * @param scaleA buffer of A's scales, if the operands are F8_E4M3
     * @param scaleB buffer of B's scales, if the operands are F8_E4M3
     * @param d result
     */
    public record Product(
            String node,
            MatmulShape shape,
            Place a,
            Place b,
            OptionalInt scaleA,
            OptionalInt scaleB,
            OptionalInt bias,
            Place d)
            implements Step {
        @Override
        public List<Integer> reads() {
            return IntStream.concat(
                            IntStream.of(a.buffer(), b.buffer()),
                            Stream.of(scaleA, scaleB, bias).flatMapToInt(OptionalInt::stream))
                    .boxed()
                    .toList();
        }

        @Override
        public List<Integer> writes() {
            return List.of(d.buffer());
        }
    }

    /**
     * A copy on the device.
     *
     * @param node the node
     * @param from source
     * @param to destination
     * @param bytes how many; at least 1
     */
    public record Copy(String node, Place from, Place to, long bytes) implements Step {
        @Override
        public List<Integer> reads() {
            return List.of(from.buffer());
        }

        @Override
        public List<Integer> writes() {
            return List.of(to.buffer());
        }
    }

    /**
     * A tensor in memory.
     *
     * @param region where
     * @param offset from the region's begin, in bytes
     * @param bytes its size; may be 0
     * @param dtype element type
     * @param shape extents, outermost first
     */
    public record Buffer(Region region, long offset, long bytes, DType dtype, List<Long> shape) {
        public Buffer {
            shape = List.copyOf(shape);
        }
    }

    private final Graph graph;
    private final List<Buffer> buffers;
    private final List<Step> steps;
    private final Map<String, Integer> inputs;
    private final Map<String, Integer> outputs;
    private final MemoryEstimate memory;
    private final long liveBytes;

    StaticPlan(
            Graph graph,
            List<Buffer> buffers,
            List<Step> steps,
            Map<String, Integer> inputs,
            Map<String, Integer> outputs,
            MemoryEstimate memory,
            long liveBytes) {
        this.graph = graph;
        this.buffers = List.copyOf(buffers);
        this.steps = List.copyOf(steps);
        this.inputs = Map.copyOf(inputs);
        this.outputs = Map.copyOf(outputs);
        this.memory = memory;
        this.liveBytes = liveBytes;
    }

    /**
     * Plans a graph.
     *
     * @param graph lowered to what {@code kernels} has
     * @param shape every extent and slot
     * @param weights of the same graph
     * @param states of the same graph
     * @param kernels gives the launches
     * @param products whether matrix products may be steps of their own; else they are kernels too
     * @param types of the same graph
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if a kernel is missing; names the node
     */
    public static StaticPlan of(
            Graph graph,
            RunShape shape,
            WeightLayout weights,
            StateLayout states,
            KernelSource kernels,
            boolean products,
            ElementTypes types) {
        return new PlanBuilder(graph, shape, weights, states, kernels, products, types).build();
    }

    /** What was planned. */
    public Graph graph() {
        return graph;
    }

    /** All buffers; a buffer's number is its place here. Views of one another share memory. */
    public List<Buffer> buffers() {
        return buffers;
    }

    /** What is done, in order. */
    public List<Step> steps() {
        return steps;
    }

    /** The buffer of every input. */
    public Map<String, Integer> inputs() {
        return inputs;
    }

    /** The buffer of every output; all lie in {@link Region#OUTPUT}. */
    public Map<String, Integer> outputs() {
        return outputs;
    }

    /** What it takes. */
    public MemoryEstimate memory() {
        return memory;
    }

    /** The most workspace that is in use at one step. */
    public long liveBytes() {
        return liveBytes;
    }

    /** Floating-point operations of all matrix products that are steps of their own. */
    public long productFlops() {
        long sum = 0;
        for (Step s : steps) {
            if (s instanceof Product p) {
                sum += p.shape().flops();
            }
        }
        return sum;
    }

    @Override
    public String toString() {
        return "plan of graph " + graph.name() + ": " + steps.size() + " steps, " + memory;
    }
}
