package io.teleworld.onnx;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Constant;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Writes a graph as an ONNX model (opset 23). Confined to one thread, for one graph.
 *
 * <p>Choices, by measurement on two cores with AVX-512:
 *
 * <ul>
 *   <li>Attention stays ONNX Attention: for 198 queries, 1400 keys and 4 heads of 64 it takes 0.88 ms, Microsoft's
 *       MultiHeadAttention 1.06 ms, separate MatMul and Softmax 1.54 ms.
 *   <li>Linear layers multiply by a weight that is transposed beforehand; MatMul + Add and Gemm are equally fast.
 *   <li>In {@link Precision#INT8_LINEAR} an activation is quantised once for all layers that read it
 *       (DynamicQuantizeLinear, then one MatMulIntegerToFloat each): at 198×256×1024 three times as fast as fp32, and
 *       up to a tenth faster than DynamicQuantizeMatMul where q, k and v share their input.
 *   <li>In {@link Precision#INT8} a convolution is a QLinearConv: from 96 to 48 channels over four frames of 48×88 it takes
 *       1.6 ms instead of 6.3. What one makes for another stays in bytes.
 *   <li>Layer normalisation becomes ReduceMean, Sub, Mul, ReduceMean and so on: eight vectorised passes take 23 µs for
 *       198×256, the LayerNormalization kernel 230 µs. The form avoids the patterns that the optimiser would fuse back.
 *   <li>A memory block's first convolution reads a concatenation; a split weight with two convolutions is not faster.
 * </ul>
 */
final class OnnxLowering {

    static final int OPSET = 23;
    private static final int IR_VERSION = 11;
    private static final String MICROSOFT = "com.microsoft";

    /** Linear layers that are narrower than this on either side gain nothing from int8 and stay fp32. */
    static final int INT8_MINIMUM_WIDTH = 32;

    private final Graph graph;
    private final Weights weights;
    private final Precision precision;
    private final GraphProto.Builder out = GraphProto.newBuilder();
    private final List<OnnxModel.Initializer> initializers = new ArrayList<>();
    private final Set<String> taken = new HashSet<>();
    private final Map<Value, String> names = new HashMap<>();
    private final Map<String, String> inputs = new LinkedHashMap<>();
    private final Map<String, String> outputs = new LinkedHashMap<>();
    private final Map<String, String> stateInputs = new LinkedHashMap<>();
    private final Map<String, String> stateOutputs = new LinkedHashMap<>();
    private final Map<String, SymbolSource> symbolSources = new HashMap<>();
    private final Map<String, String> shared = new HashMap<>();
    private final Map<Value, List<String>> quantised = new HashMap<>();
    private final Int8Convolutions int8Convolutions;
    private final Map<Value, String> bytes = new HashMap<>();
    private final int largestWeight = Int8WeightRange.largest();

    private OnnxLowering(Graph graph, Weights weights, Precision precision) {
        this.graph = graph;
        this.weights = weights;
        this.precision = precision;
        this.int8Convolutions =
                precision == Precision.INT8 ? Int8Convolutions.of(graph, weights) : Int8Convolutions.NONE;
    }

    /** The operators that are lowered, composites that have no expansion here included. */
    static Set<Class<? extends Op>> operators() {
        Set<Class<? extends Op>> s = new LinkedHashSet<>();
        for (Class<? extends Op> c : Op.all()) {
            if (!Op.Composite.class.isAssignableFrom(c)) {
                s.add(c);
            }
        }
        s.add(Op.Linear.class);
        return s;
    }

    /** Lowers a graph whose weights have been checked; composites are expanded here. */
    static OnnxModel lower(Graph graph, Weights weights, Precision precision) {
        Graph plain = ProgramChecks.lower(graph, OnnxRuntimeProvider.NAME, operators());
        return new OnnxLowering(plain, weights, precision).lower();
    }

    private OnnxModel lower() {
        out.setName(graph.name());
        declareInputs();
        nameOutputs();
        for (Node n : graph.nodes()) {
            lowerNode(n);
        }
        emitOutputs();
        ModelProto model = ModelProto.newBuilder()
                .setIrVersion(IR_VERSION)
                .setProducerName("teleworld")
                .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(OPSET))
                .addOpsetImport(
                        OperatorSetIdProto.newBuilder().setDomain(MICROSOFT).setVersion(1))
                .setGraph(out)
                .build();
        return new OnnxModel(model, initializers, inputs, outputs, stateInputs, stateOutputs);
    }

    // ------------------------------------------------------------------------------------------ inputs and outputs

    private void declareInputs() {
        graph.inputs().forEach((name, v) -> {
            String onnx = unique(name);
            inputs.put(name, onnx);
            names.put(v, onnx);
            declareInput(onnx, v.type());
        });
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.ReadState r) {
                String state = r.state().name();
                String onnx = stateInputs.get(state);
                if (onnx == null) {
                    onnx = unique("state/" + state);
                    stateInputs.put(state, onnx);
                    declareInput(onnx, n.output().type());
                }
                names.put(n.output(), onnx);
            }
        }
    }

    private void declareInput(String onnx, TensorType type) {
        out.addInput(describe(onnx, type));
        for (int a = 0; a < type.shape().rank(); a++) {
            Dim d = type.shape().dim(a);
            if (d.symbols().size() != 1) {
                continue;
            }
            String symbol = d.symbols().iterator().next();
            long factor = d.terms().getOrDefault(symbol, 0L);
            long offset = d.terms().getOrDefault("", 0L);
            if (d.equals(Dim.symbol(symbol).times(factor).plus(offset))) {
                SymbolSource source = new SymbolSource(onnx, a, factor, offset);
                symbolSources.merge(symbol, source, (old, made) -> old.isBare() ? old : made);
            }
        }
    }

    /** Where a symbol can be read: extent {@code axis} of an input is factor·symbol + offset. */
    private record SymbolSource(String input, int axis, long factor, long offset) {
        boolean isBare() {
            return factor == 1 && offset == 0;
        }
    }

    /** A value that a node makes takes the name of the first result that it is; further results copy it. */
    private void nameOutputs() {
        Set<Value> made = new HashSet<>();
        graph.nodes().stream().filter(n -> !(n.op() instanceof Op.ReadState)).forEach(n -> made.addAll(n.outputs()));
        graph.outputs().forEach((name, v) -> {
            String onnx = unique(name);
            outputs.put(name, onnx);
            if (made.contains(v)) {
                names.putIfAbsent(v, onnx);
            }
        });
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.WriteState w) {
                String onnx = unique("next_state/" + w.state().name());
                stateOutputs.put(w.state().name(), onnx);
                Value v = n.inputs().get(0);
                if (made.contains(v)) {
                    names.putIfAbsent(v, onnx);
                }
            }
        }
    }

    private void emitOutputs() {
        graph.outputs().forEach((name, v) -> emitOutput(outputs.get(name), v));
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.WriteState w) {
                emitOutput(stateOutputs.get(w.state().name()), n.inputs().get(0));
            }
        }
    }

    private void emitOutput(@Nullable String onnx, Value v) {
        if (onnx == null) {
            throw new IllegalStateException("no name for result " + v);
        }
        String made = name(v);
        if (!made.equals(onnx)) {
            node("Identity", "", onnx, List.of(onnx), List.of(made));
        }
        out.addOutput(describe(onnx, v.type()));
    }

    private static ValueInfoProto describe(String onnx, TensorType type) {
        TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
        for (Dim d : type.shape().dims()) {
            TensorShapeProto.Dimension.Builder dim = TensorShapeProto.Dimension.newBuilder();
            shape.addDim(d.isKnown() ? dim.setDimValue(d.known()) : dim.setDimParam(d.toString()));
        }
        return ValueInfoProto.newBuilder()
                .setName(onnx)
                .setType(TypeProto.newBuilder()
                        .setTensorType(TypeProto.Tensor.newBuilder()
                                .setElemType(OnnxTypes.proto(type.dtype()))
                                .setShape(shape)))
                .build();
    }

    // ------------------------------------------------------------------------------------------ nodes

    private void lowerNode(Node n) {
        Op op = n.op();
        if (op instanceof Op.ReadState || op instanceof Op.WriteState) {
            return;
        }
        if (op instanceof Op.Linear) {
            linear(n);
        } else if (op instanceof Op.Gelu g) {
            plain(n, attribute("approximate", g.tanhApproximation() ? "tanh" : "none"));
        } else if (op instanceof Op.Clip c) {
            DType d = n.inputs().get(0).dtype();
            withOperands(n, List.of(floating(d, c.min()), floating(d, c.max())));
        } else if (op instanceof Op.Cast c) {
            plain(n, attribute("to", OnnxTypes.proto(c.to())));
        } else if (op instanceof Op.Reduction r) {
            long[] axes = r.axes().stream().mapToLong(Integer::longValue).toArray();
            withOperands(n, List.of(longs(axes)), attribute("keepdims", r.keepDims() ? 1 : 0));
        } else if (op instanceof Op.Softmax s) {
            plain(n, attribute("axis", s.axis()));
        } else if (op instanceof Op.LayerNormalization l) {
            layerNorm(n, l.epsilon());
        } else if (op instanceof Op.RMSNormalization r) {
            plain(n, attribute("axis", -1), attribute("epsilon", (float) r.epsilon()));
        } else if (op instanceof Op.GroupNormalization g) {
            plain(n, attribute("num_groups", g.groups()), attribute("epsilon", (float) g.epsilon()));
        } else if (op instanceof Op.Conv c) {
            convolution(n, c);
        } else if (op instanceof Op.Relu && int8Convolutions.makes(n.output())) {
            return; // the convolution before it ends at 0
        } else if (op instanceof Op.Concat
                && int8Convolutions.concatenation(n.output()).isPresent()) {
            return; // made of bytes where it is read
        } else if (op instanceof Op.Attention a) {
            plain(
                    n,
                    attribute("q_num_heads", a.heads()),
                    attribute("kv_num_heads", a.heads()),
                    attribute("scale", (float) a.scale()));
        } else if (op instanceof Op.RotaryEmbedding r) {
            rotary(n, r);
        } else if (op instanceof Op.Reshape r) {
            reshape(n, r.shape());
        } else if (op instanceof Op.Expand e) {
            withOperands(n, List.of(shapeTensor(e.shape())));
        } else {
            lowerArrangement(n, op);
        }
    }

    private void lowerArrangement(Node n, Op op) {
        if (op instanceof Op.Transpose t) {
            plain(n, attribute("perm", t.permutation()));
        } else if (op instanceof Op.Concat c) {
            plain(n, attribute("axis", c.axis()));
        } else if (op instanceof Op.Split s) {
            long[] sizes = s.sizes().stream().mapToLong(Long::longValue).toArray();
            withOperands(n, List.of(longs(sizes)), attribute("axis", s.axis()));
        } else if (op instanceof Op.Slice s) {
            withOperands(n, List.of(longs(s.start()), longs(s.end()), longs(s.axis())));
        } else if (op instanceof Op.Gather g) {
            plain(n, attribute("axis", g.axis()));
        } else if (op instanceof Op.Pad p) {
            long[] pads = p.pads().stream().mapToLong(Integer::longValue).toArray();
            withOperands(n, List.of(longs(pads)), attribute("mode", p.mode() == Op.PadMode.EDGE ? "edge" : "constant"));
        } else if (op instanceof Op.Resize r) {
            resize(n, r);
        } else if (op instanceof Op.DepthToSpace d) {
            plain(n, attribute("blocksize", d.blocksize()), attribute("mode", "CRD"));
        } else if (op instanceof Op.Unary
                || op instanceof Op.Binary
                || op instanceof Op.Comparison
                || op instanceof Op.Logical
                || op instanceof Op.MatMul) {
            plain(n);
        } else if (op instanceof Op.Where) {
            where(n);
        } else {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND,
                    "runtime onnx has no operator " + op.name() + ", which graph " + graph.name() + " needs at "
                            + n.name());
        }
    }

    private void plain(Node n, AttributeProto... attributes) {
        withOperands(n, List.of(), attributes);
    }

    /** A node of the operator's own name, with further inputs behind those of the graph. */
    private void withOperands(Node n, List<String> operands, AttributeProto... attributes) {
        List<String> in = new ArrayList<>(names(n.inputs()));
        in.addAll(operands);
        node(n.op().name(), "", n.name(), names(n.outputs()), in, attributes);
    }

    /** ONNX Runtime has no kernel that chooses between booleans, so they are bytes meanwhile. */
    private void where(Node n) {
        if (n.output().dtype() != DType.BOOL) {
            plain(n);
            return;
        }
        List<String> in = new ArrayList<>(List.of(name(n.inputs().get(0))));
        for (Value v : n.inputs().subList(1, 3)) {
            String bytes = unique(n.name() + "/bytes");
            node("Cast", "", bytes, List.of(bytes), List.of(name(v)), attribute("to", OnnxTypes.proto(DType.U8)));
            in.add(bytes);
        }
        String chosen = unique(n.name() + "/chosen");
        node("Where", "", chosen, List.of(chosen), in);
        node("Cast", "", n.name(), names(n.outputs()), List.of(chosen), attribute("to", OnnxTypes.proto(DType.BOOL)));
    }

    private void linear(Node n) {
        Value x = n.inputs().get(0);
        Value w = n.inputs().get(1);
        @Nullable Value bias = n.inputs().size() == 3 ? n.inputs().get(2) : null;
        boolean isParameter = graph.parameters().get(w.name()) == w;
        if (isParameter && precision != Precision.FP32 && wideEnough(w)) {
            int8Linear(n, x, w, bias);
            return;
        }
        String transposed;
        if (isParameter) {
            transposed = shared("transposed/" + w.name(), key -> {
                long[] s = w.shape().known();
                return initializer(
                        key, DType.F32, new long[] {s[1], s[0]}, () -> LinearWeights.transposed(weights.get(w.name())));
            });
        } else {
            transposed = unique(n.name() + "/transposed");
            node("Transpose", "", transposed, List.of(transposed), List.of(name(w)), attribute("perm", List.of(1, 0)));
        }
        String y = name(n.output());
        if (bias == null) {
            node("MatMul", "", n.name(), List.of(y), List.of(name(x), transposed));
        } else {
            String product = unique(n.name() + "/product");
            node("MatMul", "", product, List.of(product), List.of(name(x), transposed));
            node("Add", "", n.name(), List.of(y), List.of(product, name(bias)));
        }
    }

    private void convolution(Node n, Op.Conv c) {
        AttributeProto[] attributes = {
            attribute("strides", c.strides()),
            attribute("pads", c.pads()),
            attribute("dilations", c.dilations()),
            attribute("group", c.group())
        };
        Optional<Int8Convolutions.Quantised> int8 = int8Convolutions.of(n);
        if (int8.isEmpty()) {
            plain(n, attributes);
            return;
        }
        Int8Convolutions.Quantised q = int8.get();
        Value x = n.inputs().get(0);
        Value w = n.inputs().get(1);
        Supplier<HostTensor> kernel = () -> weights.get(w.name());
        long channels = w.dim(0).known();
        String base = n.name() + "/int8";
        List<String> in = new ArrayList<>(List.of(bytes(x, q.input())));
        in.addAll(steps(q.input()));
        in.add(initializer(
                unique(base + "/kernel"),
                DType.I8,
                w.shape().known(),
                () -> LinearWeights.int8Kernel(kernel.get(), largestWeight)));
        in.add(initializer(
                unique(base + "/scale"),
                DType.F32,
                new long[] {channels},
                () -> LinearWeights.int8Scales(kernel.get(), largestWeight)));
        in.add(zeros(channels));
        in.addAll(steps(q.output()));
        if (n.inputs().size() == 3) {
            Value bias = n.inputs().get(2);
            in.add(initializer(
                    unique(base + "/bias"),
                    DType.I32,
                    new long[] {channels},
                    () -> LinearWeights.int8Bias(
                            weights.get(bias.name()), kernel.get(), q.input().step(), largestWeight)));
        }
        Value y = q.result();
        String made = unique(name(y) + "/bytes");
        node("QLinearConv", "", n.name(), List.of(made), in, attributes);
        bytes.put(y, made);
        if (int8Convolutions.isReadAsFloats(y)) {
            List<String> back = new ArrayList<>(List.of(made));
            back.addAll(steps(q.output()));
            node("DequantizeLinear", "", unique(made + "/floats"), List.of(name(y)), back);
        }
    }

    /** A value in steps, made once; what a convolution in int8 makes is there already. */
    private String bytes(Value x, Int8Convolutions.Steps steps) {
        String known = bytes.get(x);
        if (known != null) {
            return known;
        }
        Optional<Node> joined = int8Convolutions.concatenation(x);
        String made;
        if (joined.isPresent()) {
            List<String> parts = joined.get().inputs().stream()
                    .map(part -> quantised(part, steps))
                    .toList();
            made = unique(x.name() + "/bytes");
            node("Concat", "", made, List.of(made), parts, attribute("axis", 1));
        } else {
            made = quantised(x, steps);
        }
        bytes.put(x, made);
        return made;
    }

    private String quantised(Value x, Int8Convolutions.Steps steps) {
        return shared(name(x) + " in " + steps, key -> {
            List<String> in = new ArrayList<>(List.of(name(x)));
            in.addAll(steps(steps));
            String made = unique(name(x) + "/bytes");
            node("QuantizeLinear", "", made, List.of(made), in);
            return made;
        });
    }

    /** Scale and zero point. */
    private List<String> steps(Int8Convolutions.Steps s) {
        String scale = floating(DType.F32, s.step());
        String zero = shared(
                "u8 " + s.zero(),
                key -> initializer(
                        key, DType.U8, new long[0], () -> littleEndian(1).put(0, (byte) s.zero())));
        return List.of(scale, zero);
    }

    private String zeros(long channels) {
        return shared(
                "int8_zeros/" + channels,
                key -> initializer(key, DType.I8, new long[] {channels}, () -> ByteBuffer.allocate((int) channels)));
    }

    private static boolean wideEnough(Value weight) {
        return weight.dim(0).known() >= INT8_MINIMUM_WIDTH && weight.dim(1).known() >= INT8_MINIMUM_WIDTH;
    }

    private void int8Linear(Node n, Value x, Value w, @Nullable Value bias) {
        List<String> q = quantised.computeIfAbsent(x, v -> {
            String base = unique(name(v) + "/int8");
            List<String> made = List.of(base, unique(base + "/scale"), unique(base + "/zero"));
            node("DynamicQuantizeLinear", "", base, made, List.of(name(v)));
            return made;
        });
        long columns = w.dim(0).known();
        String weight = shared("int8/" + w.name(), key -> {
            initializer(
                    key + "/scale",
                    DType.F32,
                    new long[] {columns},
                    () -> LinearWeights.int8Scales(weights.get(w.name()), largestWeight));
            return initializer(
                    key,
                    DType.I8,
                    new long[] {w.dim(1).known(), columns},
                    () -> LinearWeights.int8(weights.get(w.name()), largestWeight));
        });
        List<String> in =
                new ArrayList<>(List.of(q.get(0), weight, q.get(1), weight + "/scale", q.get(2), zeros(columns)));
        if (bias != null) {
            in.add(name(bias));
        }
        node("MatMulIntegerToFloat", MICROSOFT, n.name(), names(n.outputs()), in);
    }

    private void layerNorm(Node n, double epsilon) {
        String x = name(n.inputs().get(0));
        String base = n.name();
        String centred = step("Sub", base + "/centred", x, mean(base + "/mean", x));
        String variance = mean(base + "/variance", step("Mul", base + "/square", centred, centred));
        String deviation =
                step("Sqrt", base + "/deviation", step("Add", base + "/epsilon", variance, floats((float) epsilon)));
        String inverse = step("Reciprocal", base + "/inverse", deviation);
        List<String> factors = new ArrayList<>(List.of(inverse));
        if (!isOnes(n.inputs().get(1))) {
            factors.add(name(n.inputs().get(1)));
        }
        String y = centred;
        for (int i = 0; i < factors.size(); i++) {
            boolean last = i == factors.size() - 1 && n.inputs().size() == 2;
            String product = last ? name(n.output()) : unique(base + "/product");
            node("Mul", "", product, List.of(product), List.of(y, factors.get(i)));
            y = product;
        }
        if (n.inputs().size() == 3) {
            node("Add", "", base, names(n.outputs()), List.of(y, name(n.inputs().get(2))));
        }
    }

    private String mean(String wanted, String x) {
        String y = unique(wanted);
        node("ReduceMean", "", y, List.of(y), List.of(x, longs(-1)), attribute("keepdims", 1));
        return y;
    }

    private String step(String op, String wanted, String... operands) {
        String y = unique(wanted);
        node(op, "", y, List.of(y), Arrays.asList(operands));
        return y;
    }

    private boolean isOnes(Value v) {
        Constant c = graph.constants().get(v);
        if (c == null || v.dtype() != DType.F32) {
            return false;
        }
        for (float f : c.tensor().toFloatArray()) {
            if (f != 1) {
                return false;
            }
        }
        return true;
    }

    private void rotary(Node n, Op.RotaryEmbedding r) {
        Value x = n.inputs().get(0);
        List<String> in = new ArrayList<>(List.of(name(x)));
        for (Value table : n.inputs().subList(1, 3)) {
            if (table.dim(0).equals(x.dim(0))) {
                in.add(name(table));
            } else {
                // the kernel takes one table per batch entry
                String wide = unique(name(table) + "/batch");
                String shape = shapeTensor(Shape.of(x.dim(0), Dim.of(1), Dim.of(1)));
                node("Expand", "", wide, List.of(wide), List.of(name(table), shape));
                in.add(wide);
            }
        }
        node(
                "RotaryEmbedding",
                "",
                n.name(),
                names(n.outputs()),
                in,
                attribute("interleaved", 1),
                attribute("num_heads", r.heads()));
    }

    private void reshape(Node n, Shape shape) {
        long unknown = shape.dims().stream().filter(d -> !d.isKnown()).count();
        boolean empty = shape.dims().stream().anyMatch(d -> d.is(0));
        if (unknown == 1 && !empty) {
            long[] s = shape.dims().stream()
                    .mapToLong(d -> d.isKnown() ? d.known() : -1)
                    .toArray();
            withOperands(n, List.of(longs(s)));
        } else {
            withOperands(n, List.of(shapeTensor(shape)), attribute("allowzero", 1));
        }
    }

    private void resize(Node n, Op.Resize r) {
        List<String> in = List.of(name(n.inputs().get(0)), "", floats(1, 1, r.scaleH(), r.scaleW()));
        boolean nearest = r.mode() == Op.ResizeMode.NEAREST;
        List<AttributeProto> attributes = new ArrayList<>();
        attributes.add(attribute("mode", nearest ? "nearest" : "linear"));
        attributes.add(attribute("coordinate_transformation_mode", nearest ? "asymmetric" : "half_pixel"));
        if (nearest) {
            attributes.add(attribute("nearest_mode", "floor"));
        }
        node("Resize", "", n.name(), names(n.outputs()), in, attributes.toArray(new AttributeProto[0]));
    }

    // ------------------------------------------------------------------------------------------ shapes at run time

    /** An I64 vector of the extents; those with symbols are computed from the shapes of inputs. */
    private String shapeTensor(Shape shape) {
        if (shape.isKnown()) {
            return longs(shape.known());
        }
        return shared("shape" + shape, key -> {
            List<String> parts = shape.dims().stream().map(this::extent).toList();
            if (parts.size() == 1) {
                return parts.get(0);
            }
            node("Concat", "", key, List.of(key), parts, attribute("axis", 0));
            return key;
        });
    }

    /** An I64 vector of one element. */
    private String extent(Dim d) {
        if (d.isKnown()) {
            return longs(d.known());
        }
        return shared("extent " + d, key -> {
            @Nullable String sum = null;
            for (Map.Entry<String, Long> term : d.terms().entrySet()) {
                sum = sum == null ? monomial(term) : binary("Add", sum, monomial(term));
            }
            return sum == null ? longs(0) : sum;
        });
    }

    private String monomial(Map.Entry<String, Long> term) {
        if (term.getKey().isEmpty()) {
            return longs(term.getValue());
        }
        @Nullable String product = term.getValue() == 1 ? null : longs(term.getValue());
        for (String s : term.getKey().split("\\*")) {
            product = product == null ? symbol(s) : binary("Mul", product, symbol(s));
        }
        return product == null ? longs(1) : product;
    }

    private String symbol(String s) {
        SymbolSource source = symbolSources.get(s);
        if (source == null) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND,
                    "runtime onnx cannot compute symbol " + s + " of graph " + graph.name()
                            + ": no extent of an input or of a state that is read is linear in it alone");
        }
        return shared("symbol " + s, key -> {
            node(
                    "Shape",
                    "",
                    key,
                    List.of(key),
                    List.of(source.input()),
                    attribute("start", source.axis()),
                    attribute("end", source.axis() + 1));
            if (source.isBare()) {
                return key;
            }
            return binary("Div", binary("Sub", key, longs(source.offset())), longs(source.factor()));
        });
    }

    private String binary(String op, String a, String b) {
        String y = unique("extent/" + op);
        node(op, "", y, List.of(y), List.of(a, b));
        return y;
    }

    // ------------------------------------------------------------------------------------------ names and tensors

    private List<String> names(List<Value> values) {
        return values.stream().map(this::name).toList();
    }

    /** The ONNX name of a value; weights and constants that nothing has read so far are added. */
    private String name(Value v) {
        String known = names.get(v);
        if (known != null) {
            return known;
        }
        String made = unique(v.name());
        names.put(v, made);
        Constant c = graph.constants().get(v);
        if (c != null) {
            initializer(made, v.dtype(), v.shape().known(), c.tensor()::hostBuffer);
        } else if (graph.parameters().get(v.name()) == v) {
            if (v.dtype() != DType.F32) {
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "runtime onnx computes in fp32, but parameter " + v.name() + " is declared " + v.type());
            }
            initializer(made, DType.F32, v.shape().known(), () -> LinearWeights.toF32(weights.get(v.name())));
        }
        return made;
    }

    private String unique(String wanted) {
        String n = wanted;
        for (int i = 1; !taken.add(n); i++) {
            n = wanted + "/" + i;
        }
        return n;
    }

    private interface Maker {
        String make(String key);
    }

    private String shared(String key, Maker maker) {
        String known = shared.get(key);
        if (known != null) {
            return known;
        }
        String made = maker.make(unique(key));
        shared.put(key, made);
        return made;
    }

    private String longs(long... values) {
        return shared(
                "i64" + Arrays.toString(values),
                key -> initializer(key, DType.I64, new long[] {values.length}, () -> {
                    ByteBuffer b = littleEndian(8 * values.length);
                    b.asLongBuffer().put(values);
                    return b;
                }));
    }

    private String floats(float... values) {
        return shared(
                "f32" + Arrays.toString(values),
                key -> initializer(key, DType.F32, new long[] {values.length}, () -> {
                    ByteBuffer b = littleEndian(4 * values.length);
                    b.asFloatBuffer().put(values);
                    return b;
                }));
    }

    private String floating(DType dtype, double value) {
        if (dtype != DType.F32 && dtype != DType.F64) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND, "runtime onnx cannot clip values of " + dtype);
        }
        return shared(
                dtype + " " + value,
                key -> initializer(key, dtype, new long[0], () -> {
                    ByteBuffer b = littleEndian(dtype.byteSize());
                    return dtype == DType.F32 ? b.putFloat(0, (float) value) : b.putDouble(0, value);
                }));
    }

    private static ByteBuffer littleEndian(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private String initializer(String onnx, DType dtype, long[] dims, Supplier<ByteBuffer> data) {
        long bytes = Math.multiplyExact(HostTensor.elementCount(dims), (long) dtype.byteSize());
        initializers.add(new OnnxModel.Initializer(onnx, OnnxTypes.proto(dtype), Shape.of(dims), bytes, data));
        taken.add(onnx);
        return onnx;
    }

    private void node(
            String type,
            String domain,
            String nodeName,
            Collection<String> results,
            Collection<String> operands,
            AttributeProto... attributes) {
        out.addNode(NodeProto.newBuilder()
                .setOpType(type)
                .setDomain(domain)
                .setName(nodeName)
                .addAllInput(operands)
                .addAllOutput(results)
                .addAllAttribute(Arrays.asList(attributes)));
    }

    private static AttributeProto attribute(String name, long value) {
        return named(name, AttributeProto.AttributeType.INT).setI(value).build();
    }

    private static AttributeProto attribute(String name, float value) {
        return named(name, AttributeProto.AttributeType.FLOAT).setF(value).build();
    }

    private static AttributeProto attribute(String name, String value) {
        return named(name, AttributeProto.AttributeType.STRING)
                .setS(ByteString.copyFromUtf8(value))
                .build();
    }

    private static AttributeProto attribute(String name, List<Integer> values) {
        return named(name, AttributeProto.AttributeType.INTS)
                .addAllInts(values.stream().map(Integer::longValue).toList())
                .build();
    }

    private static AttributeProto.Builder named(String name, AttributeProto.AttributeType type) {
        return AttributeProto.newBuilder().setName(name).setType(type);
    }
}
