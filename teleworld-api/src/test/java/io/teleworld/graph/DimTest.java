package io.teleworld.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

/** Extents are polynomials: the laws of a commutative ring, and evaluation that respects them. */
class DimTest {

    @Provide
    Arbitrary<Dim> dims() {
        return dims(2);
    }

    private static Arbitrary<Dim> dims(int depth) {
        Arbitrary<Dim> leaf = Arbitraries.oneOf(
                Arbitraries.longs().between(0, 20).map(Dim::of),
                Arbitraries.of("n", "frames", "visible_self").map(Dim::symbol));
        if (depth == 0) {
            return leaf;
        }
        Arbitrary<Dim> part = dims(depth - 1);
        return Arbitraries.oneOf(
                leaf,
                Combinators.combine(part, part).as((a, b) -> a.plus(b)),
                Combinators.combine(part, part).as((a, b) -> a.times(b)));
    }

    private static Map<String, Long> bind(int n) {
        return Map.of("n", (long) n, "frames", n + 1L, "visible_self", n % 3L);
    }

    @Property(tries = 300)
    void additionLaws(@ForAll("dims") Dim a, @ForAll("dims") Dim b, @ForAll("dims") Dim c) {
        assertThat(a.plus(b)).isEqualTo(b.plus(a)).hasSameHashCodeAs(b.plus(a));
        assertThat(a.plus(b).plus(c)).isEqualTo(a.plus(b.plus(c)));
        assertThat(a.plus(0)).isEqualTo(a);
        assertThat(a.minus(a)).isEqualTo(Dim.of(0));
        assertThat(a.plus(b).minus(b)).isEqualTo(a);
    }

    @Property(tries = 200)
    void multiplicationLaws(@ForAll("dims") Dim a, @ForAll("dims") Dim b, @ForAll("dims") Dim c) {
        assertThat(a.times(b)).isEqualTo(b.times(a)).hasToString(b.times(a).toString());
        assertThat(a.times(b).times(c)).isEqualTo(a.times(b.times(c)));
        assertThat(a.times(b.plus(c))).isEqualTo(a.times(b).plus(a.times(c)));
        assertThat(a.times(1)).isEqualTo(a);
        assertThat(a.times(0)).isEqualTo(Dim.of(0));
    }

    @Property(tries = 200)
    void evaluationRespectsTheOperations(
            @ForAll("dims") Dim a, @ForAll("dims") Dim b, @ForAll @IntRange(min = 0, max = 3) int n) {
        Map<String, Long> at = bind(n);
        assertThat(a.plus(b).evaluate(at)).isEqualTo(a.evaluate(at) + b.evaluate(at));
        assertThat(a.times(b).evaluate(at)).isEqualTo(Math.multiplyExact(a.evaluate(at), b.evaluate(at)));
    }

    @Property(tries = 200)
    void divisionUndoesMultiplication(@ForAll("dims") Dim a, @ForAll @LongRange(min = 1, max = 50) long k) {
        assertThat(a.times(k).isDivisibleBy(k)).isTrue();
        assertThat(a.times(k).dividedBy(k)).isEqualTo(a);
        if (k > 1) {
            assertThat(a.times(k).plus(1).isDivisibleBy(k)).isFalse();
        }
    }

    @Example
    void text() {
        Dim d = Dim.symbol("frames").times(66).plus(3);
        assertThat(d).hasToString("3+66*frames");
        assertThat(Dim.of(0)).hasToString("0");
        assertThat(Dim.symbol("b").times(Dim.symbol("a"))).hasToString("a*b");
        assertThat(d.symbols()).containsExactly("frames");
        assertThat(d.terms()).containsEntry("", 3L).containsEntry("frames", 66L);
    }

    @Example
    void refusals() {
        Dim d = Dim.symbol("n").plus(-3);
        assertThatThrownBy(() -> Dim.of(-1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-1");
        assertThatThrownBy(() -> Dim.symbol("1n")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Dim.symbol("a*b")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(d::known).isInstanceOf(IllegalStateException.class).hasMessageContaining("n");
        assertThatThrownBy(() -> d.evaluate(Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("n is not bound");
        assertThatThrownBy(() -> d.evaluate(Map.of("n", 2L)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-1");
        assertThatThrownBy(() -> d.dividedBy(2)).isInstanceOf(IllegalArgumentException.class);
        assertThat(d.isDivisibleBy(0)).isFalse();
        assertThatThrownBy(() -> Dim.of(Long.MAX_VALUE).times(2)).isInstanceOf(ArithmeticException.class);
    }
}
