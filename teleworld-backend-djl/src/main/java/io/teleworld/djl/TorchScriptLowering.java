package io.teleworld.djl;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A graph as the source of one TorchScript method, so that a run is one native call. Confined to one thread.
 *
 * <p>The method is {@code forward(x, s, w, q, d) -> List[Tensor]}: inputs, states as they are read, prepared weights,
 * packed int8 weights, and extents. It returns the outputs and then the new values of the states. Extents that depend on
 * symbols are computed in Java and passed in, so that the source holds no arithmetic on shapes.
 *
 * <p>Under BF16 and FP16 the results of products stay narrow until they meet an fp32 tensor; norms, softmax, rotary
 * embedding and gated residuals widen what they are given.
 */
final class TorchScriptLowering {

    private static final String INDENT = "    ";

    /** Results of these never share memory with an operand. */
    private static final Set<Class<? extends Op>> FRESH = Set.of(
            Op.Add.class,
            Op.Sub.class,
            Op.Mul.class,
            Op.Div.class,
            Op.Tanh.class,
            Op.Sigmoid.class,
            Op.Gelu.class,
            Op.Silu.class,
            Op.MatMul.class,
            Op.Conv.class,
            Op.Linear.class,
            Op.Attention.class,
            Op.GatedResidual.class,
            Op.MemoryBlock.class,
            Op.ModulatedLayerNorm.class);

    private final Graph graph;
    private final Precision precision;
    private final boolean cpu;
    private final int narrow;
    private final StringBuilder body = new StringBuilder();
    private final Map<Value, String> names = new HashMap<>();
    private final Map<String, String> shared = new HashMap<>();
    private final Set<Value> fresh = new HashSet<>();
    private final Map<Dim, Integer> extents = new LinkedHashMap<>();
    private final Map<WeightUse, Integer> tensors = new LinkedHashMap<>();
    private final Map<WeightUse, Integer> packed = new LinkedHashMap<>();
    private final List<State> reads = new ArrayList<>();
    private final Map<State, String> writes = new LinkedHashMap<>();
    private int serial;

    private TorchScriptLowering(Graph graph, Precision precision, boolean cpu) {
        this.graph = graph;
        this.precision = precision;
        this.cpu = cpu;
        this.narrow = narrowType(precision);
    }

    /** The element type of products where it is narrower than fp32, else 0. */
    static int narrowType(Precision precision) {
        return switch (precision) {
            case BF16 -> TorchTypes.BF16;
            case FP16 -> TorchTypes.F16;
            case FP32, INT8_LINEAR, INT8, FP8_LINEAR -> 0;
        };
    }

    /**
     * What a program is made from. Immutable.
     *
     * @param source the method
     * @param inputs the graph's inputs in the order of {@code x}
     * @param reads the states in the order of {@code s}
     * @param tensors weights in the order of {@code w}
     * @param packed weights in the order of {@code q}
     * @param extents what {@code d} holds
     * @param outputs names of the first results
     * @param writes the states whose new values follow
     */
    record Script(
            String source,
            List<String> inputs,
            List<State> reads,
            List<WeightUse> tensors,
            List<WeightUse> packed,
            List<Dim> extents,
            List<String> outputs,
            List<State> writes) {}

    static Script lower(Graph graph, Precision precision, boolean cpu) {
        return new TorchScriptLowering(graph, precision, cpu).lower();
    }

    private Script lower() {
        List<String> inputs = List.copyOf(graph.inputs().keySet());
        for (int i = 0; i < inputs.size(); i++) {
            Value v = value(graph.inputs(), inputs.get(i));
            String x = "x[" + i + "]";
            names.put(
                    v,
                    define(v.dtype() == DType.BF16 ? "torch.view_copy(" + x + ", dtype=" + TorchTypes.BF16 + ")" : x));
        }
        for (Node node : graph.nodes()) {
            node(node);
        }
        List<String> results = new ArrayList<>();
        Set<Value> returned = new HashSet<>();
        graph.outputs().forEach((name, v) -> results.add(output(v, returned.add(v))));
        writes.forEach((state, expression) -> results.add(expression));
        String source = "  def forward(self: __torch__.Net,\n" + INDENT + "x: List[Tensor],\n" + INDENT
                + "s: List[Tensor],\n" + INDENT + "w: List[Tensor],\n"
                + (packed.isEmpty() ? "" : INDENT + "q: List[" + DjlToolbox.PACKED + "],\n")
                + INDENT + "d: List[int]) -> List[Tensor]:\n" + body + INDENT + "return ["
                + String.join(", ", results) + "]\n";
        return new Script(
                source,
                inputs,
                List.copyOf(reads),
                List.copyOf(tensors.keySet()),
                List.copyOf(packed.keySet()),
                List.copyOf(extents.keySet()),
                List.copyOf(graph.outputs().keySet()),
                List.copyOf(writes.keySet()));
    }

    /** A contiguous result that shares memory with nothing else. */
    private String output(Value v, boolean first) {
        String wide = "torch.to(" + get(v) + ", " + TorchTypes.code(v.dtype()) + ")";
        String own = first && fresh.contains(v)
                ? "torch.contiguous(" + wide + ")"
                : "torch.clone(" + wide + ", memory_format=0)";
        return v.dtype() == DType.BF16 ? "torch.view_copy(" + own + ", dtype=" + TorchTypes.F16 + ")" : own;
    }

    // ------------------------------------------------------------------------------------------ values

    private static Value value(Map<String, Value> values, String name) {
        Value v = values.get(name);
        if (v == null) {
            throw new IllegalStateException("no value " + name);
        }
        return v;
    }

    private String define(String expression) {
        String name = "v" + serial++;
        body.append(INDENT).append(name).append(" = ").append(expression).append('\n');
        return name;
    }

    /** An expression that several nodes may need, computed once. */
    private String once(String expression) {
        String known = shared.get(expression);
        if (known == null) {
            known = define(expression);
            shared.put(expression, known);
        }
        return known;
    }

    private boolean isWeight(Value v) {
        return graph.constants().containsKey(v) || graph.parameters().containsValue(v);
    }

    private String weight(Value v, WeightUse.Form form) {
        WeightUse use = new WeightUse(v, form, null);
        return "w[" + index(tensors, use) + "]";
    }

    private static <K> int index(Map<K, Integer> table, K key) {
        Integer known = table.get(key);
        if (known == null) {
            known = table.size();
            table.put(key, known);
        }
        return known;
    }

    /** A value as it is: of its declared type, or narrower where a product made it. */
    private String get(Value v) {
        String name = names.get(v);
        if (name != null) {
            return name;
        }
        if (!isWeight(v)) {
            throw new IllegalStateException("value " + v + " is used before it is made");
        }
        return weight(v, WeightUse.Form.PLAIN);
    }

    /** A value in the element type of products. */
    private String product(Value v) {
        if (narrow == 0 || v.dtype() != DType.F32) {
            return get(v);
        }
        return names.containsKey(v)
                ? once("torch.to(" + get(v) + ", " + narrow + ")")
                : weight(v, WeightUse.Form.PRODUCT);
    }

    private String kernel(Value v) {
        return names.containsKey(v) ? product(v) : weight(v, WeightUse.Form.KERNEL);
    }

    /** A float value in fp32 or wider. */
    private String wide(Value v) {
        return narrow != 0 && v.dtype() == DType.F32 && names.containsKey(v)
                ? once("torch.to(" + get(v) + ", " + TorchTypes.F32 + ")")
                : get(v);
    }

    // ------------------------------------------------------------------------------------------ extents

    private String extent(Dim d) {
        return d.isKnown() ? Long.toString(d.known()) : "d[" + index(extents, d) + "]";
    }

    private String sizes(Shape shape) {
        return shape.dims().stream().map(this::extent).collect(Collectors.joining(", ", "[", "]"));
    }

    private static String list(List<? extends Number> values) {
        return values.toString();
    }

    private static String number(double v) {
        if (!Double.isFinite(v)) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND,
                    "runtime " + DjlRuntimeProvider.NAME + " takes no attribute of " + v);
        }
        return Double.toString(v).replace('E', 'e');
    }

    private static String flag(boolean b) {
        return b ? "True" : "False";
    }

    // ------------------------------------------------------------------------------------------ nodes

    private void node(Node node) {
        Op op = node.op();
        if (op instanceof Op.ReadState r) {
            int known = reads.indexOf(r.state());
            if (known < 0) {
                known = reads.size();
                reads.add(r.state());
            }
            names.put(node.output(), define("s[" + known + "]"));
        } else if (op instanceof Op.WriteState write) {
            writes.put(
                    write.state(),
                    define("torch.to(" + get(node.inputs().get(0)) + ", "
                            + TorchTypes.code(write.state().dtype()) + ")"));
        } else if (op instanceof Op.Split split) {
            String parts = define("torch.split_with_sizes(" + get(node.inputs().get(0)) + ", " + list(split.sizes())
                    + ", " + split.axis() + ")");
            for (int k = 0; k < node.outputs().size(); k++) {
                names.put(node.outputs().get(k), define(parts + "[" + k + "]"));
            }
        } else {
            names.put(node.output(), define(expression(op, node)));
            if (FRESH.contains(op.getClass())) {
                fresh.add(node.output());
            }
        }
    }

    private String expression(Op op, Node node) {
        List<Value> in = node.inputs();
        if (op instanceof Op.Unary u) {
            return unary(u, get(in.get(0)));
        } else if (op instanceof Op.Binary b) {
            return binary(b, get(in.get(0)), get(in.get(1)), in.get(0).dtype().isFloat());
        } else if (op instanceof Op.Comparison) {
            String f = op instanceof Op.Equal ? "eq" : op instanceof Op.Less ? "lt" : "gt";
            return call(f, get(in.get(0)), get(in.get(1)));
        } else if (op instanceof Op.Logical) {
            return call(op instanceof Op.And ? "logical_and" : "logical_or", get(in.get(0)), get(in.get(1)));
        } else if (op instanceof Op.Reduction r) {
            return reduction(r, in.get(0));
        } else if (op instanceof Op.Composite c) {
            return composite(c, node);
        }
        Value x = in.get(0);
        if (op instanceof Op.Cast c) {
            return call("to", get(x), Integer.toString(TorchTypes.code(c.to())));
        } else if (op instanceof Op.Where) {
            return call("where", get(x), get(in.get(1)), get(in.get(2)));
        } else if (op instanceof Op.Softmax s) {
            return call("softmax", wide(x), Integer.toString(s.axis()));
        } else if (op instanceof Op.LayerNormalization n) {
            return layerNorm(x, get(in.get(1)), in.size() == 3 ? get(in.get(2)) : "None", n.epsilon());
        } else if (op instanceof Op.RMSNormalization n) {
            return call("mul", call("mul", wide(x), inverseRms(wide(x), n.epsilon())), get(in.get(1)));
        } else if (op instanceof Op.GroupNormalization n) {
            return call(
                    "group_norm",
                    wide(x),
                    Integer.toString(n.groups()),
                    get(in.get(1)),
                    get(in.get(2)),
                    number(n.epsilon()),
                    "False");
        } else if (op instanceof Op.MatMul) {
            return call("matmul", product(x), product(in.get(1)));
        } else if (op instanceof Op.Conv c) {
            return conv(c, in);
        } else if (op instanceof Op.Attention a) {
            return attention(a, in);
        } else if (op instanceof Op.RotaryEmbedding r) {
            // A complex view needs memory that begins at an even element, which a slice's may not.
            String own = fresh.contains(x) ? wide(x) : "torch.clone(" + wide(x) + ", memory_format=0)";
            return rotary(x, own, r.heads(), in.get(1), in.get(2));
        } else if (op instanceof Op.Reshape r) {
            return call("reshape", get(x), sizes(r.shape()));
        } else if (op instanceof Op.Transpose t) {
            return call("permute", get(x), list(t.permutation()));
        } else if (op instanceof Op.Concat c) {
            return call("cat", all(in, this::get), Integer.toString(c.axis()));
        } else if (op instanceof Op.Slice s) {
            return call("slice", get(x), "" + s.axis(), "" + s.start(), "" + s.end(), "1");
        } else if (op instanceof Op.Gather g) {
            return gather(g, in, node.output());
        } else if (op instanceof Op.Expand e) {
            return call("expand", get(x), sizes(e.shape()));
        } else if (op instanceof Op.Pad p) {
            return pad(p, x);
        } else if (op instanceof Op.Resize r) {
            String size = sizes(Shape.of(x.dim(2).times(r.scaleH()), x.dim(3).times(r.scaleW())));
            return r.mode() == Op.ResizeMode.NEAREST
                    ? call("upsample_nearest2d", wide(x), size, "None", "None")
                    : call("upsample_bilinear2d", wide(x), size, "False", "None", "None");
        } else if (op instanceof Op.DepthToSpace s) {
            return call("pixel_shuffle", get(x), Integer.toString(s.blocksize()));
        }
        throw new TeleWorldException(
                TeleWorldException.Category.BACKEND,
                "runtime " + DjlRuntimeProvider.NAME + " has no operator " + op.name() + ", which graph " + graph.name()
                        + " needs at " + node.name());
    }

    private static String call(String function, String... arguments) {
        return "torch." + function + "(" + String.join(", ", arguments) + ")";
    }

    private static <T> String all(List<T> items, java.util.function.Function<T, String> form) {
        return items.stream().map(form).collect(Collectors.joining(", ", "[", "]"));
    }

    // ------------------------------------------------------------------------------------------ element by element

    private static String unary(Op.Unary op, String x) {
        if (op instanceof Op.Gelu g) {
            return "torch.gelu(" + x + ", approximate=\"" + (g.tanhApproximation() ? "tanh" : "none") + "\")";
        } else if (op instanceof Op.Clip c) {
            String y = x;
            if (c.max() < Double.POSITIVE_INFINITY) {
                y = call("clamp_max", y, number(c.max()));
            }
            return c.min() > Double.NEGATIVE_INFINITY ? call("clamp_min", y, number(c.min())) : y;
        } else if (op instanceof Op.Softplus) {
            return call("softplus", x, "1", "20");
        }
        // The others carry PyTorch's names: abs, neg, exp, log, sqrt, reciprocal, sin, cos, tanh, sigmoid, relu, …
        return call(op.name().toLowerCase(java.util.Locale.ROOT), x);
    }

    private static String binary(Op.Binary op, String a, String b, boolean isFloat) {
        if (op instanceof Op.Div && !isFloat) {
            return "torch.div(" + a + ", " + b + ", rounding_mode=\"trunc\")";
        } else if (op instanceof Op.Max) {
            return call("maximum", a, b);
        } else if (op instanceof Op.Min) {
            return call("minimum", a, b);
        }
        return call(op.name().toLowerCase(java.util.Locale.ROOT), a, b);
    }

    private String reduction(Op.Reduction op, Value x) {
        String axes = list(op.axes());
        String f = op instanceof Op.ReduceSum ? "sum" : op instanceof Op.ReduceMean ? "mean" : "amax";
        return call(f, wide(x), axes, flag(op.keepDims()));
    }

    // ------------------------------------------------------------------------------------------ normalisation

    private String layerNorm(Value x, String weight, String bias, double epsilon) {
        return call("layer_norm", wide(x), "[" + extent(x.dim(-1)) + "]", weight, bias, number(epsilon), "False");
    }

    private static String inverseRms(String x, double epsilon) {
        return call("rsqrt", call("add", call("mean", call("mul", x, x), "[-1]", "True"), number(epsilon)));
    }

    // ------------------------------------------------------------------------------------------ products

    private String conv(Op.Conv op, List<Value> in) {
        int n = op.strides().size();
        List<Integer> before = op.pads().subList(0, n);
        List<Integer> after = op.pads().subList(n, 2 * n);
        String x = product(in.get(0));
        List<Integer> pads = before;
        if (!before.equals(after)) {
            List<Integer> reversed = new ArrayList<>();
            for (int a = n - 1; a >= 0; a--) {
                reversed.add(before.get(a));
                reversed.add(after.get(a));
            }
            x = call("constant_pad_nd", x, list(reversed), "0");
            pads = before.stream().map(p -> 0).toList();
        }
        String bias = in.size() == 3 ? product(in.get(2)) : "None";
        return convolution(x, kernel(in.get(1)), bias, op.strides(), pads, op.dilations(), op.group());
    }

    private static String convolution(
            String x,
            String weight,
            String bias,
            List<Integer> strides,
            List<Integer> pads,
            List<Integer> dilations,
            int group) {
        List<Integer> zeros = strides.stream().map(s -> 0).toList();
        return call(
                "convolution",
                x,
                weight,
                bias,
                list(strides),
                list(pads),
                list(dilations),
                "False",
                list(zeros),
                Integer.toString(group));
    }

    private String attention(Op.Attention op, List<Value> in) {
        // On the host the fused kernel is fast in fp32 only.
        boolean widen = cpu && narrow != 0;
        IntFunction<String> operand = i -> {
            Value v = in.get(i);
            String x = widen ? wide(v) : product(v);
            long width = v.dim(2).known() / op.heads();
            return call(
                    "transpose",
                    call(
                            "reshape",
                            x,
                            "[" + extent(v.dim(0)) + ", " + extent(v.dim(1)) + ", " + op.heads() + ", " + width + "]"),
                    "1",
                    "2");
        };
        String mask = in.size() == 4 ? mask(in.get(3), widen || narrow == 0 ? TorchTypes.F32 : narrow) : "None";
        String y = define("torch.scaled_dot_product_attention(" + operand.apply(0) + ", " + operand.apply(1) + ", "
                + operand.apply(2) + ", " + mask + ", 0., False, scale=" + number(op.scale()) + ")");
        return call(
                "reshape",
                call("transpose", y, "1", "2"),
                "[" + extent(in.get(0).dim(0)) + ", " + extent(in.get(0).dim(1)) + ", "
                        + extent(in.get(2).dim(2)) + "]");
    }

    /** What is added to the scores: 0 where a key is visible, −∞ = log 0 where it is not. */
    private String mask(Value v, int type) {
        String typed = "torch.to(" + get(v) + ", " + type + ")";
        return once(v.dtype() == DType.BOOL ? "torch.log(" + typed + ")" : typed);
    }

    /** Rotary embedding as one complex product per element pair. */
    private String rotary(Value like, String x, int heads, Value cos, Value sin) {
        long pairs = like.dim(2).known() / (2L * heads);
        String size = extent(like.dim(0)) + ", " + extent(like.dim(1)) + ", ";
        String turn = once(call(
                "unsqueeze",
                call("view_as_complex", call("stack", "[" + wide(cos) + ", " + wide(sin) + "]", "-1")),
                "2"));
        String pairwise = call("reshape", x, "[" + size + heads + ", " + pairs + ", 2]");
        return call(
                "reshape",
                call("view_as_real", call("mul", call("view_as_complex", pairwise), turn)),
                "[" + size + extent(like.dim(2)) + "]");
    }

    // ------------------------------------------------------------------------------------------ composites

    private String composite(Op.Composite op, Node node) {
        List<Value> in = node.inputs();
        if (op instanceof Op.Silu) {
            return call("silu", get(in.get(0)));
        } else if (op instanceof Op.Linear) {
            return linear(in);
        } else if (op instanceof Op.ModulatedLayerNorm m) {
            String normed = layerNorm(in.get(0), "None", "None", m.epsilon());
            return call("addcmul", wide(in.get(1)), normed, call("add", wide(in.get(2)), "1"));
        } else if (op instanceof Op.GatedResidual) {
            return call("addcmul", wide(in.get(0)), wide(in.get(1)), wide(in.get(2)));
        } else if (op instanceof Op.NormedRotary n) {
            String x = wide(in.get(0));
            String normed = define(call("mul", call("mul", x, inverseRms(x, n.epsilon())), get(in.get(1))));
            return rotary(in.get(0), normed, n.heads(), in.get(2), in.get(3));
        } else if (op instanceof Op.MemoryBlock) {
            return memoryBlock(in);
        }
        throw new TeleWorldException(
                TeleWorldException.Category.BACKEND,
                "runtime " + DjlRuntimeProvider.NAME + " has no operator " + op.name() + ", which graph " + graph.name()
                        + " needs at " + node.name());
    }

    private String linear(List<Value> in) {
        @Nullable Value bias = in.size() == 3 ? in.get(2) : null;
        if ((precision == Precision.INT8_LINEAR || precision == Precision.INT8)
                && isWeight(in.get(1))
                && (bias == null || isWeight(bias))
                && in.get(1).dtype() == DType.F32) {
            int k = index(packed, new WeightUse(in.get(1), WeightUse.Form.QUANTISED, bias));
            return "ops.quantized.linear_dynamic(" + get(in.get(0)) + ", q[" + k + "], True)";
        }
        return call("linear", product(in.get(0)), product(in.get(1)), bias == null ? "None" : product(bias));
    }

    private String memoryBlock(List<Value> in) {
        String x = product(in.get(0));
        String y = call("cat", "[" + x + ", " + product(in.get(1)) + "]", "1");
        y = define(call("relu", conv3x3(y, in.get(2), in.get(3))));
        y = define(call("relu", conv3x3(y, in.get(4), in.get(5))));
        y = define(conv3x3(y, in.get(6), in.get(7)));
        String skip = in.size() == 9
                ? convolution(x, kernel(in.get(8)), "None", List.of(1, 1), List.of(0, 0), List.of(1, 1), 1)
                : x;
        return call("relu", call("add", y, skip));
    }

    private String conv3x3(String x, Value weight, Value bias) {
        List<Integer> one = List.of(1, 1);
        return convolution(x, kernel(weight), product(bias), one, one, one, 1);
    }

    // ------------------------------------------------------------------------------------------ shape

    private String gather(Op.Gather op, List<Value> in, Value result) {
        String rows = call("index_select", get(in.get(0)), "" + op.axis(), call("reshape", get(in.get(1)), "[-1]"));
        return call("reshape", rows, sizes(result.shape()));
    }

    private String pad(Op.Pad op, Value x) {
        int rank = x.shape().rank();
        if (op.mode() == Op.PadMode.CONSTANT) {
            List<Integer> reversed = new ArrayList<>();
            for (int a = rank - 1; a >= 0; a--) {
                reversed.add(op.pads().get(a));
                reversed.add(op.pads().get(a + rank));
            }
            return call("constant_pad_nd", get(x), list(reversed), "0");
        }
        String y = get(x);
        for (int a = 0; a < rank; a++) {
            int before = op.pads().get(a);
            int after = op.pads().get(a + rank);
            if (before + after > 0) {
                String axis = Integer.toString(a);
                String last = define(call("slice", y, axis, "-1", Long.toString(Long.MAX_VALUE), "1"));
                String first = define(call("slice", y, axis, "0", "1", "1"));
                List<String> parts = new ArrayList<>();
                IntStream.range(0, before).forEach(k -> parts.add(first));
                parts.add(y);
                IntStream.range(0, after).forEach(k -> parts.add(last));
                y = define(call("cat", "[" + String.join(", ", parts) + "]", axis));
            }
        }
        return y;
    }
}
