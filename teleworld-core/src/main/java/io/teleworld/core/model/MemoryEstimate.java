package io.teleworld.core.model;

import com.sun.management.OperatingSystemMXBean;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * What running a network will take, found before anything is loaded. Immutable.
 *
 * <p>It counts the weights once, as the runtime keeps them, the caches when they are full, and the values that are alive at
 * the busiest operator of one run, the attention scores of a runtime that stores them included. Files that are mapped do
 * not count: the system can drop their pages.
 *
 * @param weightBytes weights in the run's arithmetic
 * @param stateBytes caches of one state
 * @param activationBytes values of one run
 */
public record MemoryEstimate(long weightBytes, long stateBytes, long activationBytes) {

    private static final long UNLIMITED = 1L << 60;

    /** Nothing. */
    public static final MemoryEstimate NONE = new MemoryEstimate(0, 0, 0);

    /**
     * The estimate for one graph.
     *
     * @param precision the arithmetic that it is compiled for
     * @param bindings an extent for every symbol of the inputs; caches count as full whatever is said
     * @throws IllegalArgumentException if a symbol has no extent
     */
    public static MemoryEstimate of(Graph graph, Precision precision, Map<String, Long> bindings) {
        Map<String, Long> all = new HashMap<>(bindings);
        long state = 0;
        for (State s : graph.states().values()) {
            if (s instanceof State.FrameCache c) {
                all.put(c.visibleSymbol(), (long) c.capacity());
                long frame = c.frameShape().elementCount().evaluate(all);
                state = plus(state, times(times(frame, c.capacity()), c.dtype().byteSize()));
            } else if (s instanceof State.Register r) {
                state = plus(
                        state,
                        times(r.shape().elementCount().evaluate(all), r.dtype().byteSize()));
            }
        }
        return new MemoryEstimate(weights(graph, precision), state, activations(graph, all));
    }

    private static long weights(Graph composite, Precision precision) {
        Graph graph = composite.expand(op -> op instanceof Op.Linear);
        Set<Value> linear = new HashSet<>();
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.Linear) {
                linear.add(n.inputs().get(1));
            }
        }
        long total = 0;
        for (Value v : graph.parameters().values()) {
            boolean matrix = v.shape().rank() >= 2;
            int size = switch (precision) {
                case FP32 -> 4;
                case FP16, BF16 -> matrix ? 2 : 4;
                case INT8_LINEAR, INT8 -> linear.contains(v) ? 1 : 4;
                case FP8_LINEAR -> linear.contains(v) ? 1 : matrix ? 2 : 4;
            };
            total = plus(total, times(v.shape().elementCount().known(), size));
        }
        return total;
    }

    /** Values live from the operator that makes them to the last that reads them, those for states to the end. */
    private static long activations(Graph graph, Map<String, Long> bindings) {
        List<Node> nodes = graph.nodes();
        Map<Value, Integer> lastUse = new HashMap<>();
        for (int i = 0; i < nodes.size(); i++) {
            // What a cache or register takes over is kept to the end, whether this run writes it or not.
            int last = nodes.get(i).op() instanceof Op.WriteState ? nodes.size() : i;
            for (Value v : nodes.get(i).inputs()) {
                lastUse.merge(v, last, Math::max);
            }
        }
        graph.outputs().values().forEach(v -> lastUse.put(v, nodes.size()));
        Set<Value> kept = new HashSet<>(graph.parameters().values());
        kept.addAll(graph.constants().keySet());
        long live = 0;
        for (Value v : graph.inputs().values()) {
            live = plus(live, bytes(v, bindings));
        }
        long most = live;
        for (int i = 0; i < nodes.size(); i++) {
            Node n = nodes.get(i);
            for (Value v : n.outputs()) {
                live = plus(live, bytes(v, bindings));
            }
            most = Math.max(most, plus(live, scores(n, bindings)));
            Set<Value> ended = new HashSet<>(n.inputs());
            ended.addAll(n.outputs());
            for (Value v : ended) {
                boolean over = lastUse.getOrDefault(v, i) <= i;
                if (over && !kept.contains(v) && !graph.inputs().containsValue(v)) {
                    live -= bytes(v, bindings);
                }
            }
        }
        return most;
    }

    private static long scores(Node n, Map<String, Long> bindings) {
        if (!(n.op() instanceof Op.Attention a)) {
            return 0;
        }
        Value q = n.inputs().get(0);
        Value k = n.inputs().get(1);
        long rows = times(q.dim(0).evaluate(bindings), times(q.dim(1).evaluate(bindings), a.heads()));
        return times(times(rows, k.dim(1).evaluate(bindings)), 4);
    }

    private static long bytes(Value v, Map<String, Long> bindings) {
        return times(v.shape().elementCount().evaluate(bindings), v.dtype().byteSize());
    }

    private static long plus(long a, long b) {
        return Math.min(UNLIMITED, a + b);
    }

    private static long times(long a, long b) {
        long high = Math.multiplyHigh(a, b);
        long product = a * b;
        return high != 0 || product < 0 || product > UNLIMITED ? UNLIMITED : product;
    }

    /** Both networks at once: weights and caches add up, runs take turns. */
    public MemoryEstimate and(MemoryEstimate other) {
        return new MemoryEstimate(
                plus(weightBytes, other.weightBytes),
                plus(stateBytes, other.stateBytes),
                Math.max(activationBytes, other.activationBytes));
    }

    /** All of it. */
    public long totalBytes() {
        return plus(plus(weightBytes, stateBytes), activationBytes);
    }

    /**
     * Refuses what does not fit.
     *
     * @param what the model, for the message
     * @param availableBytes what there is, for example {@link #availableBytes()}
     * @throws TeleWorldException of category RESOURCE that says both numbers
     */
    public void require(String what, long availableBytes) {
        if (totalBytes() > availableBytes) {
            throw new TeleWorldException(
                    Category.RESOURCE,
                    what + " needs about " + gib(totalBytes()) + " of memory (weights " + gib(weightBytes) + ", caches "
                            + gib(stateBytes) + ", one run " + gib(activationBytes) + "), but " + gib(availableBytes)
                            + " are available");
        }
    }

    private static String gib(long bytes) {
        return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1L << 30));
    }

    /** The memory outside of the Java heap that this process can still get, from the system or its container. */
    public static long availableBytes() {
        long free = Long.MAX_VALUE;
        if (ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system) {
            free = system.getFreeMemorySize();
        }
        // Linux counts as free what caches give back.
        for (String line : lines(Path.of("/proc/meminfo"))) {
            if (line.startsWith("MemAvailable:")) {
                free = Math.max(free == Long.MAX_VALUE ? 0 : free, number(line) * 1024);
            }
        }
        List<String> limit = lines(Path.of("/sys/fs/cgroup/memory.max"));
        List<String> used = lines(Path.of("/sys/fs/cgroup/memory.current"));
        if (limit.size() == 1 && used.size() == 1 && limit.get(0).matches("[0-9]{1,18}")) {
            free = Math.min(free, Math.max(0, number(limit.get(0)) - number(used.get(0))));
        }
        return free;
    }

    private static long number(String line) {
        String digits = line.replaceAll("[^0-9]", "");
        return digits.isEmpty() || digits.length() > 18 ? 0 : Long.parseLong(digits);
    }

    private static List<String> lines(Path file) {
        try {
            return Files.isReadable(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            return new ArrayList<>();
        }
    }
}
