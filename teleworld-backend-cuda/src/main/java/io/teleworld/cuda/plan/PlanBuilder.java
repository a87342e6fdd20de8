package io.teleworld.cuda.plan;

import io.teleworld.cuda.driver.CudaDriver.Epilogue;
import io.teleworld.cuda.driver.CudaDriver.MatmulShape;
import io.teleworld.cuda.kernel.KernelLaunch;
import io.teleworld.cuda.plan.StaticPlan.Place;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.TensorType;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/** Builds one {@link StaticPlan}; used once, by one thread. */
final class PlanBuilder {

    /** Views start at multiples of this, because kernels and matrix products load 16 bytes at once. */
    private static final long VIEW_ALIGNMENT = 16;

    /** A buffer before it has a place; a view has a root and an offset into it. */
    private static final class Draft {
        private final Region region;
        private final long offset;
        private final long bytes;
        private final DType dtype;
        private final long[] shape;
        private final int root;
        private int first = Integer.MAX_VALUE;
        private int last = -1;

        Draft(Region region, long offset, DType dtype, long[] shape, int root) {
            this.region = region;
            this.offset = offset;
            this.bytes = Math.multiplyExact(HostTensor.elementCount(shape), (long) dtype.byteSize());
            this.dtype = dtype;
            this.shape = shape;
            this.root = root;
        }
    }

    /** Buffers of a value's E4M3 rows and of their scales. */
    private record Quantised(int codes, int scales) {}

    private static final int NO_ROOT = -1;

    private final Graph graph;
    private final RunShape run;
    private final WeightLayout weights;
    private final StateLayout states;
    private final KernelSource kernels;
    private final boolean products;
    private final ElementTypes types;

    private final LinearGroups groups;
    private final List<Draft> drafts = new ArrayList<>();
    private final List<StaticPlan.Step> steps = new ArrayList<>();
    private final Map<Value, Integer> buffers = new HashMap<>();
    private final Map<Value, Map<DType, Integer>> converted = new HashMap<>();
    private final Map<Value, Quantised> quantised = new HashMap<>();
    private final Map<String, Integer> inputs = new LinkedHashMap<>();
    private final Map<String, Integer> outputs = new LinkedHashMap<>();
    private final Set<Value> outputValues;
    private final Set<Value> weightValues = new HashSet<>();
    private final Map<State, Node> writes = new LinkedHashMap<>();
    private long inputBytes;
    private long outputBytes;

    PlanBuilder(
            Graph graph,
            RunShape run,
            WeightLayout weights,
            StateLayout states,
            KernelSource kernels,
            boolean products,
            ElementTypes types) {
        this.graph = graph;
        this.run = run;
        this.weights = weights;
        this.states = states;
        this.kernels = kernels;
        this.products = products;
        this.types = types;
        this.groups = LinearGroups.of(types);
        this.outputValues = new HashSet<>(graph.outputs().values());
        weightValues.addAll(graph.parameters().values());
        weightValues.addAll(graph.constants().keySet());
    }

    StaticPlan build() {
        graph.inputs().forEach((name, v) -> {
            long[] shape = extents(v);
            int id = add(new Draft(Region.INPUT, inputBytes, v.dtype(), shape, NO_ROOT));
            inputBytes += BufferPlanner.align(drafts.get(id).bytes);
            buffers.put(v, id);
            inputs.put(name, id);
        });
        for (Node n : graph.nodes()) {
            try {
                lower(n);
            } catch (TeleWorldException e) {
                throw new TeleWorldException(
                        e.category(), "planning " + n.name() + " of graph " + graph.name() + ": " + e.getMessage(), e);
            }
        }
        graph.outputs().forEach(this::output);
        writeStates();
        return layOut();
    }

    // ------------------------------------------------------------------------------------------ buffers

    private long[] extents(Value v) {
        return v.shape().evaluate(run.symbols());
    }

    private int add(Draft d) {
        drafts.add(d);
        return drafts.size() - 1;
    }

    private int workspace(DType dtype, long[] shape) {
        return add(new Draft(Region.WORKSPACE, 0, dtype, shape, NO_ROOT));
    }

    /** A new buffer for a value that a kernel makes, in the output region if a run returns the value. */
    private int make(Value v) {
        int id = outputValues.contains(v) ? outputBuffer(v) : workspace(types.of(v), extents(v));
        buffers.put(v, id);
        return id;
    }

    private int outputBuffer(Value v) {
        int id = add(new Draft(Region.OUTPUT, outputBytes, v.dtype(), extents(v), NO_ROOT));
        outputBytes += BufferPlanner.align(drafts.get(id).bytes);
        return id;
    }

    private int view(int of, long byteOffset, DType dtype, long[] shape) {
        Draft d = drafts.get(of);
        int root = d.root == NO_ROOT ? of : d.root;
        return add(new Draft(d.region, d.offset + byteOffset, dtype, shape, root));
    }

    private int buffer(Value v) {
        Integer known = buffers.get(v);
        if (known != null) {
            return known;
        }
        if (!weightValues.contains(v)) {
            throw new IllegalStateException("value " + v + " is used before it is made");
        }
        int id = weight(v, v.dtype());
        buffers.put(v, id);
        return id;
    }

    private int weight(Value v, DType dtype) {
        return add(new Draft(Region.WEIGHTS, weights.entry(v, dtype).offset(), dtype, extents(v), NO_ROOT));
    }

    /** Operand {@code i} of a node, in the element type in which the node reads it. */
    private int operand(Node n, int i) {
        return operand(n.name(), n.inputs().get(i), types.operand(n, i));
    }

    /** A value in an element type; made once for all that read it so. */
    private int operand(String node, Value v, DType dtype) {
        boolean isWeight = weightValues.contains(v);
        if (!isWeight && drafts.get(buffer(v)).dtype == dtype) {
            return buffer(v);
        }
        Map<DType, Integer> forms = converted.computeIfAbsent(v, x -> new EnumMap<>(DType.class));
        Integer known = forms.get(dtype);
        if (known != null) {
            return known;
        }
        int id;
        if (isWeight && weights.has(v, dtype)) {
            id = weight(v, dtype);
        } else {
            int from = isWeight ? weight(v, weights.form(v)) : buffer(v);
            id = workspace(dtype, extents(v));
            launch(node, new Op.Cast(dtype), List.of(from), List.of(id));
        }
        forms.put(dtype, id);
        return id;
    }

    // ------------------------------------------------------------------------------------------ steps

    private void step(StaticPlan.Step s) {
        int at = steps.size();
        steps.add(s);
        s.reads().forEach(id -> touch(id, at));
        s.writes().forEach(id -> touch(id, at));
    }

    private void touch(int id, int at) {
        Draft d = drafts.get(id);
        Draft root = d.root == NO_ROOT ? d : drafts.get(d.root);
        root.first = Math.min(root.first, at);
        root.last = Math.max(root.last, at);
    }

    private TensorType type(int id) {
        Draft d = drafts.get(id);
        return new TensorType(d.dtype, Shape.of(d.shape));
    }

    private boolean isEmpty(int id) {
        return drafts.get(id).bytes == 0;
    }

    private void launch(String node, Op op, List<Integer> in, List<Integer> results) {
        if (results.stream().allMatch(this::isEmpty)) {
            return;
        }
        List<TensorType> operands = in.stream().map(this::type).toList();
        List<Integer> out = new ArrayList<>(results);
        for (TensorType t :
                kernels.workspace(op, operands, out.stream().map(this::type).toList())) {
            out.add(workspace(t.dtype(), t.shape().known()));
        }
        List<KernelLaunch> launches =
                kernels.launches(op, operands, out.stream().map(this::type).toList(), in, out);
        if (!launches.isEmpty()) {
            step(new StaticPlan.Kernels(node, launches, in, out));
        }
    }

    private void copy(String node, int from, long fromOffset, int to, long toOffset, long bytes) {
        if (bytes > 0) {
            step(new StaticPlan.Copy(node, new Place(from, fromOffset), new Place(to, toOffset), bytes));
        }
    }

    private void lower(Node n) {
        Op op = n.op();
        if (op instanceof Op.ReadState r) {
            buffers.put(n.output(), read(n.name(), r.state()));
        } else if (op instanceof Op.WriteState w) {
            if (!writeNow(n, w.state())) {
                writes.put(w.state(), n);
            }
        } else if (quantisedOnly(n)) {
            return;
        } else if (isView(n)) {
            DType dtype = types.of(n.output());
            buffers.put(n.output(), view(operand(n, 0), 0, dtype, extents(n.output())));
        } else if (op instanceof Op.Slice s && slice(n, s)) {
            return;
        } else if (op instanceof Op.Split s && split(n, s)) {
            return;
        } else if (op instanceof Op.Concat c && concat(n, c)) {
            return;
        } else if (products && (op instanceof Op.Linear || op instanceof Op.MatMul) && product(n)) {
            return;
        } else {
            kernel(n);
        }
    }

    private void kernel(Node n) {
        List<Integer> in = new ArrayList<>();
        for (int i = 0; i < n.inputs().size(); i++) {
            DType dtype = types.operand(n, i);
            // A product that no library computes has its bias in the type of the operands.
            in.add(operand(n.name(), n.inputs().get(i), n.op() instanceof Op.Linear ? types.result(n, 0) : dtype));
        }
        List<Integer> out = new ArrayList<>();
        for (int k = 0; k < n.outputs().size(); k++) {
            Value v = n.outputs().get(k);
            out.add(types.result(n, k) == types.of(v) ? make(v) : workspace(types.result(n, k), extents(v)));
        }
        launch(n.name(), bind(n.op()), in, out);
        for (int k = 0; k < n.outputs().size(); k++) {
            Value v = n.outputs().get(k);
            if (types.result(n, k) != types.of(v)) {
                launch(n.name(), new Op.Cast(types.of(v)), List.of(out.get(k)), List.of(make(v)));
            }
        }
    }

    /** The operator with its target shape's symbols replaced. */
    private Op bind(Op op) {
        if (op instanceof Op.Expand e) {
            return new Op.Expand(Shape.of(e.shape().evaluate(run.symbols())));
        }
        return op;
    }

    // ------------------------------------------------------------------------------------------ views

    private boolean isView(Node n) {
        Op op = n.op();
        if (op instanceof Op.Reshape) {
            return true;
        }
        Value x = n.inputs().isEmpty() ? null : n.inputs().get(0);
        if (x == null) {
            return false;
        }
        if (op instanceof Op.Cast c) {
            return c.to() == x.dtype();
        }
        if (op instanceof Op.Expand) {
            return Arrays.equals(extents(x), extents(n.output()));
        }
        if (op instanceof Op.Concat) {
            return n.inputs().size() == 1;
        }
        return op instanceof Op.Transpose t && movesUnitAxesOnly(extents(x), t.permutation());
    }

    private static boolean movesUnitAxesOnly(long[] shape, List<Integer> permutation) {
        int previous = -1;
        for (int axis : permutation) {
            if (shape[axis] == 1) {
                continue;
            }
            if (axis < previous) {
                return false;
            }
            previous = axis;
        }
        return true;
    }

    /** Elements before an axis: 1 if the runs of the axis are runs of memory. */
    private static long outer(long[] shape, int axis) {
        long n = 1;
        for (int a = 0; a < axis; a++) {
            n *= shape[a];
        }
        return n;
    }

    private boolean slice(Node n, Op.Slice s) {
        Value x = n.inputs().get(0);
        long[] shape = extents(x);
        int axis = x.shape().axis(s.axis());
        long from = s.start() < 0 ? s.start() + shape[axis] : s.start();
        return part(n, 0, shape, axis, from);
    }

    /** Makes a result a view of a run of an axis of the first operand if it can be one. */
    private boolean part(Node n, int result, long[] shape, int axis, long from) {
        if (outer(shape, axis) != 1) {
            return false;
        }
        Value out = n.outputs().get(result);
        long offset = from * inner(shape, axis) * types.of(out).byteSize();
        if (offset % VIEW_ALIGNMENT != 0) {
            return false;
        }
        buffers.put(out, view(operand(n, 0), offset, types.of(out), extents(out)));
        return true;
    }

    private static long inner(long[] shape, int axis) {
        long n = 1;
        for (int a = axis + 1; a < shape.length; a++) {
            n *= shape[a];
        }
        return n;
    }

    private boolean split(Node n, Op.Split s) {
        Value x = n.inputs().get(0);
        long[] shape = extents(x);
        int axis = x.shape().axis(s.axis());
        if (outer(shape, axis) != 1) {
            return false;
        }
        long from = 0;
        for (long size : s.sizes()) {
            if (from * inner(shape, axis) * types.operand(n, 0).byteSize() % VIEW_ALIGNMENT != 0) {
                return false;
            }
            from += size;
        }
        from = 0;
        for (int i = 0; i < n.outputs().size(); i++) {
            part(n, i, shape, axis, from);
            from += s.sizes().get(i);
        }
        return true;
    }

    /** Joins along the outermost axis that is not 1 by copying. */
    private boolean concat(Node n, Op.Concat c) {
        int axis = n.output().shape().axis(c.axis());
        if (outer(extents(n.output()), axis) != 1) {
            return false;
        }
        List<Integer> parts = new ArrayList<>();
        for (int i = 0; i < n.inputs().size(); i++) {
            parts.add(operand(n, i));
        }
        int to = make(n.output());
        long at = 0;
        for (int part : parts) {
            copy(n.name(), part, 0, to, at, drafts.get(part).bytes);
            at += drafts.get(part).bytes;
        }
        return true;
    }

    // ------------------------------------------------------------------------------------------ fp8

    /** Computes a value and quantises it in one step, where only fp8 layers read it. */
    private boolean quantisedOnly(Node n) {
        Quantised known =
                n.op() instanceof Op.Reshape ? quantised.get(n.inputs().get(0)) : null;
        if (known != null && !buffers.containsKey(n.inputs().get(0))) {
            int codes = view(known.codes(), 0, DType.F8_E4M3, extents(n.output()));
            quantised.put(n.output(), new Quantised(codes, known.scales()));
            return true;
        }
        if (n.outputs().size() != 1 || !types.isQuantisedOnly(n.output()) || elements(n.output()) == 0) {
            return false;
        }
        List<Integer> in = new ArrayList<>();
        if (n.op() instanceof Op.ModulatedLayerNorm) {
            for (int i = 0; i < n.inputs().size(); i++) {
                in.add(operand(n, i));
            }
        }
        Quantised to = quantisedBuffers(n.output());
        List<KernelLaunch> launches = in.isEmpty()
                ? List.of()
                : kernels.quantised(n.op(), in.stream().map(this::type).toList(), in, to.codes(), to.scales());
        if (launches.isEmpty()) {
            return false;
        }
        step(new StaticPlan.Kernels(n.name(), launches, in, List.of(to.codes(), to.scales())));
        quantised.put(n.output(), to);
        return true;
    }

    private long elements(Value v) {
        return HostTensor.elementCount(extents(v));
    }

    private Quantised quantisedBuffers(Value v) {
        long[] shape = extents(v);
        return new Quantised(workspace(DType.F8_E4M3, shape), workspace(DType.F32, new long[] {
            elements(v) / shape[shape.length - 1]
        }));
    }

    /** A value's quantised rows, made once for all layers that read them. */
    private Quantised quantised(Node n) {
        Value v = n.inputs().get(0);
        Quantised known = quantised.get(v);
        if (known != null) {
            return known;
        }
        int from = buffer(v);
        Quantised to = quantisedBuffers(v);
        List<KernelLaunch> launches = kernels.quantise(type(from), from, to.codes(), to.scales());
        step(new StaticPlan.Kernels(n.name(), launches, List.of(from), List.of(to.codes(), to.scales())));
        quantised.put(v, to);
        return to;
    }

    private void fp8Product(Node n, long rows, long columns, long k) {
        Value w = n.inputs().get(1);
        Quantised x = quantised(n);
        int codes = weight(w, DType.F8_E4M3);
        int scales = add(new Draft(
                Region.WEIGHTS,
                weights.entry(w, DType.F8_E4M3).scaleOffset(),
                DType.F32,
                new long[] {columns},
                NO_ROOT));
        OptionalInt bias = n.inputs().size() == 3 ? OptionalInt.of(operand(n, 2)) : OptionalInt.empty();
        DType result = types.result(n, 0);
        boolean direct = types.of(n.output()) == result;
        int d = direct ? make(n.output()) : workspace(result, extents(n.output()));
        step(new StaticPlan.Product(
                n.name(),
                new MatmulShape(
                        rows,
                        columns,
                        k,
                        1,
                        0,
                        0,
                        0,
                        0,
                        true,
                        DType.F8_E4M3,
                        result,
                        bias.isPresent() ? Epilogue.BIAS : Epilogue.NONE),
                new Place(x.codes(), 0),
                new Place(codes, 0),
                OptionalInt.of(x.scales()),
                OptionalInt.of(scales),
                bias,
                new Place(d, 0)));
        if (!direct) {
            launch(n.name(), new Op.Cast(types.of(n.output())), List.of(d), List.of(make(n.output())));
        }
    }

    // ------------------------------------------------------------------------------------------ products

    private boolean product(Node n) {
        Value x = n.inputs().get(0);
        Value w = n.inputs().get(1);
        DType declared = x.dtype();
        if (declared != DType.F32 && declared != DType.F16 && declared != DType.BF16) {
            return false;
        }
        boolean linear = n.op() instanceof Op.Linear;
        long[] a = extents(x);
        long[] b = extents(w);
        long k = a[a.length - 1];
        long rows = a[a.length - 2];
        long columns = linear ? b[0] : b[b.length - 1];
        if (k == 0) {
            return false;
        }
        long[] leadA = Arrays.copyOf(a, a.length - 2);
        long[] leadB = linear ? new long[0] : Arrays.copyOf(b, b.length - 2);
        if (!isStrided(leadA, leadB) && !isAligned(n, rows, columns, k)) {
            return false;
        }
        if (types.isFp8(n)) {
            if (elements(n.output()) == 0) {
                make(n.output());
            } else {
                fp8Product(n, elements(n.output()) / columns, columns, k);
            }
            return true;
        }
        if (buffers.containsKey(n.output()) || together(n)) {
            return true;
        }
        int left = operand(n, 0);
        int right = operand(n, 1);
        OptionalInt bias = n.inputs().size() == 3 ? OptionalInt.of(operand(n, 2)) : OptionalInt.empty();
        int d = make(n.output());
        if (isEmpty(d)) {
            return true;
        }
        Products p = new Products(
                n.name(),
                drafts.get(left).dtype,
                drafts.get(d).dtype,
                columns,
                k,
                linear,
                left,
                right,
                bias,
                d,
                leadA,
                leadB);
        p.emit(rows);
        return true;
    }

    /** Computes all layers of the node's group as one batch; false if they do not lie so. */
    private boolean together(Node n) {
        List<Node> group = groups.with(n);
        long[] weight = extents(n.inputs().get(1));
        long columns = weight[0];
        long rows = elements(n.output()) / columns;
        DType result = types.of(n.output());
        long bytes = rows * columns * result.byteSize();
        if (group.size() < 2 || rows == 0 || bytes % VIEW_ALIGNMENT != 0) {
            return false;
        }
        long strideB = weightStride(group, 1);
        boolean biased = n.inputs().size() == 3;
        long strideBias = biased ? weightStride(group, 2) : 0;
        if (strideB < 0 || strideBias < 0) {
            return false;
        }
        int left = operand(n, 0);
        int all = workspace(result, new long[] {group.size(), rows, columns});
        for (int i = 0; i < group.size(); i++) {
            Value v = group.get(i).output();
            buffers.put(v, view(all, i * bytes, result, extents(v)));
        }
        step(new StaticPlan.Product(
                n.name(),
                new MatmulShape(
                        rows,
                        columns,
                        weight[1],
                        group.size(),
                        0,
                        strideB,
                        rows * columns,
                        strideBias,
                        true,
                        drafts.get(left).dtype,
                        result,
                        biased ? Epilogue.BIAS : Epilogue.NONE),
                new Place(left, 0),
                new Place(operand(n, 1), 0),
                OptionalInt.empty(),
                OptionalInt.empty(),
                biased ? OptionalInt.of(operand(n, 2)) : OptionalInt.empty(),
                new Place(all, 0)));
        return true;
    }

    /** Elements from one layer's weight to the next one's; −1 if they differ. */
    private long weightStride(List<Node> group, int input) {
        long stride = -1;
        for (int i = 1; i < group.size(); i++) {
            Draft before = drafts.get(operand(group.get(i - 1), input));
            Draft d = drafts.get(operand(group.get(i), input));
            long next = d.offset - before.offset;
            if (before.region != Region.WEIGHTS
                    || d.region != Region.WEIGHTS
                    || next <= 0
                    || next % d.dtype.byteSize() != 0
                    || (i > 1 && next / d.dtype.byteSize() != stride)) {
                return -1;
            }
            stride = next / d.dtype.byteSize();
        }
        return stride;
    }

    /** Whether one strided product does all of a batch. */
    private static boolean isStrided(long[] leadA, long[] leadB) {
        return HostTensor.elementCount(leadA) == 1
                || HostTensor.elementCount(leadB) == 1
                || Arrays.equals(leadA, leadB);
    }

    /** Whether every single matrix of a batch begins where a view may begin. */
    private boolean isAligned(Node n, long rows, long columns, long k) {
        long size = types.operand(n, 0).byteSize();
        return rows * k * size % VIEW_ALIGNMENT == 0
                && k * columns * size % VIEW_ALIGNMENT == 0
                && rows * columns * types.of(n.output()).byteSize() % VIEW_ALIGNMENT == 0;
    }

    /** The products of one node. */
    private final class Products {
        private final String node;
        private final DType operands;
        private final DType result;
        private final long n;
        private final long k;
        private final boolean transposedB;
        private final int a;
        private final int b;
        private final OptionalInt bias;
        private final int d;
        private final long[] leadA;
        private final long[] leadB;

        Products(
                String node,
                DType operands,
                DType result,
                long n,
                long k,
                boolean transposedB,
                int a,
                int b,
                OptionalInt bias,
                int d,
                long[] leadA,
                long[] leadB) {
            this.node = node;
            this.operands = operands;
            this.result = result;
            this.n = n;
            this.k = k;
            this.transposedB = transposedB;
            this.a = a;
            this.b = b;
            this.bias = bias;
            this.d = d;
            this.leadA = leadA;
            this.leadB = leadB;
        }

        void emit(long m) {
            long countA = HostTensor.elementCount(leadA);
            long countB = HostTensor.elementCount(leadB);
            if (countB == 1) {
                // One right operand for all: the batch only adds rows.
                add(m * countA, 1, 0, 0, 0, 0);
            } else if (countA == 1) {
                add(m, Math.toIntExact(countB), 0, k * n, 0, 0);
            } else if (Arrays.equals(leadA, leadB)) {
                add(m, Math.toIntExact(countB), m * k, k * n, 0, 0);
            } else {
                broadcast(m);
            }
        }

        /** Leading axes that broadcast in other ways: one product for each. */
        private void broadcast(long m) {
            int rank = Math.max(leadA.length, leadB.length);
            long[] lead = new long[rank];
            long[] strideA = strides(leadA, rank);
            long[] strideB = strides(leadB, rank);
            for (int i = 0; i < rank; i++) {
                lead[i] = Math.max(extent(leadA, rank, i), extent(leadB, rank, i));
            }
            long count = HostTensor.elementCount(lead);
            for (long at = 0; at < count; at++) {
                long rest = at;
                long inA = 0;
                long inB = 0;
                for (int i = rank - 1; i >= 0; i--) {
                    long index = rest % lead[i];
                    rest /= lead[i];
                    inA += index * strideA[i];
                    inB += index * strideB[i];
                }
                add(m, 1, inA * m * k, inB * k * n, at * m * n, at);
            }
        }

        private void add(long m, int batch, long offsetOrStrideA, long offsetOrStrideB, long offsetD, long index) {
            boolean strided = batch > 1;
            int size = operands.byteSize();
            step(new StaticPlan.Product(
                    index == 0 ? node : node + "#" + index,
                    new MatmulShape(
                            m,
                            n,
                            k,
                            batch,
                            strided ? offsetOrStrideA : 0,
                            strided ? offsetOrStrideB : 0,
                            strided ? m * n : 0,
                            0,
                            transposedB,
                            operands,
                            result,
                            bias.isPresent() ? Epilogue.BIAS : Epilogue.NONE),
                    new Place(a, strided ? 0 : offsetOrStrideA * size),
                    new Place(b, strided ? 0 : offsetOrStrideB * size),
                    OptionalInt.empty(),
                    OptionalInt.empty(),
                    bias,
                    new Place(d, offsetD * result.byteSize())));
        }
    }

    private static long extent(long[] lead, int rank, int axis) {
        int own = axis - (rank - lead.length);
        return own < 0 ? 1 : lead[own];
    }

    /** Strides in whole matrices; 0 where an axis is repeated. */
    private static long[] strides(long[] lead, int rank) {
        long[] out = new long[rank];
        long stride = 1;
        for (int i = rank - 1; i >= 0; i--) {
            long e = extent(lead, rank, i);
            out[i] = e == 1 ? 0 : stride;
            stride *= e;
        }
        return out;
    }

    // ------------------------------------------------------------------------------------------ state

    private int read(String node, State state) {
        if (state instanceof State.FrameCache c) {
            return readFrames(node, c);
        }
        State.Register r = (State.Register) state;
        return add(
                new Draft(Region.STATE, states.offset(r), types.of(r), r.shape().known(), NO_ROOT));
    }

    private int readFrames(String node, State.FrameCache c) {
        List<Integer> slots = slots(run.visible(), c.group());
        long[] frame = c.frameShape().known();
        long[] shape = new long[frame.length + 1];
        shape[0] = slots.size();
        System.arraycopy(frame, 0, shape, 1, frame.length);
        long bytes = states.entryBytes(c);
        boolean oneRun = runLength(slots, 0) == slots.size();
        int first = slots.isEmpty() ? 0 : slots.get(0);
        if (oneRun && first * bytes % VIEW_ALIGNMENT == 0) {
            return add(new Draft(Region.STATE, states.offset(c) + first * bytes, types.of(c), shape, NO_ROOT));
        }
        int gathered = workspace(types.of(c), shape);
        int memory = slotMemory(c);
        for (int i = 0; i < slots.size(); ) {
            int length = runLength(slots, i);
            copy(node, memory, slots.get(i) * bytes, gathered, i * bytes, length * bytes);
            i += length;
        }
        return gathered;
    }

    /** All slots of a cache. */
    private int slotMemory(State.FrameCache c) {
        long[] frame = c.frameShape().known();
        long[] shape = new long[frame.length + 1];
        shape[0] = states.capacity(c.group());
        System.arraycopy(frame, 0, shape, 1, frame.length);
        return add(new Draft(Region.STATE, states.offset(c), types.of(c), shape, NO_ROOT));
    }

    private static List<Integer> slots(Map<String, List<Integer>> of, String group) {
        return of.getOrDefault(group, List.of());
    }

    /** How many slots from {@code start} on lie one behind the other. */
    private static int runLength(List<Integer> slots, int start) {
        int n = 1;
        while (start + n < slots.size() && slots.get(start + n) == slots.get(start) + n) {
            n++;
        }
        return Math.min(n, slots.size() - start);
    }

    /**
     * Writes frames as soon as they are there, so that they need no memory until the end. Only slots that the run does not
     * read; false if that is not so.
     */
    private boolean writeNow(Node n, State state) {
        if (!(state instanceof State.FrameCache c)) {
            return false;
        }
        List<Integer> written = slots(run.written(), c.group());
        if (written.isEmpty() || !Collections.disjoint(written, slots(run.visible(), c.group()))) {
            return false;
        }
        int from = operand(n, 0);
        if (drafts.get(from).region == Region.STATE) {
            return false;
        }
        writeFrames(c, from);
        return true;
    }

    private void writeFrames(State.FrameCache c, int from) {
        List<Integer> slots = slots(run.written(), c.group());
        long bytes = states.entryBytes(c);
        int memory = slotMemory(c);
        for (int i = 0; i < slots.size(); ) {
            int length = runLength(slots, i);
            copy(c.name(), from, i * bytes, memory, slots.get(i) * bytes, length * bytes);
            i += length;
        }
    }

    private void writeStates() {
        Map<State, Integer> sources = new LinkedHashMap<>();
        writes.forEach((state, n) -> {
            boolean written = state instanceof State.FrameCache c
                    ? !slots(run.written(), c.group()).isEmpty()
                    : run.writeRegisters();
            if (written) {
                sources.put(state, stable(state, operand(n, 0)));
            }
        });
        sources.forEach((state, from) -> {
            if (state instanceof State.FrameCache c) {
                writeFrames(c, from);
            } else {
                copy(state.name(), from, 0, read(state.name(), state), 0, drafts.get(from).bytes);
            }
        });
    }

    /** What is to be written, out of reach of the other writes. */
    private int stable(State state, int from) {
        Draft d = drafts.get(from);
        if (d.region != Region.STATE) {
            return from;
        }
        int copy = workspace(d.dtype, d.shape);
        copy(state.name(), from, 0, copy, 0, d.bytes);
        return copy;
    }

    private void output(String name, Value v) {
        int from = operand(name, v, v.dtype());
        int id = from;
        if (drafts.get(from).region != Region.OUTPUT || drafts.get(from).root != NO_ROOT) {
            Integer same = outputs.entrySet().stream()
                    .filter(e -> v.equals(graph.outputs().get(e.getKey())))
                    .map(Map.Entry::getValue)
                    .findFirst()
                    .orElse(null);
            id = same == null ? outputBuffer(v) : same;
            if (same == null) {
                copy(name, from, 0, id, 0, drafts.get(from).bytes);
            }
        }
        outputs.put(name, id);
    }

    // ------------------------------------------------------------------------------------------ layout

    private StaticPlan layOut() {
        List<BufferPlanner.Request> requests = new ArrayList<>();
        Map<Integer, Integer> requestOf = new TreeMap<>();
        for (int i = 0; i < drafts.size(); i++) {
            Draft d = drafts.get(i);
            if (d.region == Region.WORKSPACE && d.root == NO_ROOT && d.last >= 0) {
                requestOf.put(i, requests.size());
                requests.add(new BufferPlanner.Request(d.bytes, d.first, d.last));
            }
        }
        BufferPlanner.Layout layout = BufferPlanner.plan(requests);
        List<StaticPlan.Buffer> placed = new ArrayList<>();
        for (int i = 0; i < drafts.size(); i++) {
            Draft d = drafts.get(i);
            long offset = d.offset;
            if (d.region == Region.WORKSPACE) {
                Integer request = requestOf.get(d.root == NO_ROOT ? i : d.root);
                offset += request == null ? 0 : layout.offsets().get(request);
            }
            placed.add(new StaticPlan.Buffer(
                    d.region,
                    offset,
                    d.bytes,
                    d.dtype,
                    Arrays.stream(d.shape).boxed().toList()));
        }
        boolean multiplies = steps.stream().anyMatch(StaticPlan.Product.class::isInstance);
        MemoryEstimate memory = new MemoryEstimate(
                weights.bytes(),
                states.bytes(),
                inputBytes,
                outputBytes,
                layout.bytes(),
                multiplies ? StaticPlan.SCRATCH_BYTES : 0);
        return new StaticPlan(graph, placed, steps, inputs, outputs, memory, layout.liveBytes());
    }
}
