package io.teleworld.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** The interpreter against values worked out by hand or known in closed form. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KernelsTest {

    private final Set<String> covered = new TreeSet<>();

    @Test
    void elementByElement() {
        check(new Op.Abs(), f(-2, 3), 2, 3);
        check(new Op.Neg(), f(-2, 3), 2, -3);
        check(new Op.Exp(), f(0, 1), 1, 2.7182818f);
        check(new Op.Log(), f(1, 10), 0, 2.3025851f);
        check(new Op.Sqrt(), f(4, 2), 2, 1.4142135f);
        check(new Op.Reciprocal(), f(4, -0.5f), 0.25f, -2);
        check(new Op.Sin(), f(0, 1.5707964f), 0, 1);
        check(new Op.Cos(), f(0, 3.1415927f), 1, -1);
        check(new Op.Tanh(), f(0, 1), 0, 0.7615942f);
        check(new Op.Sigmoid(), f(0, 2), 0.5f, 0.8807971f);
        check(new Op.Relu(), f(-1, 2), 0, 2);
        check(new Op.Softplus(), f(0, 100, -100), 0.6931472f, 100, 0);
        check(new Op.Erf(), f(0, 0.5f, -1, 3, 9), 0, 0.5204999f, -0.8427008f, 0.9999779f, 1);
        check(new Op.Floor(), f(1.5f, -1.5f, 2), 1, -2, 2);
        check(new Op.Gelu(false), f(0, 1, -2), 0, 0.8413447f, -0.0455003f);
        check(new Op.Gelu(true), f(0, 1, -2), 0, 0.8411920f, -0.0454023f);
        check(new Op.Silu(), f(0, 2), 0, 1.7615942f);
        check(new Op.Clip(-1, 2), f(-3, 0, 3), -1, 0, 2);
    }

    @Test
    void casts() {
        check(new Op.Cast(DType.I64), f(1.9f, -1.9f), 1, -1);
        check(new Op.Cast(DType.BOOL), f(0, -0.5f), 0, 1);
        check(new Op.Cast(DType.F32), HostTensor.ofBooleans(new boolean[] {true, false}, 2), 1, 0);
        check(new Op.Cast(DType.F16), f(1.0009766f, 65504), 1.0009766f, 65504);
        check(new Op.Cast(DType.BF16), f(1.0039062f), 1);
    }

    @Test
    void pairs() {
        HostTensor column = HostTensor.ofFloats(new float[] {10, 20}, 2, 1);
        check(new Op.Add(), column, f(1, 2, 3), 11, 12, 13, 21, 22, 23);
        check(new Op.Sub(), column, f(1, 2), 9, 8, 19, 18);
        check(new Op.Mul(), column, f(1, 2), 10, 20, 20, 40);
        check(new Op.Div(), column, f(4, 5), 2.5f, 2, 5, 4);
        check(new Op.Div(), longs(-7, 7), longs(2, 2), -3, 3);
        check(new Op.Pow(), f(2, 4), f(3, 0.5f), 8, 2);
        check(new Op.Max(), column, f(15), 15, 20);
        check(new Op.Min(), column, f(15), 10, 15);
        check(new Op.Equal(), f(1, 2), f(1, 3), 1, 0);
        check(new Op.Less(), f(1, 2, 3), f(2), 1, 0, 0);
        check(new Op.Greater(), f(1, 2, 3), f(2), 0, 0, 1);
        HostTensor p = HostTensor.ofBooleans(new boolean[] {true, true, false, false}, 4);
        HostTensor q = HostTensor.ofBooleans(new boolean[] {true, false, true, false}, 4);
        check(new Op.And(), p, q, 1, 0, 0, 0);
        check(new Op.Or(), p, q, 1, 1, 1, 0);
        check(new Op.Where(), List.of(q, f(1, 2, 3, 4), f(9)), 1, 9, 3, 9);
    }

    @Test
    void reductions() {
        HostTensor x = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        check(new Op.ReduceSum(List.of(0), false), x, 5, 7, 9);
        check(new Op.ReduceSum(List.of(0, -1), true), x, 21);
        check(new Op.ReduceMean(List.of(1), false), x, 2, 5);
        check(new Op.ReduceMax(List.of(-2), true), x, 4, 5, 6);
        float e = (float) Math.E;
        check(new Op.Softmax(-1), f(0, 1), 1 / (1 + e), e / (1 + e));
        check(
                new Op.Softmax(0),
                HostTensor.ofFloats(new float[] {0, 1000, 1, 1000}, 2, 2),
                1 / (1 + e),
                0.5f,
                e / (1 + e),
                0.5f);
    }

    @Test
    void normalisations() {
        check(new Op.LayerNormalization(0.25), List.of(f(1, 3), f(2, 2), f(10, 20)), 10 - 1.7888544f, 21.7888544f);
        check(new Op.LayerNormalization(3), List.of(f(1, 3), f(1, 2)), -0.5f, 1);
        check(new Op.RMSNormalization(0), List.of(f(3, -4), f(1, 2)), 0.8485281f, -2.2627417f);
        // Two groups of two channels with two pixels each: means 2.5 and 0, variances 1.25 and 4.
        check(
                new Op.GroupNormalization(2, 0),
                List.of(
                        HostTensor.ofFloats(new float[] {1, 2, 3, 4, 2, -2, -2, 2}, 1, 4, 2),
                        f(1, 1, 1, 3),
                        f(0, 0, 5, 0)),
                -1.3416408f,
                -0.4472136f,
                0.4472136f,
                1.3416408f,
                6,
                4,
                -3,
                3);
    }

    @Test
    void matrixProducts() {
        HostTensor a = HostTensor.ofFloats(new float[] {1, 2, 3, 4}, 2, 2);
        HostTensor b = HostTensor.ofFloats(new float[] {5, 6, 7, 8}, 2, 2);
        check(new Op.MatMul(), a, b, 19, 22, 43, 50);
        HostTensor stack = HostTensor.ofFloats(new float[] {1, 0, 0, 1, 0, 1, 1, 0}, 2, 2, 2);
        check(new Op.MatMul(), stack, b, 5, 6, 7, 8, 7, 8, 5, 6);
        check(new Op.Linear(), List.of(a, b, f(100, 200)), 117, 223, 139, 253);
    }

    @Test
    void convolutions() {
        HostTensor line = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5}, 1, 1, 5);
        HostTensor taps = HostTensor.ofFloats(new float[] {1, 10, 100}, 1, 1, 3);
        check(conv(1, List.of(0, 0), 1, 1), line, taps, 321, 432, 543);
        check(conv(1, List.of(2, 0), 1, 1), line, taps, 100, 210, 321, 432, 543);
        check(conv(2, List.of(1, 1), 1, 1), line, taps, 210, 432, 54);
        check(conv(1, List.of(0, 0), 2, 1), line, taps, 531);
        HostTensor two = HostTensor.ofFloats(new float[] {1, 2, 3, 4}, 1, 2, 2);
        HostTensor each = HostTensor.ofFloats(new float[] {10, 100}, 2, 1, 1);
        check(conv(1, List.of(0, 0), 1, 2), List.of(two, each, f(1, 2)), 11, 21, 302, 402);
        HostTensor both = HostTensor.ofFloats(new float[] {10, 100}, 1, 2, 1);
        check(conv(1, List.of(0, 0), 1, 1), two, both, 310, 420);
        // A plane: pads are top, left, bottom, right, so one column of zeros is on the right only.
        HostTensor plane = HostTensor.ofFloats(new float[] {1, 2, 3, 4}, 1, 1, 2, 2);
        HostTensor kernel = HostTensor.ofFloats(new float[] {1, 10, 100, 1000}, 1, 1, 2, 2);
        check(
                new Op.Conv(List.of(1, 1), List.of(0, 0, 0, 1), List.of(1, 1), 1),
                plane,
                kernel,
                1 + 20 + 300 + 4000,
                2 + 400);
    }

    @Test
    void attention() {
        HostTensor q = HostTensor.ofFloats(new float[] {1, 0}, 1, 1, 2);
        HostTensor k = HostTensor.ofFloats(new float[] {1, 5, 0, 7}, 1, 2, 2);
        HostTensor v = HostTensor.ofFloats(new float[] {10, 1, 20, 3}, 1, 2, 2);
        float e = (float) Math.exp(0.5);
        float p = e / (1 + e);
        check(new Op.Attention(1, 0.5), List.of(q, k, v), 10 * p + 20 * (1 - p), p + 3 * (1 - p));
        // Two heads of width 1: the second head's query is 0, so it averages.
        check(new Op.Attention(2, 0.5), List.of(q, k, v), 10 * p + 20 * (1 - p), 2);
        HostTensor hidden = HostTensor.ofBooleans(new boolean[] {false, true}, 1, 2);
        check(new Op.Attention(1, 0.5), List.of(q, k, v, hidden), 20, 3);
        HostTensor added = HostTensor.ofFloats(new float[] {-0.5f, 0}, 1, 1, 1, 2);
        check(new Op.Attention(1, 0.5), List.of(q, k, v, added), 15, 2);
    }

    @Test
    void rotary() {
        // One quarter turn of the first pair, none of the second; the same angles for both heads.
        HostTensor x = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 1, 1, 8);
        HostTensor cos = HostTensor.ofFloats(new float[] {0, 1}, 1, 1, 2);
        HostTensor sin = HostTensor.ofFloats(new float[] {1, 0}, 1, 1, 2);
        check(new Op.RotaryEmbedding(2), List.of(x, cos, sin), -2, 1, 3, 4, -6, 5, 7, 8);
        HostTensor pair = HostTensor.ofFloats(new float[] {3, -4}, 1, 1, 2);
        HostTensor zero = HostTensor.ofFloats(new float[] {0}, 1, 1, 1);
        HostTensor one = HostTensor.ofFloats(new float[] {1}, 1, 1, 1);
        check(new Op.NormedRotary(1, 0), List.of(pair, f(1, 2), zero, one), 2.2627417f, 0.8485281f);
    }

    @Test
    void movesElements() {
        HostTensor x = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        check(new Op.Reshape(Shape.of(3, 2)), x, 1, 2, 3, 4, 5, 6);
        check(new Op.Transpose(List.of(1, 0)), x, 1, 4, 2, 5, 3, 6);
        check(new Op.Concat(1), x, HostTensor.ofFloats(new float[] {8, 9}, 2, 1), 1, 2, 3, 8, 4, 5, 6, 9);
        check(new Op.Slice(-1, -2, Op.Slice.TO_END), x, 2, 3, 5, 6);
        check(new Op.Slice(1, 0, -1), x, 1, 2, 4, 5);
        check(new Op.Gather(1), x, longs(2, 0), 3, 1, 6, 4);
        check(new Op.Gather(0), x, HostTensor.ofLongs(new long[] {1}), 4, 5, 6);
        check(new Op.Expand(Shape.of(2, 2)), HostTensor.ofFloats(new float[] {1, 2}, 2, 1), 1, 1, 2, 2);
        check(new Op.Pad(List.of(1, 2), Op.PadMode.EDGE), f(1, 2), 1, 1, 2, 2, 2);
        check(new Op.Pad(List.of(1, 2), Op.PadMode.CONSTANT), f(1, 2), 0, 1, 2, 0, 0);
        List<float[]> parts = run(new Op.Split(1, List.of(1L, 2L)), List.of(x));
        assertThat(parts.get(0)).containsExactly(1, 4);
        assertThat(parts.get(1)).containsExactly(2, 3, 5, 6);
        assertThatThrownBy(() -> run(new Op.Gather(0), List.of(x, longs(2))))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("index 2 is outside [0, 2)");
    }

    @Test
    void images() {
        HostTensor x = HostTensor.ofFloats(new float[] {0, 4, 8, 12}, 1, 1, 2, 2);
        check(new Op.Resize(1, 2, Op.ResizeMode.NEAREST), x, 0, 0, 4, 4, 8, 8, 12, 12);
        check(new Op.Resize(1, 2, Op.ResizeMode.LINEAR), x, 0, 1, 3, 4, 8, 9, 11, 12);
        check(new Op.Resize(2, 1, Op.ResizeMode.LINEAR), x, 0, 4, 2, 6, 6, 10, 8, 12);
        // Channel-first order: channel c·4 + 2·i + j goes to row i and column j of block c.
        HostTensor channels = HostTensor.ofFloats(new float[] {0, 1, 2, 3, 4, 5, 6, 7}, 1, 8, 1, 1);
        check(new Op.DepthToSpace(2), channels, 0, 1, 2, 3, 4, 5, 6, 7);
        HostTensor wide = HostTensor.ofFloats(new float[] {0, 10, 1, 11, 2, 12, 3, 13}, 1, 4, 1, 2);
        check(new Op.DepthToSpace(2), wide, 0, 1, 10, 11, 2, 3, 12, 13);
    }

    @Test
    void blocks() {
        HostTensor x = HostTensor.ofFloats(new float[] {1, 3}, 1, 1, 1, 2);
        HostTensor v = HostTensor.ofFloats(new float[] {10}, 1, 1, 1, 1);
        check(new Op.ModulatedLayerNorm(0), List.of(x, v, HostTensor.zeros(DType.F32, 1, 1, 1, 1)), 9, 11);
        check(new Op.ModulatedLayerNorm(3), List.of(x, v, v), 10 - 5.5f, 10 + 5.5f);
        check(new Op.GatedResidual(), List.of(x, x, v), 11, 33);
        // One pixel: only the centre taps count. relu(5·x + 7·past − 1) = 5·2 + 7·3 − 1 = 30; ·2 + 1 = 61; ·(−1) + 60 =
        // −1; + x.
        HostTensor pixel = HostTensor.ofFloats(new float[] {2}, 1, 1, 1, 1);
        HostTensor past = HostTensor.ofFloats(new float[] {3}, 1, 1, 1, 1);
        List<HostTensor> in =
                new ArrayList<>(List.of(pixel, past, centre(5, 7), f(-1), centre(2), f(1), centre(-1), f(60)));
        check(new Op.MemoryBlock(), in, 1);
        in.add(HostTensor.ofFloats(new float[] {4}, 1, 1, 1, 1));
        check(new Op.MemoryBlock(), in, 7);
    }

    @Test
    void windows() {
        // Three windows of one token. The first sees itself and the second at scores ln 1 and ln 3, the second only the
        // third, the third nothing.
        HostTensor q = HostTensor.ofFloats(new float[] {1, 1, 1}, 1, 3, 1);
        HostTensor k = HostTensor.ofFloats(new float[] {0, (float) Math.log(3), 7}, 1, 1, 3, 1);
        HostTensor v = HostTensor.ofFloats(new float[] {4, 8, 5}, 1, 1, 3, 1);
        HostTensor kept = HostTensor.ofBooleans(new boolean[] {true, true, false, true, false, false}, 1, 3, 1, 2);
        HostTensor neighbours = HostTensor.ofLongs(new long[] {0, 1, 0, 2, 1, 2}, 3, 2);
        check(new Op.WindowAttention(1, 1), List.of(q, k, v, kept, neighbours), 7, 5, 0);
    }

    @AfterAll
    void everyOperatorIsCovered() {
        Set<String> all = Op.all().stream().map(Class::getSimpleName).collect(Collectors.toCollection(TreeSet::new));
        all.removeAll(covered);
        assertThat(all).as("operators without a literal case").containsOnly("ReadState", "WriteState");
    }

    /** A weight [1,channels,3,3] that is zero except for its centre taps. */
    private static HostTensor centre(float... perChannel) {
        float[] w = new float[9 * perChannel.length];
        for (int c = 0; c < perChannel.length; c++) {
            w[9 * c + 4] = perChannel[c];
        }
        return HostTensor.ofFloats(w, 1, perChannel.length, 3, 3);
    }

    private static Op conv(int stride, List<Integer> pads, int dilation, int group) {
        return new Op.Conv(List.of(stride), pads, List.of(dilation), group);
    }

    private static HostTensor f(float... values) {
        return HostTensor.ofFloats(values, values.length);
    }

    private static HostTensor longs(long... values) {
        return HostTensor.ofLongs(values, values.length);
    }

    private void check(Op op, HostTensor x, float... expected) {
        check(op, List.of(x), expected);
    }

    private void check(Op op, HostTensor x, HostTensor y, float... expected) {
        check(op, List.of(x, y), expected);
    }

    private void check(Op op, List<HostTensor> in, float... expected) {
        assertThat(run(op, in).get(0)).as(op + " of " + in).containsExactly(expected, within(2e-6f * 10));
    }

    private List<float[]> run(Op op, List<HostTensor> in) {
        covered.add(op.getClass().getSimpleName());
        GraphBuilder b = new GraphBuilder("one operator");
        Map<String, HostTensor> inputs = new LinkedHashMap<>();
        List<Value> values = new ArrayList<>();
        for (HostTensor t : in) {
            String name = "x" + inputs.size();
            inputs.put(name, t);
            values.add(b.input(name, t.dtype(), Shape.of(t.shape())));
        }
        List<Value> out = b.apply(op, values);
        for (Value v : out) {
            b.output(v.name(), b.cast(v, DType.F32));
        }
        try (ReferenceRuntime runtime = new ReferenceRuntime();
                Scope scope = Scope.root("one operator");
                Program p = runtime.compile(b.build(), Weights.of(Map.of()), Precision.FP32)) {
            Map<String, Tensor> results = p.run(inputs, p.newState(scope), RunOptions.DEFAULT, scope);
            return out.stream()
                    .map(v -> Objects.requireNonNull(results.get(v.name())).toFloatArray())
                    .toList();
        }
    }
}
