package io.teleworld.core.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.core.schedule.TaskGraph.HandoffMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class ScheduleExecutorTest {

    private static final TaskGraph GRAPH =
            new TaskGraph(new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT), HandoffMode.CLIP);

    private static final ScheduleExecutor.QueueGauge ROOM = new ScheduleExecutor.QueueGauge() {
        @Override
        public int queued() {
            return 0;
        }

        @Override
        public int capacity() {
            return 1;
        }
    };

    private static final class Recorder implements ScheduleExecutor.Listener {
        private final List<Task> done = Collections.synchronizedList(new ArrayList<>());
        private final AtomicInteger ends = new AtomicInteger();
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        private final CountDownLatch ended = new CountDownLatch(1);

        @Override
        public void completed(Task task, long nanos) {
            done.add(task);
        }

        @Override
        public void ended(@Nullable Throwable reason) {
            failure.set(reason);
            ends.incrementAndGet();
            ended.countDown();
        }
    }

    private static ScheduleExecutor executor(
            int devices, int lookahead, int segments, ScheduleExecutor.Runner runner, Recorder recorder) {
        return new ScheduleExecutor(
                GRAPH, new CriticalPathPolicy(lookahead), devices, segments, runner, recorder, ROOM, System::nanoTime);
    }

    @Property(tries = 25)
    void everyTaskRunsOnceAndInOrderOnAnyNumberOfDevices(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 4) int devices,
            @ForAll @IntRange(max = 2) int lookahead)
            throws InterruptedException {
        SplittableRandom random = new SplittableRandom(seed);
        List<Task> finished = Collections.synchronizedList(new ArrayList<>());
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        Recorder recorder = new Recorder();
        ScheduleExecutor executor = executor(
                devices,
                lookahead,
                5,
                (task, cancelled) -> {
                    if (!finished.containsAll(GRAPH.dependencies(task))) {
                        wrong.add(task + " ran before what it waits for");
                    }
                    int spin;
                    synchronized (random) {
                        spin = random.nextInt(20_000);
                    }
                    long until = System.nanoTime() + spin;
                    while (System.nanoTime() < until) {
                        Thread.onSpinWait();
                    }
                    finished.add(task);
                },
                recorder);
        executor.start(Thread::new);
        assertThat(recorder.ended.await(10, TimeUnit.SECONDS)).isTrue();
        executor.close();
        assertThat(wrong).isEmpty();
        assertThat(recorder.done).hasSize(5 * GRAPH.tasks(0).size()).doesNotHaveDuplicates();
        assertThat(recorder.ends).hasValue(1);
        assertThat(recorder.failure).hasNullValue();
    }

    @Test
    void closeWaitsUntilTheListenerHasReleasedWhatItHolds() throws InterruptedException {
        CountDownLatch running = new CountDownLatch(1);
        AtomicInteger released = new AtomicInteger();
        ScheduleExecutor executor = new ScheduleExecutor(
                GRAPH,
                new CriticalPathPolicy(0),
                1,
                Integer.MAX_VALUE,
                (task, cancelled) -> running.countDown(),
                new ScheduleExecutor.Listener() {
                    @Override
                    public void completed(Task task, long nanos) {}

                    @Override
                    public void ended(@Nullable Throwable reason) {
                        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(200);
                        while (System.nanoTime() < until) {
                            Thread.onSpinWait();
                        }
                        released.incrementAndGet();
                    }
                },
                ROOM,
                System::nanoTime);
        executor.start(Thread::new);
        running.await();
        executor.close();
        assertThat(released).hasValue(1);
    }

    @Test
    void aFailureStopsEverythingAndIsReportedOnce() throws InterruptedException {
        Recorder recorder = new Recorder();
        ScheduleExecutor executor = executor(
                3,
                1,
                Integer.MAX_VALUE,
                (task, cancelled) -> {
                    if (task.equals(new Task(2, TaskKind.POPULATE, 1))) {
                        throw new IllegalStateException("broken");
                    }
                },
                recorder);
        executor.start(Thread::new);
        assertThat(recorder.ended.await(10, TimeUnit.SECONDS)).isTrue();
        executor.close();
        executor.close();
        assertThat(recorder.ends).hasValue(1);
        assertThat(recorder.failure.get()).hasMessage("broken");
    }

    @Test
    void closeCancelsARunningTaskAndOneThatWaits() throws InterruptedException {
        Recorder recorder = new Recorder();
        CountDownLatch inside = new CountDownLatch(2);
        ScheduleExecutor executor = executor(
                2,
                1,
                Integer.MAX_VALUE,
                (task, cancelled) -> {
                    if (task.kind() == TaskKind.POPULATE) {
                        inside.countDown();
                        // A native kernel that ignores interrupts but asks between steps.
                        while (!cancelled.getAsBoolean()) {
                            Thread.onSpinWait();
                        }
                        throw new CancellationException();
                    }
                    if (task.kind() == TaskKind.EMIT) {
                        inside.countDown();
                        new CountDownLatch(1).await();
                    }
                },
                recorder);
        executor.start(Thread::new);
        assertThat(inside.await(10, TimeUnit.SECONDS)).isTrue();
        executor.close();
        assertThat(recorder.ended.getCount()).isZero();
        assertThat(recorder.failure).hasNullValue();
        assertThat(recorder.ends).hasValue(1);
        assertThatThrownBy(() -> executor.start(Thread::new)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aTaskMayCloseTheExecutorThatRunsIt() throws InterruptedException {
        Recorder recorder = new Recorder();
        AtomicReference<@Nullable ScheduleExecutor> self = new AtomicReference<>();
        ScheduleExecutor executor = executor(
                1,
                0,
                Integer.MAX_VALUE,
                (task, cancelled) -> {
                    ScheduleExecutor e = self.get();
                    if (e != null && task.segment() == 1) {
                        e.close();
                    }
                },
                recorder);
        self.set(executor);
        executor.start(Thread::new);
        assertThat(recorder.ended.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(recorder.failure).hasNullValue();
    }
}
