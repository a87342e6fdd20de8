package io.teleworld.core.schedule;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs tasks in real time under a policy: one worker per device and one for tasks that need none.
 *
 * <p>Thread-safe. {@link #close()} tells running tasks to stop, waits for them up to a limit and is idempotent; a task
 * that does not stop is reported and left to end on its own.
 */
public final class ScheduleExecutor implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ScheduleExecutor.class);
    private static final long CLOSE_SECONDS = 30;

    /** Does the work of a task. Called by several threads at once, but never twice for one task. */
    @FunctionalInterface
    public interface Runner {

        /**
         * Runs a task to its end.
         *
         * @param cancelled true once the executor is being closed; asked often
         * @throws CancellationException if it stopped because of that
         * @throws InterruptedException likewise
         */
        void run(Task task, BooleanSupplier cancelled) throws InterruptedException;
    }

    /** Hears what happened. */
    public interface Listener {

        /** A task is complete. Called by its worker. */
        void completed(Task task, long nanos);

        /**
         * Nothing more will run. Called exactly once, by the worker that stopped last.
         *
         * @param failure what stopped it, or null after {@link ScheduleExecutor#close()}
         */
        void ended(@Nullable Throwable failure);
    }

    /** How full the reader's queue is. */
    public interface QueueGauge {

        /** Chunks that wait. */
        int queued();

        /** The most that may wait. */
        int capacity();
    }

    private final TaskTracker tracker;
    private final CriticalPathPolicy policy;
    private final int devices;
    private final Runner runner;
    private final Listener listener;
    private final QueueGauge queue;
    private final LongSupplier nanoClock;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final List<Thread> workers = new ArrayList<>();
    private int busyDevices;
    private int liveWorkers;
    private boolean ended;
    private volatile boolean stopping;
    private @Nullable Throwable failure;

    /**
     * An executor that runs nothing yet.
     *
     * @param devices at least 1
     * @param segments how many segments to run; {@link Integer#MAX_VALUE} for no end
     */
    public ScheduleExecutor(
            TaskGraph graph,
            CriticalPathPolicy policy,
            int devices,
            int segments,
            Runner runner,
            Listener listener,
            QueueGauge queue,
            LongSupplier nanoClock) {
        if (devices < 1) {
            throw new IllegalArgumentException("there are " + devices + " devices; at least 1 is needed");
        }
        this.tracker = new TaskTracker(graph, segments);
        this.policy = policy;
        this.devices = devices;
        this.runner = runner;
        this.listener = listener;
        this.queue = queue;
        this.nanoClock = nanoClock;
    }

    /** Starts the workers. */
    public void start(ThreadFactory threads) {
        lock.lock();
        try {
            if (liveWorkers > 0 || stopping) {
                throw new IllegalStateException("the executor was started before");
            }
            for (int i = 0; i <= devices; i++) {
                boolean device = i < devices;
                workers.add(threads.newThread(() -> work(device)));
            }
            liveWorkers = workers.size();
            workers.forEach(Thread::start);
        } finally {
            lock.unlock();
        }
    }

    /** Tells the workers that the reader took something. */
    public void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void work(boolean device) {
        Throwable thrown = null;
        try {
            while (true) {
                Task task = next(device);
                if (task == null) {
                    break;
                }
                long begin = nanoClock.getAsLong();
                runner.run(task, () -> stopping);
                long nanos = nanoClock.getAsLong() - begin;
                listener.completed(task, nanos);
                finish(task, device, nanos);
            }
        } catch (CancellationException | InterruptedException e) {
            thrown = stopping ? null : e;
        } catch (RuntimeException | Error e) {
            thrown = e;
        }
        leave(thrown);
    }

    private @Nullable Task next(boolean device) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (!stopping && !tracker.isAllDone()) {
                var state = tracker.state(devices - busyDevices, queue.queued(), queue.capacity());
                for (Decision d : policy.decide(state)) {
                    if (d.start() && policy.needsDevice(d.task()) == device) {
                        LOG.trace("{}: {}", d.task(), d.reason());
                        tracker.start(d.task());
                        busyDevices += device ? 1 : 0;
                        return d.task();
                    }
                }
                changed.await();
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void finish(Task task, boolean device, long nanos) {
        lock.lock();
        try {
            tracker.finish(task, nanos / 1e9);
            busyDevices -= device ? 1 : 0;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void leave(@Nullable Throwable thrown) {
        boolean last;
        Throwable first;
        lock.lock();
        try {
            if (thrown != null) {
                if (failure == null) {
                    failure = thrown;
                } else {
                    failure.addSuppressed(thrown);
                }
                stop();
            }
            liveWorkers--;
            last = liveWorkers == 0;
            first = failure;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        if (last) {
            try {
                listener.ended(first);
            } finally {
                lock.lock();
                try {
                    ended = true;
                    changed.signalAll();
                } finally {
                    lock.unlock();
                }
            }
        }
    }

    /** Call under the lock. */
    private void stop() {
        stopping = true;
        changed.signalAll();
        for (Thread t : workers) {
            if (t != Thread.currentThread()) {
                t.interrupt();
            }
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (!stopping) {
                stop();
            }
            if (workers.contains(Thread.currentThread())) {
                return;
            }
            long left = TimeUnit.SECONDS.toNanos(CLOSE_SECONDS);
            // What the listener releases at the end must be released before the caller takes the model away.
            while (!workers.isEmpty() && !ended && left > 0) {
                left = changed.awaitNanos(left);
            }
            if (liveWorkers > 0) {
                LOG.warn(
                        "{} workers did not stop within {} s and are left to end on their own",
                        liveWorkers,
                        CLOSE_SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
    }
}
