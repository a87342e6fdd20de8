package io.teleworld.cuda.plan;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The element types in which values and states are stored when products are computed in fp16 or bf16. Immutable.
 *
 * <p>A value that the graph declares as F32 is stored narrow where what makes it can write it narrow (products, norms, and
 * activations and moves of narrow values) and every reader can take it so. Sums that go on into a norm or a further sum,
 * which is the residual stream, stay F32, and so do the graph's inputs and outputs, statistics, modulation and angles. A
 * state is narrow if all that is read from it and written to it is. Kernels of norms and residual sums take F32 and
 * narrow operands at once; every other operator has its floats in one type.
 */
public final class ElementTypes {

    /** Activations and arithmetic that lose nothing that the products around them keep. */
    private static final Set<Class<? extends Op>> ELEMENT_WISE = Set.of(
            Op.Relu.class,
            Op.Gelu.class,
            Op.Silu.class,
            Op.Tanh.class,
            Op.Sigmoid.class,
            Op.Clip.class,
            Op.Neg.class,
            Op.Abs.class,
            Op.Add.class,
            Op.Sub.class,
            Op.Mul.class,
            Op.Max.class,
            Op.Min.class);

    private static final Set<Class<? extends Op>> MOVES = Set.of(
            Op.Reshape.class,
            Op.Transpose.class,
            Op.Slice.class,
            Op.Split.class,
            Op.Concat.class,
            Op.Expand.class,
            Op.Pad.class,
            Op.DepthToSpace.class);

    /** Extents that fp8 products take are multiples of this. */
    private static final int FP8_MULTIPLE = 16;

    private final Graph graph;
    private final DType narrow;
    private final boolean fp8;
    private final Set<Value> weights = new HashSet<>();
    private final Set<Value> narrowValues = new HashSet<>();
    private final Set<String> narrowStates = new HashSet<>();
    private final Map<Value, Set<Node>> readers = new HashMap<>();

    private ElementTypes(Graph graph, DType narrow, boolean fp8) {
        if (narrow != DType.F32 && narrow != DType.F16 && narrow != DType.BF16) {
            throw new IllegalArgumentException("products in " + narrow + "; allowed are F32, F16 and BF16");
        }
        this.graph = graph;
        this.narrow = narrow;
        this.fp8 = fp8;
        if (fp8 && narrow != DType.BF16) {
            throw new IllegalArgumentException("fp8 linear layers in a graph of " + narrow + "; allowed is BF16");
        }
        weights.addAll(graph.parameters().values());
        weights.addAll(graph.constants().keySet());
        for (Node n : graph.nodes()) {
            n.inputs()
                    .forEach(v ->
                            readers.computeIfAbsent(v, x -> new HashSet<>()).add(n));
        }
        if (narrow != DType.F32) {
            settle();
        }
    }

    /**
     * The types of a graph.
     *
     * @param graph as it is run
     * @param narrow the element type of products: F32 to change nothing, F16 or BF16
     */
    public static ElementTypes of(Graph graph, DType narrow) {
        return new ElementTypes(graph, narrow, false);
    }

    /** The types of a graph whose linear layers are computed in fp8 and the rest in BF16. */
    public static ElementTypes fp8(Graph graph) {
        return new ElementTypes(graph, DType.BF16, true);
    }

    /**
     * Whether a node is a linear layer in fp8: of F32 values with a weight that is a parameter or constant, both of whose
     * extents are multiples of 16, as the tensor cores take them.
     */
    boolean isFp8(Node n) {
        if (!fp8 || !(n.op() instanceof Op.Linear) || n.inputs().get(0).dtype() != DType.F32) {
            return false;
        }
        Value w = n.inputs().get(1);
        return weights.contains(w)
                && !weights.contains(n.inputs().get(0))
                && isMultiple(w.shape().dim(0).known())
                && isMultiple(w.shape().dim(1).known());
    }

    private static boolean keepsRows(Node n) {
        return n.op() instanceof Op.Reshape
                && n.output().shape().rank() > 0
                && n.inputs().get(0).shape().rank() > 0
                && n.output().shape().dim(-1).equals(n.inputs().get(0).shape().dim(-1));
    }

    private static boolean isMultiple(long extent) {
        return extent > 0 && extent % FP8_MULTIPLE == 0;
    }

    /** Whether a value is read by fp8 layers only, which take it quantised, perhaps after a change of shape that keeps rows. */
    boolean isQuantisedOnly(Value v) {
        Set<Node> all = readers.getOrDefault(v, Set.of());
        return !all.isEmpty()
                && !graph.outputs().containsValue(v)
                && all.stream()
                        .allMatch(n -> (isFp8(n) && n.inputs().get(0).equals(v))
                                || (keepsRows(n) && isQuantisedOnly(n.output())));
    }

    /** The element type of products of F32 values. */
    public DType narrow() {
        return narrow;
    }

    /** How a value that a node makes is stored; parameters, constants and inputs have their declared type here. */
    DType of(Value v) {
        return narrowValues.contains(v) ? narrow : v.dtype();
    }

    /** How a state is stored. */
    DType of(State s) {
        return narrowStates.contains(s.name()) ? narrow : s.dtype();
    }

    /** The type in which a node reads an operand. */
    DType operand(Node n, int i) {
        Value v = n.inputs().get(i);
        if (narrow == DType.F32 || v.dtype() != DType.F32) {
            return v.dtype();
        }
        Op op = n.op();
        if (isFp8(n)) {
            return i == 1 ? DType.F8_E4M3 : narrow;
        }
        if (op instanceof Op.Linear && i == 2) {
            return of(n.output());
        }
        if (isProduct(op)) {
            return narrow;
        }
        if (op instanceof Op.WriteState w) {
            return of(w.state());
        }
        if (isAngle(op, i)) {
            return DType.F32;
        }
        if (isMixedSum(n)) {
            return op instanceof Op.GatedResidual && i != 1 ? DType.F32 : of(v);
        }
        if (op instanceof Op.ModulatedLayerNorm) {
            return DType.F32;
        }
        if (isNorm(op) && of(n.inputs().get(0)) == DType.F32) {
            return DType.F32;
        }
        return of(n.outputs().get(0)) == narrow && n.outputs().get(0).dtype() == DType.F32 ? narrow : v.dtype();
    }

    /** The type in which a node's kernel writes a result; products of a library write {@link #of(Value)}. */
    DType result(Node n, int k) {
        Value v = n.outputs().get(k);
        return isProduct(n.op()) && v.dtype() == DType.F32 ? narrow : of(v);
    }

    // ------------------------------------------------------------------------------------------ which are narrow

    private void settle() {
        for (State s : graph.states().values()) {
            if (s.dtype() == DType.F32) {
                narrowStates.add(s.name());
            }
        }
        for (Node n : graph.nodes()) {
            for (Value v : n.outputs()) {
                if (v.dtype() == DType.F32) {
                    narrowValues.add(v);
                }
            }
        }
        graph.outputs().values().forEach(narrowValues::remove);
        // Each step only takes values out, so it ends; what is left is the largest set that fits together.
        while (step()) {}
    }

    private boolean step() {
        int before = narrowValues.size() + narrowStates.size();
        for (Node n : graph.nodes()) {
            boolean makes = canMake(n);
            for (Value v : n.outputs()) {
                makes &= v.dtype() != DType.F32 || narrowValues.contains(v);
            }
            if (!makes) {
                // Results of one node, and what is read from and written to one state, are alike.
                n.outputs().forEach(narrowValues::remove);
                if (n.op() instanceof Op.ReadState r) {
                    narrowStates.remove(r.state().name());
                }
            }
            for (int i = 0; i < n.inputs().size(); i++) {
                if (!accepts(n, i)) {
                    narrowValues.remove(n.inputs().get(i));
                }
            }
            if (n.op() instanceof Op.WriteState w
                    && !narrowValues.contains(n.inputs().get(0))) {
                narrowStates.remove(w.state().name());
            }
        }
        return narrowValues.size() + narrowStates.size() < before;
    }

    private boolean isNarrowOrWeight(Value v) {
        return v.dtype() != DType.F32 || narrowValues.contains(v) || weights.contains(v);
    }

    private boolean canMake(Node n) {
        Op op = n.op();
        if (isProduct(op) || isNorm(op) || op instanceof Op.ModulatedLayerNorm) {
            return true;
        }
        if (op instanceof Op.ReadState r) {
            return narrowStates.contains(r.state().name());
        }
        if (op instanceof Op.NormedRotary || op instanceof Op.RotaryEmbedding) {
            return narrowValues.contains(n.inputs().get(0));
        }
        boolean simple = ELEMENT_WISE.contains(op.getClass()) || MOVES.contains(op.getClass());
        return simple
                && n.inputs().stream().anyMatch(narrowValues::contains)
                && n.inputs().stream().allMatch(this::isNarrowOrWeight)
                && !(isSum(op) && goesIntoSum(n.output()));
    }

    private boolean accepts(Node n, int i) {
        Op op = n.op();
        if (isProduct(op)) {
            return !(op instanceof Op.Linear) || i < 2 || isFp8(n) || narrowValues.contains(n.output());
        }
        if (op instanceof Op.WriteState w) {
            return narrowStates.contains(w.state().name());
        }
        if (op instanceof Op.GatedResidual) {
            return i == 1;
        }
        if (isMixedSum(n)) {
            return true;
        }
        if (op instanceof Op.ModulatedLayerNorm || n.outputs().isEmpty()) {
            return false;
        }
        if (i > 0 && (isNorm(op) || op instanceof Op.NormedRotary || op instanceof Op.RotaryEmbedding)) {
            return false;
        }
        return n.outputs().stream().allMatch(narrowValues::contains);
    }

    /** Whether a sum is read by a norm or a further sum, perhaps after a change of shape. */
    private boolean goesIntoSum(Value v) {
        for (Node r : readers.getOrDefault(v, Set.of())) {
            Op op = r.op();
            if (isSum(op)
                    || isNorm(op)
                    || op instanceof Op.GatedResidual
                    || op instanceof Op.ModulatedLayerNorm
                    || (op instanceof Op.Reshape && goesIntoSum(r.output()))) {
                return true;
            }
        }
        return false;
    }

    private static boolean isSum(Op op) {
        return op instanceof Op.Add || op instanceof Op.Sub;
    }

    /** Whether an operator's F32 operands are multiplied in the narrow type. */
    static boolean isProduct(Op op) {
        return op instanceof Op.Linear
                || op instanceof Op.MatMul
                || op instanceof Op.Conv
                || op instanceof Op.Attention
                || op instanceof Op.WindowAttention;
    }

    private static boolean isNorm(Op op) {
        return op instanceof Op.LayerNormalization || op instanceof Op.RMSNormalization;
    }

    private static boolean isAngle(Op op, int i) {
        return (op instanceof Op.NormedRotary && i >= 2) || (op instanceof Op.RotaryEmbedding && i >= 1);
    }

    /** An F32 sum whose kernel takes narrow terms beside F32 ones. */
    private boolean isMixedSum(Node n) {
        if (n.op() instanceof Op.GatedResidual) {
            return true;
        }
        return n.op() instanceof Op.Add
                && n.output().dtype() == DType.F32
                && !narrowValues.contains(n.output())
                && n.inputs().get(0).shape().equals(n.inputs().get(1).shape());
    }

    List<Node> nodes() {
        return graph.nodes();
    }

    boolean isWeight(Value v) {
        return weights.contains(v);
    }

    Graph graph() {
        return graph;
    }
}
