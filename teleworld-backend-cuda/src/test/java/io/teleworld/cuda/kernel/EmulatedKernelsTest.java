package io.teleworld.cuda.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import io.teleworld.testkit.GraphCase;
import io.teleworld.testkit.OperatorCases;
import io.teleworld.testkit.ReferenceRuntime;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Numbers that the kernels give, on the CPU, against the interpreter and against plain loops. */
class EmulatedKernelsTest {

    private static final int SEEDS = 6;

    @TempDir
    static @Nullable Path directory;

    private static @Nullable KernelEmulator emulator;

    private final long seed = new SplittableRandom().nextLong();
    private final SplittableRandom random = new SplittableRandom(seed);

    @BeforeAll
    static void compile() {
        Assumptions.assumeTrue(KernelEmulator.has("g++"), "no g++");
        if (directory != null) {
            emulator = KernelEmulator.build(directory);
        }
    }

    private static KernelEmulator emulator() {
        if (emulator == null) {
            throw new IllegalStateException("not built");
        }
        return emulator;
    }

    // ------------------------------------------------------------------------------------------ operators

    @Test
    void everyOperatorInEveryFloatTypeMatchesTheInterpreter() {
        Set<Class<? extends Op>> without = Set.of(Op.ReadState.class, Op.WriteState.class, Op.MemoryBlock.class);
        for (Class<? extends Op> operator : Op.all()) {
            if (without.contains(operator)) {
                continue;
            }
            for (int k = 0; k < SEEDS; k++) {
                GraphCase c = OperatorCases.draw(operator, seed + k);
                check(c, DType.F32, 2e-5);
                if (k < 2) {
                    check(c, DType.BF16, 2e-2);
                    check(c, DType.F16, 4e-3);
                }
            }
        }
    }

    /** Runs a case with its floats stored as another type; the interpreter gets the same rounded numbers in F32. */
    private static void check(GraphCase c, DType stored, double tolerance) {
        Map<String, HostTensor> inputs = new LinkedHashMap<>();
        Map<String, Long> bindings = new HashMap<>();
        c.inputs().forEach((name, t) -> {
            inputs.put(name, rounded(t, stored));
            Shape s = c.graph().inputs().get(name).shape();
            for (int a = 0; a < s.rank(); a++) {
                if (s.dim(a).symbols().size() == 1 && s.dim(a).terms().size() == 1) {
                    bindings.put(s.dim(a).symbols().iterator().next(), t.shape()[a]);
                }
            }
        });
        Map<String, HostTensor> weights = new LinkedHashMap<>();
        c.weights().forEach((name, t) -> weights.put(name, rounded(t, stored)));
        Map<String, Tensor> expected = reference(c.graph(), weights, inputs);

        Map<Value, Integer> number = new HashMap<>();
        List<TensorType> types = new ArrayList<>();
        List<byte[]> buffers = new ArrayList<>();
        c.graph().inputs().forEach((name, v) -> put(v, inputs.get(name), stored, number, types, buffers));
        c.graph().parameters().forEach((name, v) -> put(v, weights.get(name), stored, number, types, buffers));
        c.graph().constants().forEach((v, t) -> put(v, t.tensor(), stored, number, types, buffers));
        List<KernelLaunch> launches = new ArrayList<>();
        for (Node node : c.graph().nodes()) {
            List<TensorType> in =
                    node.inputs().stream().map(v -> types.get(number.get(v))).toList();
            for (Value v : node.outputs()) {
                TensorType t =
                        new TensorType(as(v.dtype(), stored), Shape.of(v.shape().evaluate(bindings)));
                number.put(v, types.size());
                types.add(t);
                byte[] poison = new byte
                        [Math.toIntExact(
                                t.shape().elementCount().known() * t.dtype().byteSize())];
                Arrays.fill(poison, (byte) 0xa5);
                buffers.add(poison);
            }
            Op op = node.op() instanceof Op.Cast cast ? new Op.Cast(as(cast.to(), stored)) : node.op();
            List<Integer> out =
                    new ArrayList<>(node.outputs().stream().map(number::get).toList());
            List<TensorType> results = out.stream().map(types::get).toList();
            for (TensorType t : KernelCatalog.workspace(op, in, results)) {
                out.add(types.size());
                types.add(t);
                buffers.add(poison(Math.toIntExact(
                        t.shape().elementCount().known() * t.dtype().byteSize())));
            }
            KernelChoice choice = KernelCatalog.choose(
                    op,
                    in,
                    out.stream().map(types::get).toList(),
                    node.inputs().stream().map(number::get).toList(),
                    out);
            if (choice instanceof KernelChoice.Kernels k) {
                launches.addAll(k.launches());
            } else if (choice instanceof KernelChoice.Product p) {
                launches.add(p.fallback());
            } else {
                throw new AssertionError(choice + " for " + c.describe());
            }
        }
        emulator().run(launches, buffers);
        c.graph().outputs().forEach((name, v) -> {
            int b = number.get(v);
            double[] actual = numbers(types.get(b).dtype(), ByteBuffer.wrap(buffers.get(b)));
            Tensor e = expected.get(name);
            assertThat(e).isNotNull();
            if (e == null) {
                return;
            }
            double[] wanted = numbers(e.dtype(), e.hostBuffer());
            assertThat(actual).hasSameSizeAs(wanted);
            double allowed = e.dtype().isFloat() ? tolerance : 0;
            double size = Arrays.stream(wanted).map(Math::abs).max().orElse(0);
            for (int i = 0; i < wanted.length; i++) {
                double bound = allowed * (1 + (stored == DType.F32 ? Math.abs(wanted[i]) : size));
                if (!(Math.abs(actual[i] - wanted[i]) <= bound)) {
                    throw new AssertionError("element " + i + " of " + wanted.length + " of " + name + " in " + stored
                            + " is " + actual[i] + ", expected " + wanted[i] + "; " + launches + "\n" + c.describe());
                }
            }
        });
    }

    private static Map<String, Tensor> reference(
            Graph g, Map<String, HostTensor> weights, Map<String, HostTensor> inputs) {
        try (Scope scope = Scope.root("reference");
                ReferenceRuntime runtime = new ReferenceRuntime()) {
            var program = runtime.compile(g, Weights.of(weights), Precision.FP32);
            Map<String, Tensor> copies = new LinkedHashMap<>();
            program.run(inputs, program.newState(scope), RunOptions.DEFAULT, scope)
                    .forEach((name, t) -> {
                        ByteBuffer from = t.hostBuffer();
                        ByteBuffer to =
                                ByteBuffer.allocateDirect(from.remaining()).order(ByteOrder.LITTLE_ENDIAN);
                        to.put(from.duplicate()).flip();
                        copies.put(name, HostTensor.wrap(t.dtype(), to, t.shape()));
                    });
            program.close();
            return copies;
        }
    }

    private static DType as(DType dtype, DType stored) {
        return dtype == DType.F32 ? stored : dtype;
    }

    private static void put(
            Value v,
            @Nullable HostTensor t,
            DType stored,
            Map<Value, Integer> number,
            List<TensorType> types,
            List<byte[]> buffers) {
        if (t == null) {
            throw new IllegalStateException("no tensor for " + v);
        }
        DType to = as(v.dtype(), stored);
        number.put(v, types.size());
        types.add(new TensorType(to, Shape.of(t.shape())));
        buffers.add(bytes(to, numbers(t.dtype(), t.hostBuffer())));
    }

    private static HostTensor rounded(HostTensor t, DType stored) {
        if (!t.dtype().isFloat()) {
            return t;
        }
        double[] v = numbers(stored, ByteBuffer.wrap(bytes(stored, numbers(t.dtype(), t.hostBuffer()))));
        float[] f = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            f[i] = (float) v[i];
        }
        return HostTensor.ofFloats(f, t.shape());
    }

    // ------------------------------------------------------------------------------------------ tensor cores

    @Test
    void attentionByGroupsOfWarpsMatchesPlainLoops() {
        attends(64, 64, 1 + random.nextInt(140), 540 + random.nextInt(200), FlashShape.Mask.NONE);
        attends(128, 128, 1 + random.nextInt(140), 65 + random.nextInt(500), FlashShape.Mask.NONE);
        attends(64, 64, 1 + random.nextInt(140), 16 * (5 + random.nextInt(50)), FlashShape.Mask.HIDES);
        attends(128, 128, 1 + random.nextInt(140), 65 + random.nextInt(500), FlashShape.Mask.HIDES);
        attends(64, 64, 1 + random.nextInt(140), 65 + random.nextInt(500), FlashShape.Mask.ADDS);
        attends(128, 128, 1 + random.nextInt(140), 8 * (9 + random.nextInt(50)), FlashShape.Mask.ADDS);
    }

    @Test
    void headsOfOtherWidthsAreFilledUpWithZeros() {
        for (int keys : new int[] {1 + random.nextInt(64), 65 + random.nextInt(100)}) {
            FlashShape.Mask mask = FlashShape.Mask.values()[random.nextInt(3)];
            attends(16, 16, 1 + random.nextInt(30), keys, mask);
            attends(32, 48, 1 + random.nextInt(30), keys, mask);
            attends(96, 8, 1 + random.nextInt(30), keys, mask);
        }
        attends(384, 384, 1 + random.nextInt(140), 65 + random.nextInt(200), FlashShape.Mask.NONE);
        attends(160, 200, 1 + random.nextInt(20), 1 + random.nextInt(64), FlashShape.Mask.NONE);
    }

    @Test
    void attentionByWarpsMatchesPlainLoops() {
        for (int width : new int[] {64, 128}) {
            for (FlashShape.Mask mask : FlashShape.Mask.values()) {
                attends(width, width, 1 + random.nextInt(150), 1 + random.nextInt(64), mask);
            }
        }
    }

    private void attends(int width, int valueWidth, int queries, int keys, FlashShape.Mask kind) {
        int batch = 1 + random.nextInt(2);
        int heads = 1 + random.nextInt(2);
        double[] q = uniform(batch * queries * heads * width);
        double[] k = uniform(batch * keys * heads * width);
        double[] v = uniform(batch * keys * heads * valueWidth);
        boolean perSample = random.nextBoolean();
        // Runs of hidden keys, so that whole tiles are hidden; what is added is often nothing.
        int[] from = random.ints(queries, 0, keys).toArray();
        int[] to = random.ints(queries, 0, keys).toArray();
        int common = random.nextInt(keys);
        double[] mask = new double[(perSample ? batch : 1) * queries * keys];
        for (int i = 0; i < mask.length; i++) {
            int row = i / keys % queries;
            int key = i % keys;
            boolean seen = key >= common && (key == keys - 1 || key < from[row] || key > to[row]);
            if (kind == FlashShape.Mask.HIDES) {
                mask[i] = seen ? 1 : 0;
            } else {
                mask[i] = seen
                        ? key % 3 == 0 && row % 2 == 0 ? (float) random.nextDouble(-1, 1) : 0
                        : Double.NEGATIVE_INFINITY;
            }
        }
        DType maskType = kind == FlashShape.Mask.HIDES ? DType.BOOL : DType.BF16;
        List<byte[]> buffers = List.of(
                bytes(DType.BF16, q),
                bytes(DType.BF16, k),
                bytes(DType.BF16, v),
                poison(2 * batch * queries * heads * valueWidth),
                bytes(maskType, mask));
        double[] stored = numbers(maskType, ByteBuffer.wrap(buffers.get(4)));
        FlashShape shape = new FlashShape(batch, queries, keys, heads, width, valueWidth);
        int none = KernelLaunch.Buffer.NONE;
        boolean masked = kind != FlashShape.Mask.NONE;
        KernelLaunch launch = FusedKernels.flash(
                0,
                0,
                heads * width,
                1,
                2,
                3,
                none,
                1,
                keys,
                none,
                none,
                false,
                kind,
                masked ? 4 : none,
                masked && perSample,
                shape,
                0.2);
        emulator().run(List.of(launch), buffers);
        double[] expected = attention(
                buffers,
                shape,
                0.2,
                (b, h, i, j) -> {
                    double m = stored[((perSample ? b : 0) * queries + i) * keys + j];
                    return !masked ? 0 : kind == FlashShape.Mask.ADDS ? m : m != 0 ? 0 : Double.NEGATIVE_INFINITY;
                },
                j -> j,
                keys);
        assertClose(numbers(DType.BF16, ByteBuffer.wrap(buffers.get(3))), expected, 1e-2);
    }

    @Test
    void queriesThatSeeNoKeyGetZeros() {
        for (int keys : new int[] {40, 200}) {
            List<byte[]> buffers = List.of(
                    bytes(DType.BF16, uniform(3 * 64)),
                    bytes(DType.BF16, uniform(keys * 64)),
                    bytes(DType.BF16, uniform(keys * 64)),
                    poison(2 * 3 * 64),
                    bytes(DType.BOOL, draw(3 * keys, () -> 0)));
            int none = KernelLaunch.Buffer.NONE;
            FlashShape shape = new FlashShape(1, 3, keys, 1, 64);
            emulator()
                    .run(
                            List.of(FusedKernels.flash(
                                    0, 0, 64, 1, 2, 3, none, 1, keys, none, none, false, 4, false, shape, 0.2)),
                            buffers);
            assertThat(numbers(DType.BF16, ByteBuffer.wrap(buffers.get(3)))).containsOnly(0);
        }
    }

    @Test
    void attentionReadsARingOfFramesAndKeepsToTheListsOfBlocks() {
        ring(64, 40 + random.nextInt(20), 5);
        ring(128, 40 + random.nextInt(60), 5);
        ring(64, 5 + random.nextInt(10), 3);
    }

    private void ring(int width, int frameTokens, int frames) {
        int capacity = 7;
        int keys = frames * frameTokens;
        int row = 2 * width;
        FlashShape shape = new FlashShape(1, 200, keys, 2, width);
        int[] slots = random.ints(0, capacity).distinct().limit(frames).toArray();
        double[] q = uniform(200 * row);
        double[] k = uniform(capacity * frameTokens * row);
        double[] v = uniform(capacity * frameTokens * row);
        // Two blocks of queries, two heads: which blocks of 64 keys each sees.
        int blocks = (keys + 63) / 64;
        List<int[]> lists = IntStream.range(0, 4)
                .mapToObj(l -> IntStream.range(0, blocks)
                        .filter(b -> b == l % blocks || random.nextBoolean())
                        .toArray())
                .toList();
        int[] first = new int[5];
        for (int l = 0; l < 4; l++) {
            first[l + 1] = first[l] + lists.get(l).length;
        }
        int[] columns = lists.stream().flatMapToInt(Arrays::stream).toArray();
        List<byte[]> buffers = List.of(
                bytes(DType.BF16, q),
                bytes(DType.BF16, k),
                bytes(DType.BF16, v),
                poison(2 * q.length),
                bytes(DType.I32, doubles(slots)),
                bytes(DType.I32, doubles(first)),
                bytes(DType.I32, doubles(columns)));
        int none = KernelLaunch.Buffer.NONE;
        KernelLaunch launch = FusedKernels.flash(
                0, 0, row, 1, 2, 3, 4, frameTokens, capacity * frameTokens, 5, 6, true, none, false, shape, 0.125);
        emulator().run(List.of(launch), buffers);
        double[] expected = attention(
                buffers,
                shape,
                0.125,
                (s, h, i, j) -> Arrays.stream(lists.get(h * 2 + i / 128)).anyMatch(b -> b == j / 64)
                        ? 0
                        : Double.NEGATIVE_INFINITY,
                j -> slots[j / frameTokens] * frameTokens + j % frameTokens,
                capacity * frameTokens);
        assertClose(numbers(DType.BF16, ByteBuffer.wrap(buffers.get(3))), expected, 1e-2);
    }

    @Test
    void windowsOfWholeBlocksAreAttendedToByLists() {
        for (int k = 0; k < 4; k++) {
            int heads = 1 + random.nextInt(2);
            int width = heads * new int[] {32, 64, 128, 72}[k];
            int members = k == 2 ? 128 : 64;
            int windows = 2 + random.nextInt(3);
            int reach = 1 + random.nextInt(windows);
            int slabs = 1 + random.nextInt(3);
            int samples = 1 + random.nextInt(2);
            int keySamples = random.nextBoolean() ? samples : 1;
            long tokens = (long) windows * members;
            GraphBuilder b = new GraphBuilder("windows");
            long[] neighbours = new long[windows * reach];
            for (int i = 0; i < neighbours.length; i++) {
                neighbours[i] = ((long) i / reach + i % reach) % windows;
            }
            Value draft = b.input("draft", DType.F32, Shape.of(samples, windows, heads, (long) reach * slabs));
            Value kept = b.apply(new Op.Greater(), List.of(draft, b.scalar(0))).get(0);
            Value q = b.input("q", DType.F32, Shape.of(samples, tokens, width));
            Value keys = b.input("k", DType.F32, Shape.of(keySamples, slabs, tokens, width));
            Value values = b.input("v", DType.F32, Shape.of(keySamples, slabs, tokens, width));
            Value near = b.constant(neighbours, windows, reach);
            b.output("y", b.windowAttention(q, keys, values, kept, near, heads, 0.1));
            Graph g = b.build();
            Map<String, HostTensor> inputs = new LinkedHashMap<>();
            g.inputs().forEach((name, v) -> inputs.put(name, floats(v.shape().known())));
            check(new GraphCase("windows, seed " + seed, g, Map.of(), inputs), DType.BF16, 2e-2);
        }
    }

    /** What is added to the score of query {@code i} of a sample and head with key {@code j}. */
    private interface Added {
        double of(int sample, int head, int i, int j);
    }

    private interface Row {
        int of(int key);
    }

    private static double[] attention(
            List<byte[]> buffers, FlashShape s, double scale, Added added, Row row, int rows) {
        double[] q = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(0)));
        double[] k = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(1)));
        double[] v = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(2)));
        int wk = s.heads() * s.width();
        int wv = s.heads() * s.valueWidth();
        double[] out = new double[s.batch() * s.queries() * wv];
        for (int b = 0; b < s.batch(); b++) {
            for (int h = 0; h < s.heads(); h++) {
                for (int i = 0; i < s.queries(); i++) {
                    int at = (b * s.queries() + i) * wk + h * s.width();
                    int to = (b * s.queries() + i) * wv + h * s.valueWidth();
                    double sum = 0;
                    for (int j = 0; j < s.keys(); j++) {
                        double extra = added.of(b, h, i, j);
                        if (extra == Double.NEGATIVE_INFINITY) {
                            continue;
                        }
                        int from = (b * rows + row.of(j)) * wk + h * s.width();
                        double dot = 0;
                        for (int c = 0; c < s.width(); c++) {
                            dot += q[at + c] * k[from + c];
                        }
                        double p = Math.exp(dot * scale + extra);
                        sum += p;
                        from = (b * rows + row.of(j)) * wv + h * s.valueWidth();
                        for (int c = 0; c < s.valueWidth(); c++) {
                            out[to + c] += p * v[from + c];
                        }
                    }
                    for (int c = 0; c < s.valueWidth(); c++) {
                        out[to + c] /= sum;
                    }
                }
            }
        }
        return out;
    }

    @Test
    void decoderConvolutionMatchesTheInterpreter() {
        for (int taps : new int[] {9, 1}) {
            for (boolean second : new boolean[] {false, true}) {
                int n = 1 + random.nextInt(2);
                int h = 3 + random.nextInt(8);
                int w = 3 + random.nextInt(8);
                int c = 32;
                int m = 8 * (1 + random.nextInt(10));
                int inputs = second ? 2 * c : c;
                double[] x = uniform(n * h * w * c);
                double[] past = uniform(n * h * w * c);
                double[] weight = draw(m * taps * inputs, () -> random.nextDouble(-0.1, 0.1));
                double[] bias = uniform(m);
                double[] residual = uniform(n * h * w * m);
                List<byte[]> buffers = List.of(
                        bytes(DType.BF16, x),
                        bytes(DType.BF16, past),
                        bytes(DType.BF16, weight),
                        bytes(DType.F32, bias),
                        bytes(DType.BF16, residual),
                        poison(2 * residual.length));
                int none = KernelLaunch.Buffer.NONE;
                emulator()
                        .run(
                                List.of(FusedKernels.convolution(
                                        0, second ? 1 : none, 2, 3, second ? 4 : none, 5, n, h, w, c, m, taps, second)),
                                buffers);
                double[] xs = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(0)));
                double[] ps = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(1)));
                double[] ws = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(2)));
                double[] rs = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(4)));
                double[] expected = new double[residual.length];
                int reach = taps == 9 ? 1 : 0;
                for (int p = 0; p < n * h * w; p++) {
                    int col = p % w;
                    int row = p / w % h;
                    for (int o = 0; o < m; o++) {
                        double sum = (float) bias[o] + (second ? rs[p * m + o] : 0);
                        for (int t = 0; t < taps; t++) {
                            int dy = t / 3 - reach;
                            int dx = t % 3 - reach;
                            if (row + dy < 0 || row + dy >= h || col + dx < 0 || col + dx >= w) {
                                continue;
                            }
                            int q = p + dy * w + dx;
                            for (int ch = 0; ch < inputs; ch++) {
                                double value = ch < c ? xs[q * c + ch] : ps[q * c + ch - c];
                                sum += value * ws[(o * taps + t) * inputs + ch];
                            }
                        }
                        expected[p * m + o] = second ? Math.max(sum, 0) : sum;
                    }
                }
                assertClose(numbers(DType.BF16, ByteBuffer.wrap(buffers.get(5))), expected, 1e-2);
            }
        }
    }

    @Test
    void convolutionsOfManyChannelsMatchTheInterpreter() {
        for (int m : new int[] {1 + random.nextInt(20), 60, 65 + random.nextInt(100)}) {
            int c = 16 + random.nextInt(90);
            int kernel = 1 + random.nextInt(3);
            int stride = 1 + random.nextInt(2);
            int dilation = 1 + random.nextInt(2);
            GraphBuilder b = new GraphBuilder("convolution");
            Value x = b.input(
                    "x", DType.F32, Shape.of(1 + random.nextInt(3), c, 5 + random.nextInt(7), 5 + random.nextInt(9)));
            Value w = b.input("w", DType.F32, Shape.of(m, c, kernel, random.nextBoolean() ? kernel : 1));
            List<Integer> pads = List.of(random.nextInt(3), random.nextInt(3), random.nextInt(3), random.nextInt(3));
            Op.Conv op = new Op.Conv(List.of(stride, 1), pads, List.of(dilation, dilation), 1);
            Value bias = b.input("bias", DType.F32, Shape.of(m));
            b.output(
                    "y",
                    b.apply(op, random.nextBoolean() ? List.of(x, w) : List.of(x, w, bias))
                            .get(0));
            Graph g = b.build();
            Map<String, HostTensor> inputs = new LinkedHashMap<>();
            g.inputs().forEach((name, v) -> inputs.put(name, floats(v.shape().known())));
            check(new GraphCase("convolution, seed " + seed, g, Map.of(), inputs), DType.BF16, 1e-2);
        }
    }

    private HostTensor floats(long[] shape) {
        double[] d = uniform(Math.toIntExact(HostTensor.elementCount(shape)));
        float[] f = new float[d.length];
        for (int i = 0; i < f.length; i++) {
            f[i] = (float) d[i];
        }
        return HostTensor.ofFloats(f, shape);
    }

    // ------------------------------------------------------------------------------------------ fused

    @Test
    void wideRowsTakeTheVectorKernelsAndMatchTheInterpreter() {
        GraphBuilder b = new GraphBuilder("wide");
        int heads = 3;
        int width = heads * 64;
        Value x = b.input("x", DType.F32, Shape.of(2, 3, 5, width));
        Value shift = b.input("shift", DType.F32, Shape.of(2, 3, 1, width));
        Value scale = b.input("scale", DType.F32, Shape.of(2, 3, 1, width));
        Value normed = b.apply(new Op.ModulatedLayerNorm(1e-6), List.of(x, shift, scale))
                .get(0);
        b.output(
                "gated",
                b.apply(new Op.GatedResidual(), List.of(x, normed, scale)).get(0));
        Value rows = b.reshape(normed, Shape.of(2, 15, width));
        Value gain = b.input("gain", DType.F32, Shape.of(width));
        Value cosine = b.input("cosine", DType.F32, Shape.of(1, 15, 32));
        Value sine = b.input("sine", DType.F32, Shape.of(1, 15, 32));
        b.output(
                "turned",
                b.apply(new Op.NormedRotary(heads, 1e-6), List.of(rows, gain, cosine, sine))
                        .get(0));
        Graph g = b.build();
        Map<String, HostTensor> inputs = new LinkedHashMap<>();
        g.inputs().forEach((name, v) -> {
            double[] d = uniform(Math.toIntExact(v.shape().elementCount().known()));
            float[] f = new float[d.length];
            IntStream.range(0, f.length).forEach(i -> f[i] = (float) d[i]);
            inputs.put(name, HostTensor.ofFloats(f, v.shape().known()));
        });
        GraphCase c = new GraphCase("wide, seed " + seed, g, Map.of(), inputs);
        check(c, DType.F32, 2e-5);
        check(c, DType.BF16, 2e-2);
        check(c, DType.F16, 4e-3);
    }

    @Test
    void quantisedRowsUndoTheirScaleWithinTheStepOfE4m3() {
        int frames = 2;
        int tokens = 3;
        int width = 320;
        double[] x = uniform(frames * tokens * width);
        double[] shift = uniform(frames * width);
        double[] scale = uniform(frames * width);
        List<byte[]> buffers = List.of(
                bytes(DType.BF16, x),
                bytes(DType.BF16, shift),
                bytes(DType.BF16, scale),
                poison(x.length),
                poison(4 * frames * tokens),
                poison(2 * x.length));
        TensorType rows = new TensorType(DType.BF16, Shape.of(1, frames, tokens, width));
        TensorType vector = new TensorType(DType.BF16, Shape.of(1, frames, 1, width));
        KernelLaunch plain = FusedKernels.modulatedLayerNorm(1e-6, List.of(rows, vector, vector), List.of(0, 1, 2), 5);
        emulator()
                .run(
                        List.of(
                                plain,
                                FusedKernels.modulatedLayerNormQuantised(
                                        DType.BF16, 0, 1, 2, 3, 4, frames, tokens, width, 1e-6)),
                        buffers);
        double[] wanted = numbers(DType.BF16, ByteBuffer.wrap(buffers.get(5)));
        double[] codes = numbers(DType.F8_E4M3, ByteBuffer.wrap(buffers.get(3)));
        double[] rowScale = numbers(DType.F32, ByteBuffer.wrap(buffers.get(4)));
        for (int r = 0; r < frames * tokens; r++) {
            double[] row = Arrays.copyOfRange(wanted, r * width, (r + 1) * width);
            double top = Arrays.stream(row).map(Math::abs).max().orElse(0);
            assertThat(rowScale[r] * 448).isCloseTo(top, Offset.offset(top / 100));
            for (int i = 0; i < width; i++) {
                double undone = codes[r * width + i] * rowScale[r];
                assertThat(undone).isCloseTo(row[i], Offset.offset(Math.abs(row[i]) * 0.07 + top / 400));
            }
        }
    }

    @Test
    void keysAndValuesGoToTheSlotsOfTheirFramesAndComeBack() {
        int frames = 2;
        int frameTokens = 3;
        int tokens = frames * frameTokens;
        int width = 64;
        int capacity = 5;
        int[] slots = {4, 1};
        double[] qkv = uniform(tokens * 3 * width);
        double[] gain = uniform(width);
        double[] cosine = uniform(tokens * 16);
        double[] sine = uniform(tokens * 16);
        List<byte[]> buffers = List.of(
                bytes(DType.F32, qkv),
                bytes(DType.F32, gain),
                bytes(DType.F32, cosine),
                bytes(DType.F32, sine),
                bytes(DType.I32, doubles(slots)),
                bytes(DType.F32, new double[capacity * frameTokens * width]),
                bytes(DType.F32, new double[capacity * frameTokens * width]),
                poison(4 * tokens * width),
                poison(4 * tokens * width));
        int frameBytes = frameTokens * width * 4;
        emulator()
                .run(
                        List.of(
                                FusedKernels.normedRotaryToCache(
                                        DType.F32,
                                        0,
                                        4 * width,
                                        3 * width,
                                        1,
                                        2,
                                        3,
                                        5,
                                        4,
                                        tokens,
                                        width,
                                        32,
                                        frameTokens,
                                        1e-6),
                                FusedKernels.valuesToCache(
                                        DType.F32, 0, 8 * width, 3 * width, 6, 4, tokens, width, frameTokens, capacity),
                                KernelCatalog.readFrames(5, 4, 7, frames, frameBytes, capacity),
                                KernelCatalog.readFrames(6, 4, 8, frames, frameBytes, capacity)),
                        buffers);
        double[] keys = numbers(DType.F32, ByteBuffer.wrap(buffers.get(7)));
        double[] values = numbers(DType.F32, ByteBuffer.wrap(buffers.get(8)));
        double[] cache = numbers(DType.F32, ByteBuffer.wrap(buffers.get(5)));
        for (int t = 0; t < tokens; t++) {
            double[] row = Arrays.copyOfRange(qkv, (3 * t + 1) * width, (3 * t + 2) * width);
            double r = 1 / Math.sqrt(Arrays.stream(row).map(a -> a * a).sum() / width + 1e-6);
            for (int i = 0; i < width; i++) {
                int even = i & ~1;
                double c = cosine[t * 16 + i % 32 / 2];
                double s = sine[t * 16 + i % 32 / 2];
                double re = row[even] * r * gain[even];
                double im = row[even + 1] * r * gain[even + 1];
                double turned = i == even ? re * c - im * s : re * s + im * c;
                assertThat(keys[t * width + i]).isCloseTo(turned, Offset.offset(1e-4));
                assertThat(values[t * width + i]).isCloseTo(qkv[(3 * t + 2) * width + i], Offset.offset(1e-6));
                assertThat(cache[(slots[t / frameTokens] * frameTokens + t % frameTokens) * width + i])
                        .isEqualTo(keys[t * width + i]);
            }
        }
    }

    @Test
    void flowStepsPatchesAndBytesMatchTheirFormulas() {
        int c = 3;
        int f = 2;
        int h = 4;
        int w = 6;
        int n = c * f * h * w;
        double[] x = uniform(n);
        double[] velocity = uniform(n);
        double[] noise = uniform(n);
        List<byte[]> buffers = List.of(
                bytes(DType.F32, x),
                bytes(DType.F32, velocity),
                bytes(DType.F32, noise),
                poison(4 * n),
                poison(4 * n),
                poison(4 * n),
                poison(4 * n),
                poison(n));
        emulator()
                .run(
                        List.of(
                                FusedKernels.flowStep(DType.F32, 0, 1, KernelLaunch.Buffer.NONE, 3, n, 0.8, 0.5),
                                FusedKernels.flowStep(DType.F32, 0, 1, 2, 4, n, 0.8, 0.5),
                                FusedKernels.patchify(DType.F32, 0, 5, c, f, h, w, 2),
                                FusedKernels.unpatchify(DType.F32, 0, 6, c, f, h, w, 2),
                                FusedKernels.rgb(DType.F32, 0, 7, f, h * w, h * w, f * h * w, 1)),
                        buffers);
        double[] euler = numbers(DType.F32, ByteBuffer.wrap(buffers.get(3)));
        double[] renoised = numbers(DType.F32, ByteBuffer.wrap(buffers.get(4)));
        double[] tokens = numbers(DType.F32, ByteBuffer.wrap(buffers.get(5)));
        double[] latent = numbers(DType.F32, ByteBuffer.wrap(buffers.get(6)));
        double[] rgb = numbers(DType.U8, ByteBuffer.wrap(buffers.get(7)));
        for (int i = 0; i < n; i++) {
            assertThat(euler[i]).isCloseTo(x[i] - 0.3 * velocity[i], Offset.offset(1e-5));
            assertThat(renoised[i]).isCloseTo(0.5 * (x[i] - 0.8 * velocity[i]) + 0.5 * noise[i], Offset.offset(1e-5));
            int col = i % w;
            int row = i / w % h;
            int frame = i / w / h % f;
            int ch = i / w / h / f;
            int token = (frame * (h / 2) + row / 2) * (w / 2) + col / 2;
            assertThat(tokens[token * 4 * c + ch * 4 + row % 2 * 2 + col % 2]).isCloseTo(x[i], Offset.offset(1e-6));
            assertThat(latent[i]).isCloseTo(x[(token * 4 + row % 2 * 2 + col % 2) * c + ch], Offset.offset(1e-6));
            assertThat(rgb[((frame * h + row) * w + col) * 3 + ch])
                    .isCloseTo(Math.min(Math.max(x[i], -1), 1) * 127.5 + 127.5, Offset.offset(0.501));
        }
    }

    @Test
    void splattedPointsShowTheNearestPerPixel() {
        int n = 300;
        int h = 9;
        int w = 12;
        int radius = random.nextInt(2);
        double[] points = draw(3 * n, () -> (float) random.nextDouble(-2, 2));
        double[] colours = draw(n, () -> random.nextInt(1 << 24));
        double[] k = {6, 6, 6, 4.5};
        double[] camera = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0.25, -0.5, 1.5};
        List<byte[]> buffers = List.of(
                bytes(DType.F32, points),
                bytes(DType.I32, colours),
                poison(8 * h * w),
                poison(12 * h * w),
                poison(4 * h * w),
                poison(h * w));
        emulator().run(FusedKernels.splat(DType.F32, 0, 1, 2, 3, 4, 5, n, h, w, radius, 0.1, k, camera), buffers);
        double[] rgb = numbers(DType.F32, ByteBuffer.wrap(buffers.get(3)));
        double[] depth = numbers(DType.F32, ByteBuffer.wrap(buffers.get(4)));
        double[] seen = numbers(DType.BOOL, ByteBuffer.wrap(buffers.get(5)));
        for (int p = 0; p < h * w; p++) {
            double best = Double.POSITIVE_INFINITY;
            int colour = 0;
            for (int i = 0; i < n; i++) {
                double z = points[3 * i + 2] + 1.5;
                if (z < 0.1) {
                    continue;
                }
                double u = 6 * (points[3 * i] + 0.25) / z + 6;
                double v = 6 * (points[3 * i + 1] - 0.5) / z + 4.5;
                boolean covers = Math.abs(Math.floor(u) - p % w) <= radius && Math.abs(Math.floor(v) - p / w) <= radius;
                if (covers && z < best) {
                    best = z;
                    colour = (int) colours[i];
                }
            }
            assertThat(seen[p]).isEqualTo(best < 1e9 ? 1 : 0);
            assertThat(depth[p]).isCloseTo(best < 1e9 ? best : 0, Offset.offset(1e-5));
            for (int c = 0; c < 3; c++) {
                double wanted = best < 1e9 ? (colour >> 8 * c & 255) / 127.5 - 1 : 0;
                assertThat(rgb[c * h * w + p]).isCloseTo(wanted, Offset.offset(1e-5));
            }
        }
    }

    // ------------------------------------------------------------------------------------------ numbers

    private double[] uniform(int n) {
        return draw(n, () -> (float) random.nextDouble(-1.5, 1.5));
    }

    private static double[] draw(int n, DoubleSupplier element) {
        double[] d = new double[n];
        Arrays.setAll(d, i -> element.getAsDouble());
        return d;
    }

    private static double[] doubles(int[] v) {
        return Arrays.stream(v).asDoubleStream().toArray();
    }

    private static byte[] poison(int size) {
        byte[] b = new byte[size];
        Arrays.fill(b, (byte) 0xa5);
        return b;
    }

    private static void assertClose(double[] actual, double[] expected, double relative) {
        assertThat(actual).hasSameSizeAs(expected);
        double difference = 0;
        double norm = 0;
        double worst = 0;
        double size = 0;
        for (int i = 0; i < expected.length; i++) {
            double d = actual[i] - expected[i];
            difference += d * d;
            norm += expected[i] * expected[i];
            worst = Math.max(worst, Math.abs(d));
            size = Math.max(size, Math.abs(expected[i]));
        }
        assertThat(Math.sqrt(difference / norm)).isLessThan(relative);
        assertThat(worst).isLessThan(5 * relative * size);
    }

    static byte[] bytes(DType dtype, double[] v) {
        ByteBuffer b = ByteBuffer.allocate(v.length * dtype.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
        for (double d : v) {
            switch (dtype) {
                case F32 -> b.putFloat((float) d);
                case BF16 -> b.putShort(FloatFormats.floatToBf16((float) d));
                case F16 -> b.putShort(FloatFormats.floatToF16((float) d));
                case I64 -> b.putLong((long) d);
                case I32 -> b.putInt((int) d);
                case BOOL, U8 -> b.put((byte) d);
                default -> throw new IllegalArgumentException("element type " + dtype);
            }
        }
        return b.array();
    }

    static double[] numbers(DType dtype, ByteBuffer from) {
        ByteBuffer b = from.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        double[] v = new double[b.remaining() / dtype.byteSize()];
        for (int i = 0; i < v.length; i++) {
            v[i] = switch (dtype) {
                case F32 -> b.getFloat();
                case BF16 -> FloatFormats.bf16ToFloat(b.getShort());
                case F16 -> FloatFormats.f16ToFloat(b.getShort());
                case F8_E4M3 -> FloatFormats.f8e4m3ToFloat(b.get());
                case I64 -> b.getLong();
                case I32 -> b.getInt();
                case BOOL, U8 -> b.get() & 0xff;
                default -> throw new IllegalArgumentException("element type " + dtype);
            };
        }
        return v;
    }
}
