package io.teleworld.core.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.ChainingPolicy;
import io.teleworld.Planner;
import io.teleworld.core.plan.FrameChainPlanner;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.core.plan.WholeSegmentPlanner;
import io.teleworld.core.schedule.TaskGraph.HandoffMode;
import io.teleworld.core.schedule.VirtualTimeSimulator.Result;
import java.util.EnumSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VirtualTimeSimulatorTest {

    private static final int MANY = 1000;

    /** PLAN = POPULATE = 1, REENCODE = 0.15 beside the devices, the rest free of charge. */
    private static Result paper(ChainingPolicy chaining, int devices, int lookahead) {
        EnumSet<TaskKind> host = EnumSet.complementOf(EnumSet.of(TaskKind.PLAN, TaskKind.POPULATE));
        return new VirtualTimeSimulator(
                        new TaskGraph(new MacroMicroPlanner(chaining), HandoffMode.CLIP),
                        new CriticalPathPolicy(lookahead, host),
                        devices,
                        t -> switch (t.kind()) {
                            case PLAN, POPULATE -> 1;
                            case REENCODE -> 0.15;
                            default -> 0;
                        })
                .run(60);
    }

    @ParameterizedTest
    @CsvSource({"1, 12.0", "2, 23.7", "3, 30.5", "4, 30.5"})
    void maxThroughput(int devices, double expected) {
        Result result = paper(ChainingPolicy.MAX_THROUGHPUT, devices, MANY);
        assertThat(result.framesPerUnit()).isEqualTo(expected, within(0.05));
    }

    @ParameterizedTest
    @CsvSource({"1, 10.0", "2, 17.2", "3, 17.2", "4, 17.2"})
    void minPeakMemory(int devices, double expected) {
        Result result = paper(ChainingPolicy.MIN_PEAK_MEMORY, devices, MANY);
        assertThat(result.framesPerUnit()).isEqualTo(expected, within(0.05));
    }

    @Test
    void segmentZeroIsCompleteAtThreeOrTwo() {
        assertThat(paper(ChainingPolicy.MAX_THROUGHPUT, 3, MANY).completion(0)).isEqualTo(3);
        assertThat(paper(ChainingPolicy.MIN_PEAK_MEMORY, 2, MANY).completion(0)).isEqualTo(2);
        assertThat(paper(ChainingPolicy.MAX_THROUGHPUT, 1, 0).completion(0)).isEqualTo(3);
    }

    @Test
    void theFourthPictureOfASegmentComesWithTheNextSegmentsSixth() {
        // Figure 4 of the paper: segment 1 is planned while segment 0 populates frames 3 to 5.
        Result result = paper(ChainingPolicy.MAX_THROUGHPUT, 2, 1);
        var populate = result.runs().get(new Task(0, TaskKind.POPULATE, 1));
        var plan = result.runs().get(new Task(1, TaskKind.PLAN, 0));
        assertThat(populate).isNotNull();
        assertThat(plan).isNotNull();
        assertThat(plan.start()).isEqualTo(populate.start() + 0.15, within(1e-9));
    }

    @Test
    void withoutLookaheadASegmentIsCompleteBeforeTheNextIsGuided() {
        Result result = paper(ChainingPolicy.MAX_THROUGHPUT, 4, 0);
        for (int s = 1; s < 60; s++) {
            assertThat(result.runs().get(new Task(s, TaskKind.GUIDE, 0)).start())
                    .isGreaterThanOrEqualTo(result.completion(s - 1));
        }
        assertThat(result.maxSegmentsInFlight()).isEqualTo(1);
    }

    @Property(tries = 150)
    void orderHoldsAndNothingDeadlocksUnderAnyTimes(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 5) int devices,
            @ForAll @IntRange(max = 3) int lookahead,
            @ForAll HandoffMode mode,
            @ForAll @IntRange(max = 3) int which) {
        Planner planner = List.<Planner>of(
                        new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT),
                        new MacroMicroPlanner(ChainingPolicy.MIN_PEAK_MEMORY),
                        new FrameChainPlanner(),
                        new WholeSegmentPlanner())
                .get(which);
        SplittableRandom random = new SplittableRandom(seed);
        TaskGraph graph = new TaskGraph(planner, mode);
        Result result = new VirtualTimeSimulator(
                        graph,
                        new CriticalPathPolicy(lookahead),
                        devices,
                        t -> random.nextInt(4) == 0 ? 0 : random.nextDouble())
                .run(8);
        int expected = 0;
        for (int s = 0; s < 8; s++) {
            expected += graph.tasks(s).size();
        }
        assertThat(result.runs()).hasSize(expected);
        result.runs()
                .forEach((task, run) -> graph.dependencies(task)
                        .forEach(d -> assertThat(result.runs().get(d).end())
                                .as("%s before %s", d, task)
                                .isLessThanOrEqualTo(run.start())));
        assertThat(result.maxSegmentsInFlight()).isLessThanOrEqualTo(lookahead + 1);
        // Never more tasks at once than devices.
        TreeMap<Double, Integer> changes = new TreeMap<>();
        result.runs().forEach((task, run) -> {
            if (task.kind() != TaskKind.EMIT && run.end() > run.start()) {
                changes.merge(run.start(), 1, Integer::sum);
                changes.merge(run.end(), -1, Integer::sum);
            }
        });
        int busy = 0;
        for (int change : changes.values()) {
            busy += change;
            assertThat(busy).isLessThanOrEqualTo(devices);
        }
    }

    @Property(tries = 50)
    void theTrackerForgetsCompleteSegments(@ForAll long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        TaskGraph graph = new TaskGraph(new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT), HandoffMode.CLIP);
        TaskTracker tracker = new TaskTracker(graph, 40);
        CriticalPathPolicy policy = new CriticalPathPolicy(1);
        List<Task> running = new java.util.ArrayList<>();
        while (!tracker.isAllDone()) {
            for (Decision d : policy.decide(tracker.state(2 - running.size(), 0, 4))) {
                if (d.start()) {
                    tracker.start(d.task());
                    running.add(d.task());
                }
            }
            assertThat(running).as("something runs").isNotEmpty();
            tracker.finish(running.remove(random.nextInt(running.size())), 1);
            assertThat(tracker.size()).isLessThanOrEqualTo(4 * graph.tasks(0).size());
        }
    }

    @Test
    void keysAreNotSampledWhileTheReaderIsBehind() {
        Task guide = new Task(1, TaskKind.GUIDE, 0);
        CriticalPathPolicy policy = new CriticalPathPolicy(1);
        ScheduleState full = new ScheduleState(List.of(guide), 1, 0, java.util.Map.of(), 16, 16);
        assertThat(policy.decide(full)).containsExactly(new Decision(guide, false, "the reader has 16 chunks waiting"));
        ScheduleState room = new ScheduleState(List.of(guide), 1, 0, java.util.Map.of(), 15, 16);
        assertThat(policy.decide(room)).extracting(Decision::start).containsExactly(true);
    }
}
