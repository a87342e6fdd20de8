package io.teleworld.graph;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Builds a {@link Graph}. Confined to one thread; {@link #build()} ends its life.
 *
 * <p>Every method checks shapes at once and throws {@link GraphException} with operator, inputs and rule. Values of
 * another builder are refused.
 */
public final class GraphBuilder {

    private final String name;
    private final Map<String, Value> inputs = new LinkedHashMap<>();
    private final Map<String, Value> parameters = new LinkedHashMap<>();
    private final Map<Value, Constant> constants = new LinkedHashMap<>();
    private final Map<String, State> states = new LinkedHashMap<>();
    private final List<Node> nodes = new ArrayList<>();
    private final Map<String, Value> outputs = new LinkedHashMap<>();
    private final Set<Value> own = new HashSet<>();
    private final Set<State> written = new HashSet<>();
    private final Deque<String> scopes = new ArrayDeque<>();
    private Predicate<? super Op.Composite> keep = op -> true;
    private int serial;
    private boolean built;

    /** Starts an empty graph of that name. */
    public GraphBuilder(String name) {
        this.name = name;
    }

    // ------------------------------------------------------------------------------------------ declarations

    /** Declares an input of the run. */
    public Value input(String inputName, DType dtype, Shape shape) {
        return declareNamed(inputs, inputName, new TensorType(dtype, shape), "input");
    }

    /** Declares an input of the run. */
    public Value input(String inputName, DType dtype, Dim... dims) {
        return input(inputName, dtype, Shape.of(dims));
    }

    /**
     * A weight under its full name in the checkpoint; asking again for one name gives the same value.
     *
     * @throws GraphException if it was declared with another type before, or has symbols
     */
    public Value parameter(String parameterName, DType dtype, Shape shape) {
        Value known = parameters.get(parameterName);
        TensorType type = new TensorType(dtype, shape);
        if (known != null) {
            if (!known.type().equals(type)) {
                throw new GraphException(
                        "parameter " + parameterName + " is " + known.type() + ", asked for as " + type);
            }
            return known;
        }
        if (!shape.isKnown()) {
            throw new GraphException(
                    "parameter " + parameterName + " has shape " + shape + "; symbols are not allowed");
        }
        return declareNamed(parameters, parameterName, type, "parameter");
    }

    /** An F32 weight. */
    public Value parameter(String parameterName, long... shape) {
        return parameter(parameterName, DType.F32, Shape.of(shape));
    }

    /** A literal tensor; equal literals are kept as given. */
    public Value constant(Constant constant) {
        requireOpen();
        Value v = newValue("constant_" + serial++, constant.type());
        constants.put(v, constant);
        return v;
    }

    /** A literal F32 tensor. */
    public Value constant(float[] values, long... shape) {
        return constant(new Constant(HostTensor.ofFloats(values, shape)));
    }

    /** A literal I64 tensor. */
    public Value constant(long[] values, long... shape) {
        return constant(new Constant(HostTensor.ofLongs(values, shape)));
    }

    /** A literal F32 scalar (rank 0). */
    public Value scalar(double value) {
        return constant(new float[] {(float) value});
    }

    /** A literal F32 vector of ones. */
    public Value ones(long length) {
        float[] v = new float[Math.toIntExact(length)];
        Arrays.fill(v, 1f);
        return constant(v, length);
    }

    /** Declares a state; declaring an equal one again is allowed. */
    public void declare(State state) {
        requireOpen();
        State known = states.putIfAbsent(state.name(), state);
        if (known != null && !known.equals(state)) {
            throw new GraphException("state " + state.name() + " is declared as " + known + " and as " + state);
        }
    }

    /** Names a value as a result of the run. */
    public void output(String outputName, Value value) {
        requireOpen();
        requireOwn(value);
        if (outputs.putIfAbsent(outputName, value) != null) {
            throw new GraphException("output " + outputName + " is named twice");
        }
    }

    /** Prefixes the names of the nodes that follow, until {@link #pop()}. */
    public GraphBuilder push(String scope) {
        scopes.addLast(scope);
        return this;
    }

    /** Ends the latest {@link #push}. */
    public GraphBuilder pop() {
        scopes.removeLast();
        return this;
    }

    /** Finishes the graph; this builder cannot be used any more. */
    public Graph build() {
        requireOpen();
        if (outputs.isEmpty() && written.isEmpty()) {
            throw new GraphException("graph " + name + " has neither an output nor a written state");
        }
        built = true;
        return new Graph(name, inputs, parameters, constants, states, nodes, outputs);
    }

    void expansionPolicy(Predicate<? super Op.Composite> policy) {
        this.keep = policy;
    }

    /**
     * Applies an operator.
     *
     * @return its outputs
     * @throws GraphException if the inputs break a rule of the operator
     */
    public List<Value> apply(Op op, List<Value> in) {
        requireOpen();
        in.forEach(this::requireOwn);
        List<TensorType> types = op.infer(in.stream().map(Value::type).toList());
        if (op instanceof Op.Composite c && !keep.test(c)) {
            return c.expand(this, in);
        }
        if (op instanceof Op.ReadState r) {
            declare(r.state());
        }
        if (op instanceof Op.WriteState w) {
            declare(w.state());
            if (!written.add(w.state())) {
                throw new GraphException("state " + w.state().name() + " is written twice");
            }
        }
        String prefix = scopes.isEmpty() ? "" : String.join(".", scopes) + ".";
        String nodeName = prefix + op.name() + "_" + serial++;
        List<Value> out = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            out.add(newValue(types.size() == 1 ? nodeName : nodeName + ":" + i, types.get(i)));
        }
        nodes.add(new Node(nodeName, op, in, out));
        return List.copyOf(out);
    }

    private Value one(Op op, Value... in) {
        return apply(op, Arrays.asList(in)).get(0);
    }

    private Value optional(Op op, Value x, Value w, @Nullable Value bias) {
        return bias == null ? one(op, x, w) : one(op, x, w, bias);
    }

    // ------------------------------------------------------------------------------------------ operators

    /** −x, element by element. */
    public Value neg(Value x) {
        return one(new Op.Neg(), x);
    }

    /** eˣ, element by element. */
    public Value exp(Value x) {
        return one(new Op.Exp(), x);
    }

    /** √x, element by element. */
    public Value sqrt(Value x) {
        return one(new Op.Sqrt(), x);
    }

    /** sin x, x in radians, element by element. */
    public Value sin(Value x) {
        return one(new Op.Sin(), x);
    }

    /** cos x, x in radians, element by element. */
    public Value cos(Value x) {
        return one(new Op.Cos(), x);
    }

    /** tanh x, element by element. */
    public Value tanh(Value x) {
        return one(new Op.Tanh(), x);
    }

    /** 1/(1+e⁻ˣ), element by element. */
    public Value sigmoid(Value x) {
        return one(new Op.Sigmoid(), x);
    }

    /** ln(1+eˣ), element by element. */
    public Value softplus(Value x) {
        return one(new Op.Softplus(), x);
    }

    /** max(x, 0), element by element. */
    public Value relu(Value x) {
        return one(new Op.Relu(), x);
    }

    /** GELU in its tanh approximation. */
    public Value geluTanh(Value x) {
        return one(new Op.Gelu(true), x);
    }

    /** GELU by the error function. */
    public Value gelu(Value x) {
        return one(new Op.Gelu(false), x);
    }

    /** x·sigmoid(x). */
    public Value silu(Value x) {
        return one(new Op.Silu(), x);
    }

    /** x limited to [min, max]. */
    public Value clip(Value x, double min, double max) {
        return one(new Op.Clip(min, max), x);
    }

    /** x in another element type; x itself if it has that type. */
    public Value cast(Value x, DType to) {
        return x.dtype() == to ? x : one(new Op.Cast(to), x);
    }

    /** a + b, broadcast. */
    public Value add(Value a, Value b) {
        return one(new Op.Add(), a, b);
    }

    /** a − b, broadcast. */
    public Value sub(Value a, Value b) {
        return one(new Op.Sub(), a, b);
    }

    /** a·b, broadcast. */
    public Value mul(Value a, Value b) {
        return one(new Op.Mul(), a, b);
    }

    /** a/b, broadcast. */
    public Value div(Value a, Value b) {
        return one(new Op.Div(), a, b);
    }

    /** The larger of a and b, broadcast. */
    public Value max(Value a, Value b) {
        return one(new Op.Max(), a, b);
    }

    /** a where the BOOL condition holds, b elsewhere, all broadcast. */
    public Value where(Value condition, Value a, Value b) {
        return one(new Op.Where(), condition, a, b);
    }

    /** Sum over axes. */
    public Value reduceSum(Value x, boolean keepDims, Integer... axes) {
        return one(new Op.ReduceSum(List.of(axes), keepDims), x);
    }

    /** Mean over axes. */
    public Value reduceMean(Value x, boolean keepDims, Integer... axes) {
        return one(new Op.ReduceMean(List.of(axes), keepDims), x);
    }

    /** Softmax over one axis. */
    public Value softmax(Value x, int axis) {
        return one(new Op.Softmax(axis), x);
    }

    /** Layer normalisation over the last axis; see {@link Op.LayerNormalization}. */
    public Value layerNorm(Value x, Value scale, @Nullable Value bias, double epsilon) {
        return optional(new Op.LayerNormalization(epsilon), x, scale, bias);
    }

    /** RMS normalisation over the last axis; see {@link Op.RMSNormalization}. */
    public Value rmsNorm(Value x, Value scale, double epsilon) {
        return one(new Op.RMSNormalization(epsilon), x, scale);
    }

    /** Group normalisation over channel groups; see {@link Op.GroupNormalization}. */
    public Value groupNorm(Value x, Value scale, Value bias, int groups, double epsilon) {
        return one(new Op.GroupNormalization(groups, epsilon), x, scale, bias);
    }

    /** Matrix product of the last two axes, leading axes broadcast. */
    public Value matMul(Value a, Value b) {
        return one(new Op.MatMul(), a, b);
    }

    /** x·Wᵀ + bias with weight [out,in]. */
    public Value linear(Value x, Value weight, @Nullable Value bias) {
        return optional(new Op.Linear(), x, weight, bias);
    }

    /** Two-dimensional convolution of [N,C,H,W] with one stride and one padding for both axes. */
    public Value conv2d(Value x, Value weight, @Nullable Value bias, int stride, int pad) {
        return conv(x, weight, bias, List.of(stride, stride), List.of(pad, pad, pad, pad), List.of(1, 1), 1);
    }

    /** Convolution over all spatial axes; see {@link Op.Conv}. */
    public Value conv(
            Value x,
            Value weight,
            @Nullable Value bias,
            List<Integer> strides,
            List<Integer> pads,
            List<Integer> dilations,
            int group) {
        return optional(new Op.Conv(strides, pads, dilations, group), x, weight, bias);
    }

    /** Attention with joined heads; see {@link Op.Attention}. */
    public Value attention(Value q, Value k, Value v, @Nullable Value mask, int heads, double scale) {
        Op op = new Op.Attention(heads, scale);
        return mask == null ? one(op, q, k, v) : one(op, q, k, v, mask);
    }

    /** Rotary position embedding; see {@link Op.RotaryEmbedding}. */
    public Value rotary(Value x, Value cos, Value sin, int heads) {
        return one(new Op.RotaryEmbedding(heads), x, cos, sin);
    }

    /** Block-sparse attention of windows; see {@link Op.WindowAttention}. */
    public Value windowAttention(
            Value query, Value key, Value value, Value kept, Value neighbours, int heads, double scale) {
        return one(new Op.WindowAttention(heads, scale), query, key, value, kept, neighbours);
    }

    /** RMS normalisation, then rotary position embedding; see {@link Op.NormedRotary}. */
    public Value normedRotary(Value x, Value scale, Value cos, Value sin, int heads, double epsilon) {
        return one(new Op.NormedRotary(heads, epsilon), x, scale, cos, sin);
    }

    /** LN(x)·(1+scale) + shift; see {@link Op.ModulatedLayerNorm}. */
    public Value modulatedLayerNorm(Value x, Value shift, Value scale, double epsilon) {
        return one(new Op.ModulatedLayerNorm(epsilon), x, shift, scale);
    }

    /** x + y·gate; see {@link Op.GatedResidual}. */
    public Value gatedResidual(Value x, Value y, Value gate) {
        return one(new Op.GatedResidual(), x, y, gate);
    }

    /** The same elements in another shape; x itself if it has that shape. */
    public Value reshape(Value x, Shape shape) {
        return x.shape().equals(shape) ? x : one(new Op.Reshape(shape), x);
    }

    /** The same elements in another shape; x itself if it has that shape. */
    public Value reshape(Value x, Dim... dims) {
        return reshape(x, Shape.of(dims));
    }

    /** The axes in another order; see {@link Op.Transpose}. */
    public Value transpose(Value x, Integer... permutation) {
        return one(new Op.Transpose(List.of(permutation)), x);
    }

    /** The parts one behind another along an axis. */
    public Value concat(int axis, Value... parts) {
        return one(new Op.Concat(axis), parts);
    }

    /** The parts one behind another along an axis. */
    public Value concat(int axis, List<Value> parts) {
        return apply(new Op.Concat(axis), parts).get(0);
    }

    /** Consecutive parts along an axis, with these sizes. */
    public List<Value> split(Value x, int axis, Long... sizes) {
        return apply(new Op.Split(axis, List.of(sizes)), List.of(x));
    }

    /** A run of one axis; see {@link Op.Slice} for negative bounds. */
    public Value slice(Value x, int axis, long start, long end) {
        return one(new Op.Slice(axis, start, end), x);
    }

    /** The entries of one axis that the I64 indices name; see {@link Op.Gather}. */
    public Value gather(Value data, Value indices, int axis) {
        return one(new Op.Gather(axis), data, indices);
    }

    /** x repeated to a larger shape by broadcasting; x itself if it has that shape. */
    public Value expand(Value x, Shape shape) {
        return x.shape().equals(shape) ? x : one(new Op.Expand(shape), x);
    }

    /** x with a border; see {@link Op.Pad} for the order of the pads. */
    public Value pad(Value x, Op.PadMode mode, Integer... pads) {
        return one(new Op.Pad(List.of(pads), mode), x);
    }

    /** The last two axes enlarged by a whole factor. */
    public Value resize(Value x, int scale, Op.ResizeMode mode) {
        return one(new Op.Resize(scale, scale, mode), x);
    }

    /** Channels to blocks of pixels; see {@link Op.DepthToSpace}. */
    public Value depthToSpace(Value x, int blocksize) {
        return one(new Op.DepthToSpace(blocksize), x);
    }

    /** The content of a state at the start of the run; declares it. */
    public Value readState(State state) {
        return one(new Op.ReadState(state));
    }

    /** What a state holds after the run; declares it. At most once per state. */
    public void writeState(State state, Value value) {
        apply(new Op.WriteState(state), List.of(value));
    }

    // ------------------------------------------------------------------------------------------ checks

    private Value declareNamed(Map<String, Value> into, String valueName, TensorType type, String kind) {
        requireOpen();
        if (inputs.containsKey(valueName) || parameters.containsKey(valueName)) {
            throw new GraphException(kind + " " + valueName + " is declared twice");
        }
        Value v = newValue(valueName, type);
        into.put(valueName, v);
        return v;
    }

    private Value newValue(String valueName, TensorType type) {
        Value v = new Value(valueName, type);
        own.add(v);
        return v;
    }

    private void requireOwn(Value v) {
        if (!own.contains(v)) {
            throw new GraphException("value " + v + " does not belong to graph " + name);
        }
    }

    private void requireOpen() {
        if (built) {
            throw new IllegalStateException("graph " + name + " is built already");
        }
    }
}
