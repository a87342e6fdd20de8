package io.teleworld.cuda.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.plan.BufferPlanner.Layout;
import io.teleworld.cuda.plan.BufferPlanner.Request;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

class BufferPlannerProperties {

    @Provide
    Arbitrary<List<Request>> requests() {
        Arbitrary<Long> bytes = Arbitraries.longs().between(0, 5000);
        Arbitrary<Integer> first = Arbitraries.integers().between(0, 30);
        Arbitrary<Integer> length = Arbitraries.integers().between(0, 12);
        return Combinators.combine(bytes, first, length)
                .as((b, f, l) -> new Request(b, f, f + l))
                .list()
                .ofMaxSize(40);
    }

    @Property
    void buffersThatLiveTogetherDoNotOverlap(@ForAll("requests") List<Request> requests) {
        Layout layout = BufferPlanner.plan(requests);
        for (int i = 0; i < requests.size(); i++) {
            Request a = requests.get(i);
            long from = layout.offsets().get(i);
            assertThat(from % BufferPlanner.ALIGNMENT).isZero();
            assertThat(from + a.bytes()).isLessThanOrEqualTo(layout.bytes());
            for (int j = 0; j < i; j++) {
                Request b = requests.get(j);
                boolean together = a.first() <= b.last() && b.first() <= a.last();
                long other = layout.offsets().get(j);
                boolean overlap = from < other + b.bytes() && other < from + a.bytes();
                assertThat(together && overlap && a.bytes() > 0 && b.bytes() > 0)
                        .as("%s at %d and %s at %d", a, from, b, other)
                        .isFalse();
            }
        }
    }

    @Property
    void workspaceIsBetweenTheLiveBytesAndTheSum(@ForAll("requests") List<Request> requests) {
        Layout layout = BufferPlanner.plan(requests);
        long sum =
                requests.stream().mapToLong(r -> BufferPlanner.align(r.bytes())).sum();
        long live = 0;
        for (int step = 0; step <= 42; step++) {
            int s = step;
            live = Math.max(
                    live,
                    requests.stream()
                            .filter(r -> r.first() <= s && s <= r.last())
                            .mapToLong(r -> BufferPlanner.align(r.bytes()))
                            .sum());
        }
        assertThat(layout.liveBytes()).isEqualTo(live);
        assertThat(layout.bytes()).isBetween(live, sum);
    }

    @Example
    void aChainReusesTwoBuffers() {
        Layout layout =
                BufferPlanner.plan(List.of(new Request(1000, 0, 1), new Request(1000, 1, 2), new Request(1000, 2, 3)));
        assertThat(layout.bytes()).isEqualTo(2048);
        assertThat(layout.offsets().get(0)).isEqualTo(layout.offsets().get(2));
    }

    @Example
    void theSmallestGapThatFitsIsTaken() {
        Layout layout = BufferPlanner.plan(List.of(
                new Request(4096, 0, 1),
                new Request(2048, 0, 0),
                new Request(1024, 0, 9),
                new Request(512, 1, 1),
                new Request(256, 0, 9)));
        assertThat(layout.bytes()).isEqualTo(layout.liveBytes());
    }
}
