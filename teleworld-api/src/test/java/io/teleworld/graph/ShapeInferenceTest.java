package io.teleworld.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Each broken rule names the operator, its inputs and the rule; and shapes with symbols come out as they should. */
class ShapeInferenceTest {

    private static final Dim N = Dim.symbol("n");

    private record Broken(Op op, String rule, TensorType... inputs) {}

    private static TensorType f(long... shape) {
        return new TensorType(DType.F32, Shape.of(shape));
    }

    private static TensorType f(Dim... shape) {
        return new TensorType(DType.F32, Shape.of(shape));
    }

    private static TensorType of(DType dtype, long... shape) {
        return new TensorType(dtype, Shape.of(shape));
    }

    private static List<Broken> broken() {
        Op conv = new Op.Conv(List.of(1, 1), List.of(0, 0, 0, 0), List.of(1, 1), 1);
        State.Register register = new State.Register("r", DType.F32, Shape.of(2));
        State.FrameCache cache = new State.FrameCache("c", "g", DType.F32, Shape.of(2), 3);
        List<Broken> all = new ArrayList<>(List.of(
                new Broken(new Op.Tanh(), "takes 1 inputs, got 2", f(1), f(1)),
                new Broken(new Op.Gelu(true), "input 0 must be floating point", of(DType.I64, 2)),
                new Broken(new Op.Clip(0, 1), "input 0 must be floating point", of(DType.BOOL, 2)),
                new Broken(new Op.Cast(DType.F16), "takes 1 inputs, got 0"),
                new Broken(new Op.Add(), "[2,3] and [4] do not broadcast", f(2, 3), f(4)),
                new Broken(new Op.Add(), "do not broadcast", f(N, Dim.of(3)), f(2, 3)),
                new Broken(new Op.Mul(), "input 1 must have the element type of input 0", f(2), of(DType.I64, 2)),
                new Broken(new Op.Max(), "inputs must be numeric", of(DType.BOOL, 2), of(DType.BOOL, 2)),
                new Broken(new Op.Equal(), "input 1 must have the element type", f(2), of(DType.I64, 2)),
                new Broken(new Op.Less(), "inputs must be numeric", of(DType.BOOL, 2), of(DType.BOOL, 2)),
                new Broken(new Op.And(), "input 1 must be BOOL", of(DType.BOOL, 2), f(2)),
                new Broken(new Op.Where(), "input 0 must be BOOL", f(2), f(2), f(2)),
                new Broken(new Op.ReduceSum(List.of(), true), "at least one axis", f(2)),
                new Broken(new Op.ReduceMean(List.of(0, -2), true), "axis -2 is given twice", f(2, 2)),
                new Broken(new Op.ReduceMax(List.of(2), true), "axis 2 must lie in [-2, 2)", f(2, 2)),
                new Broken(new Op.Softmax(-3), "axis -3 must lie in [-2, 2)", f(2, 2)),
                new Broken(new Op.LayerNormalization(1e-5), "input 1 must have shape [4]", f(2, 4), f(3)),
                new Broken(new Op.LayerNormalization(1e-5), "at least one axis", of(DType.F32), f(3)),
                new Broken(new Op.RMSNormalization(1e-5), "input 1 must have shape [4]", f(2, 4), f(1, 4)),
                new Broken(new Op.GroupNormalization(2, 1e-5), "2 groups must divide 3", f(1, 3, 4), f(3), f(3)),
                new Broken(new Op.GroupNormalization(1, 1e-5), "rank 3 or more", f(1, 3), f(3), f(3)),
                new Broken(new Op.MatMul(), "inner extents 3 and 4 must be equal", f(2, 3), f(4, 2)),
                new Broken(new Op.MatMul(), "rank 2 or more", f(3), f(3, 2)),
                new Broken(new Op.MatMul(), "do not broadcast", f(2, 2, 3), f(5, 3, 2)),
                new Broken(conv, "rank 3, 4 or 5", f(1, 3), f(2, 3)),
                new Broken(conv, "the weight must have rank 4", f(1, 3, 5, 5), f(2, 3, 3)),
                new Broken(conv, "channels 3 must be group × weight channels 4", f(1, 3, 5, 5), f(2, 4, 3, 3)),
                new Broken(conv, "input 2 must have shape [2]", f(1, 3, 5, 5), f(2, 3, 3, 3), f(3)),
                new Broken(conv, "kernel reach 3 exceeds the padded extent 2", f(1, 3, 2, 5), f(2, 3, 3, 3)),
                new Broken(
                        new Op.Conv(List.of(1), List.of(0, 0), List.of(1), 1),
                        "strides and dilations need 2 entries, pads 4",
                        f(1, 3, 5, 5),
                        f(2, 3, 3, 3)),
                new Broken(
                        new Op.Conv(List.of(2), List.of(0, 0), List.of(1), 1),
                        "symbolic extent n with stride 2 leaves a remainder",
                        f(Dim.of(1), Dim.of(3), N),
                        f(2, 3, 3)),
                new Broken(new Op.Attention(3, 1), "3 heads must divide the width", f(1, 2, 4), f(1, 5, 4), f(1, 5, 4)),
                new Broken(new Op.Attention(2, 1), "equal lengths", f(1, 2, 4), f(1, 5, 4), f(1, 6, 4)),
                new Broken(new Op.Attention(2, 1), "batch extents", f(1, 2, 4), f(2, 5, 4), f(2, 5, 4)),
                new Broken(new Op.Attention(2, 1), "equal widths", f(1, 2, 4), f(1, 5, 8), f(1, 5, 4)),
                new Broken(
                        new Op.Attention(2, 1),
                        "the mask must end in [2,5]",
                        f(1, 2, 4),
                        f(1, 5, 4),
                        f(1, 5, 4),
                        f(2, 4)),
                new Broken(
                        new Op.Attention(2, 1),
                        "the mask must be BOOL",
                        f(1, 2, 4),
                        f(1, 5, 4),
                        f(1, 5, 4),
                        of(DType.I64, 2, 5)),
                new Broken(
                        new Op.RotaryEmbedding(2),
                        "width must be divisible by 2 × 2",
                        f(1, 3, 6),
                        f(1, 3, 1),
                        f(1, 3, 1)),
                new Broken(
                        new Op.RotaryEmbedding(2),
                        "input 2 must be [B or 1,L,D/2]",
                        f(1, 3, 8),
                        f(1, 3, 2),
                        f(1, 4, 2)),
                new Broken(new Op.Reshape(Shape.of(5)), "cannot hold 6 elements in [5]", f(2, 3)),
                new Broken(new Op.Reshape(Shape.of(N)), "cannot hold 2*n elements in [n]", f(N, Dim.of(2))),
                new Broken(new Op.Transpose(List.of(0, 0)), "must permute 0..1", f(2, 3)),
                new Broken(new Op.Concat(0), "may differ in axis 0 only", f(2, 3), f(2, 4)),
                new Broken(new Op.Concat(0), "one rank", f(2, 3), f(2)),
                new Broken(new Op.Split(0, List.of(1L, 2L)), "must add up to extent 4", f(4)),
                new Broken(new Op.Slice(0, 1, 9), "[1, 9) must lie within extent 4", f(4)),
                new Broken(new Op.Slice(0, -9, 2), "must lie within extent 4", f(4)),
                new Broken(new Op.Gather(0), "input 1 must be I64", f(4), f(1)),
                new Broken(new Op.Expand(Shape.of(3, 2)), "input must broadcast to [3,2]", f(1, 1, 2)),
                new Broken(new Op.Pad(List.of(1, 1), Op.PadMode.EDGE), "needs 4 pads", f(2, 2)),
                new Broken(new Op.Pad(List.of(1, -1), Op.PadMode.EDGE), "needs 2 pads ≥ 0", f(2)),
                new Broken(new Op.Resize(0, 1, Op.ResizeMode.LINEAR), "scales must be at least 1", f(1, 1, 2, 2)),
                new Broken(new Op.Resize(2, 2, Op.ResizeMode.LINEAR), "input 0 must have rank 4", f(1, 2, 2)),
                new Broken(new Op.DepthToSpace(2), "channels must be divisible by 4", f(1, 6, 2, 2)),
                new Broken(new Op.ReadState(register), "takes 0 inputs, got 1", f(2)),
                new Broken(new Op.WriteState(register), "the register's shape [2]", f(3)),
                new Broken(new Op.WriteState(cache), "input must be [frames,[2]]", f(1, 3)),
                new Broken(new Op.WriteState(cache), "input 0 must be F32", of(DType.I64, 1, 2)),
                new Broken(new Op.Silu(), "floating point", of(DType.I64, 2)),
                new Broken(new Op.Linear(), "width 3 must be the weight's 4", f(2, 3), f(5, 4)),
                new Broken(new Op.Linear(), "input 2 must have shape [5]", f(2, 4), f(5, 4), f(4)),
                new Broken(
                        new Op.ModulatedLayerNorm(1e-5),
                        "input 2 must broadcast to input 0",
                        f(1, 4),
                        f(1, 4),
                        f(3, 4)),
                new Broken(new Op.GatedResidual(), "inputs 0 and 1 must have one shape", f(2, 4), f(1, 4), f(4)),
                new Broken(
                        new Op.NormedRotary(2, 1e-5),
                        "input 1 must be [B or 1,L,D/2]",
                        f(1, 3, 8),
                        f(8),
                        f(1, 3, 3),
                        f(1, 3, 2))));
        TensorType image = f(1, 2, 4, 4);
        all.add(new Broken(
                new Op.MemoryBlock(),
                "without a skip weight",
                image,
                image,
                f(3, 4, 3, 3),
                f(3),
                f(3, 3, 3, 3),
                f(3),
                f(3, 3, 3, 3),
                f(3)));
        TensorType windows = f(1, 2, 6, 4);
        all.add(new Broken(
                new Op.WindowAttention(2, 1),
                "4 windows must divide the queries",
                f(1, 6, 4),
                windows,
                windows,
                of(DType.BOOL, 1, 4, 2, 2),
                of(DType.I64, 4, 1)));
        all.add(new Broken(
                new Op.WindowAttention(2, 1),
                "the batch of key must be 1 or that of query",
                f(3, 6, 4),
                f(2, 2, 6, 4),
                f(2, 2, 6, 4),
                of(DType.BOOL, 3, 3, 2, 2),
                of(DType.I64, 3, 1)));
        return all;
    }

    @TestFactory
    Stream<DynamicTest> brokenRulesAreNamed() {
        return broken().stream()
                .map(c -> DynamicTest.dynamicTest(
                        c.op().name() + ": " + c.rule(),
                        () -> assertThatThrownBy(() -> c.op().infer(List.of(c.inputs())))
                                .isInstanceOf(GraphException.class)
                                .satisfies(e -> {
                                    assertThat(e.getMessage())
                                            .contains(c.op().name())
                                            .contains(c.rule());
                                    assertThat(e.getMessage()).startsWith(c.op().name() + Arrays.toString(c.inputs()));
                                })));
    }

    @Test
    void everyKindOfOperatorHasABrokenCase() {
        Set<Class<?>> seen = new HashSet<>();
        broken().forEach(c -> {
            seen.add(c.op().getClass());
            seen.addAll(Arrays.asList(c.op().getClass().getInterfaces()));
        });
        for (Class<? extends Op> op : Op.all()) {
            boolean family = Op.Unary.class.isAssignableFrom(op)
                    || Op.Binary.class.isAssignableFrom(op)
                    || Op.Comparison.class.isAssignableFrom(op)
                    || Op.Logical.class.isAssignableFrom(op);
            assertThat(family || seen.contains(op)).as(op.getSimpleName()).isTrue();
        }
    }

    @Test
    void symbolsSurvive() {
        assertThat(shape(new Op.Add(), f(N, Dim.of(1)), f(4))).isEqualTo(Shape.of(N, Dim.of(4)));
        assertThat(shape(new Op.Concat(0), f(N, Dim.of(4)), f(3, 4), f(N, Dim.of(4))))
                .isEqualTo(Shape.of(N.times(2).plus(3), Dim.of(4)));
        assertThat(shape(new Op.Slice(0, -2, Op.Slice.TO_END), f(N))).isEqualTo(Shape.of(2));
        assertThat(shape(new Op.Slice(0, 1, Op.Slice.TO_END), f(N))).isEqualTo(Shape.of(N.plus(-1)));
        assertThat(shape(new Op.Reshape(Shape.of(N.times(6))), f(N, Dim.of(2), Dim.of(3))))
                .isEqualTo(Shape.of(N.times(6)));
        assertThat(shape(new Op.Gather(0), f(N, Dim.of(4)), of(DType.I64, 2, 3)))
                .isEqualTo(Shape.of(2, 3, 4));
        Op conv = new Op.Conv(List.of(2, 1), List.of(1, 1, 1, 1), List.of(1, 1), 1);
        assertThat(shape(conv, f(N, Dim.of(3), Dim.of(7), N), f(5, 3, 3, 3)))
                .isEqualTo(Shape.of(N, Dim.of(5), Dim.of(4), N));
        assertThat(shape(new Op.ReadState(new State.FrameCache("k", "self", DType.F32, Shape.of(2), 3))))
                .isEqualTo(Shape.of(Dim.symbol("visible_self"), Dim.of(2)));
        assertThat(shape(new Op.MatMul(), f(N, Dim.of(2), N), f(N, Dim.of(5))))
                .isEqualTo(Shape.of(N, Dim.of(2), Dim.of(5)));
    }

    @Test
    void badAttributesAreRefused() {
        assertThatThrownBy(() -> new Op.Clip(1, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Op.Clip(Double.NaN, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Op.Attention(0, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Op.Attention(1, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new State.Register("r", DType.F32, Shape.of(N)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("r");
        assertThatThrownBy(() -> new State.FrameCache("c", "g", DType.F32, Shape.of(2), 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("capacity 0");
    }

    private static Shape shape(Op op, TensorType... in) {
        return op.infer(List.of(in)).get(0).shape();
    }
}
