package io.teleworld.core.loop;

import io.teleworld.FrameChunk;
import io.teleworld.Keys;
import io.teleworld.MemoryView;
import io.teleworld.PlyFormat;
import io.teleworld.RgbImage;
import io.teleworld.SessionMemory;
import io.teleworld.SessionStatistics;
import io.teleworld.WorldSession;
import io.teleworld.core.memory.MemorySnapshot;
import io.teleworld.core.schedule.CriticalPathPolicy;
import io.teleworld.core.schedule.ScheduleExecutor;
import io.teleworld.core.schedule.Task;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.Flow;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A session: the loop under a real-time executor, with its queue, keys and statistics. Thread-safe. */
public final class LoopSession implements WorldSession {

    private static final Logger LOG = LoggerFactory.getLogger(LoopSession.class);

    private final FrameQueue queue;
    private final KeyInput keys;
    private final WorldLoop loop;
    private final ScheduleExecutor executor;
    private final FramePublisher publisher;
    private final StageClock clock = new StageClock();
    private final LongSupplier nanoClock;
    private final LongSupplier nativeBytes;
    private final Runnable onClose;
    private final long begun;
    private final AtomicLong frames = new AtomicLong();
    private final AtomicLong firstGenerated = new AtomicLong(-1);
    private final AtomicBoolean closed = new AtomicBoolean();
    private final SessionMemory memory = new Memory();

    /**
     * Sets a session up; nothing runs until {@link #start}.
     *
     * @param parts what the loop is made of
     * @param held keys that are held at first
     * @param lookahead segments that may be planned ahead
     * @param devices how many tasks may run at once
     * @param queuedChunks chunks that wait for the reader
     * @param threads makes the session's threads
     * @param nanoClock monotonic nanoseconds
     * @param nativeBytes memory outside the heap
     * @param onClose called once when the session has been closed
     */
    LoopSession(
            LoopParts parts,
            Keys held,
            int lookahead,
            int devices,
            int queuedChunks,
            ThreadFactory threads,
            LongSupplier nanoClock,
            LongSupplier nativeBytes,
            Runnable onClose) {
        this.nanoClock = nanoClock;
        this.nativeBytes = nativeBytes;
        this.onClose = onClose;
        this.begun = nanoClock.getAsLong();
        this.queue = new FrameQueue(queuedChunks, this::wake);
        this.keys = new KeyInput(held);
        this.loop = new WorldLoop(parts, keys, queue, nanoClock);
        this.publisher = new FramePublisher(queue, threads);
        this.executor = new ScheduleExecutor(
                parts.graph(),
                new CriticalPathPolicy(lookahead),
                devices,
                Integer.MAX_VALUE,
                loop,
                new Progress(),
                new ScheduleExecutor.QueueGauge() {
                    @Override
                    public int queued() {
                        return queue.size();
                    }

                    @Override
                    public int capacity() {
                        return queue.capacity();
                    }
                },
                nanoClock);
        loop.listen(this::emitted);
    }

    private void wake() {
        executor.wake();
    }

    /** Shows the start picture, remembers its geometry and starts generation. */
    void start(RgbImage picture, ThreadFactory threads) {
        long from = nanoClock.getAsLong();
        try {
            loop.start(picture);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TeleWorldException(
                    TeleWorldException.Category.RESOURCE, "starting the world was interrupted", e, true);
        }
        clock.add("START", nanoClock.getAsLong() - from);
        executor.start(threads);
    }

    private final class Progress implements ScheduleExecutor.Listener {

        @Override
        public void completed(Task task, long nanos) {
            // EMIT is waiting for the reader, not work, but its time shows who waits for whom.
            clock.add(task.kind().name(), nanos);
        }

        @Override
        public void ended(@Nullable Throwable failure) {
            loop.close();
            if (failure == null) {
                queue.end(null);
                return;
            }
            LOG.debug("generation stopped", failure);
            queue.end(asTeleWorld(failure));
        }
    }

    private static TeleWorldException asTeleWorld(Throwable failure) {
        if (failure instanceof TeleWorldException t) {
            return t;
        }
        boolean exhausted = failure instanceof OutOfMemoryError;
        return new TeleWorldException(
                exhausted ? TeleWorldException.Category.RESOURCE : TeleWorldException.Category.INTERNAL,
                "generation failed: " + failure,
                failure);
    }

    private void emitted(FrameChunk chunk) {
        long now = nanoClock.getAsLong();
        long last = frames.addAndGet(chunk.frames().size());
        if (last > chunk.frames().size()) {
            firstGenerated.compareAndSet(-1, now - begun);
        }
        keys.answered(chunk.frames().get(chunk.frames().size() - 1).keyEvent(), now);
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new ResourceClosedException("the world session", null);
        }
    }

    @Override
    public long control(Keys held) {
        requireOpen();
        return keys.hold(held, nanoClock.getAsLong());
    }

    @Override
    public long tap(Keys tapped) {
        requireOpen();
        return keys.tap(tapped, nanoClock.getAsLong());
    }

    @Override
    public Iterable<FrameChunk> frames() {
        requireOpen();
        return Chunks::new;
    }

    private final class Chunks implements Iterator<FrameChunk> {
        private @Nullable FrameChunk next;

        @Override
        public boolean hasNext() {
            return peek() != null;
        }

        private @Nullable FrameChunk peek() {
            if (next == null) {
                try {
                    next = queue.poll(-1);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            return next;
        }

        @Override
        public FrameChunk next() {
            FrameChunk chunk = peek();
            if (chunk == null) {
                throw new NoSuchElementException("the session was closed or the reader interrupted");
            }
            next = null;
            return chunk;
        }
    }

    @Override
    public Optional<FrameChunk> next(Duration timeout) throws InterruptedException {
        requireOpen();
        Optional<FrameChunk> chunk = Optional.ofNullable(queue.poll(Math.max(0, timeout.toNanos())));
        if (chunk.isEmpty()) {
            requireOpen();
        }
        return chunk;
    }

    @Override
    public Flow.Publisher<FrameChunk> publisher() {
        requireOpen();
        return publisher;
    }

    @Override
    public SessionMemory memory() {
        requireOpen();
        return memory;
    }

    private final class Memory implements SessionMemory {

        @Override
        public long pointCount() {
            return view().pointCount();
        }

        @Override
        public MemoryView view() {
            requireOpen();
            return loop.memory();
        }

        @Override
        public void export(PlyFormat format, Path file) {
            requireOpen();
            MemorySnapshot snapshot = loop.memory().snapshot();
            PlyFiles.write(snapshot, format, file);
        }
    }

    @Override
    public SessionStatistics statistics() {
        requireOpen();
        Runtime jvm = Runtime.getRuntime();
        long first = firstGenerated.get();
        return new SessionStatistics(
                frames.get(),
                Duration.ofNanos(nanoClock.getAsLong() - begun),
                clock.stages(),
                first < 0 ? Optional.empty() : Optional.of(Duration.ofNanos(first)),
                keys.latencies().stream().map(Duration::ofNanos).toList(),
                loop.memory().pointCount(),
                jvm.totalMemory() - jvm.freeMemory(),
                nativeBytes.getAsLong());
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            queue.close();
            executor.close();
            onClose.run();
        }
    }

    /** Whether {@link #close} was called. */
    public boolean isClosed() {
        return closed.get();
    }

    @Override
    public String toString() {
        return "world session of " + frames.get() + " frames" + (closed.get() ? ", closed" : "");
    }
}
