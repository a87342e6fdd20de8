package io.teleworld.core.loop;

import io.teleworld.FrameChunk;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The bounded queue between generation and its reader. Thread-safe.
 *
 * <p>It ends once: after a failure the chunks that wait are still delivered and then the failure is thrown; after a close
 * nothing more is delivered.
 */
final class FrameQueue {

    private final int capacity;
    private final Runnable taken;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final ArrayDeque<FrameChunk> chunks = new ArrayDeque<>();
    private boolean ended;
    private @Nullable RuntimeException failure;

    /**
     * @param capacity the most chunks that wait
     * @param taken called, without a lock, after a chunk was taken
     */
    FrameQueue(int capacity, Runnable taken) {
        this.capacity = capacity;
        this.taken = taken;
    }

    int capacity() {
        return capacity;
    }

    int size() {
        lock.lock();
        try {
            return chunks.size();
        } finally {
            lock.unlock();
        }
    }

    /** Waits for room. Returns false, and keeps nothing, if {@code cancelled} or the queue has ended. */
    boolean put(FrameChunk chunk, BooleanSupplier cancelled) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (chunks.size() >= capacity && !ended && !cancelled.getAsBoolean()) {
                changed.await();
            }
            if (ended || cancelled.getAsBoolean()) {
                return false;
            }
            chunks.add(chunk);
            changed.signalAll();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /**
     * The next chunk, or null if the queue has ended or none came in time; {@link #isExhausted} tells which.
     *
     * @param nanos how long to wait; negative for as long as it takes
     */
    @Nullable
    FrameChunk poll(long nanos) throws InterruptedException {
        FrameChunk chunk;
        lock.lockInterruptibly();
        try {
            long left = nanos;
            while (chunks.isEmpty() && !ended) {
                if (nanos < 0) {
                    changed.await();
                } else if (left <= 0) {
                    return null;
                } else {
                    left = changed.awaitNanos(left);
                }
            }
            chunk = chunks.poll();
            if (chunk == null) {
                if (failure != null) {
                    throw failure;
                }
                return null;
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        taken.run();
        return chunk;
    }

    /** Whether nothing will come any more. */
    boolean isExhausted() {
        lock.lock();
        try {
            return ended && chunks.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** Ends the queue; what waits is still delivered, then {@code reason} is thrown if there is one. */
    void end(@Nullable RuntimeException reason) {
        lock.lock();
        try {
            if (!ended) {
                ended = true;
                failure = reason;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Ends the queue and drops what waits. */
    void close() {
        lock.lock();
        try {
            ended = true;
            failure = null;
            chunks.clear();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
