package io.teleworld.training.data;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Clips that are rendered by background threads while training draws from what is there: rendering a clip costs more
 * than a training step, so each is used many times before the pool replaces it. Thread-safe.
 */
public final class ClipPool implements ClipSupply, AutoCloseable {

    private final List<GroundTruthClip> clips = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicReference<@Nullable RuntimeException> failure = new AtomicReference<>();
    private final int capacity;
    private volatile boolean stopped;

    /**
     * Starts rendering.
     *
     * @param source asked by the threads, each with its own random numbers
     * @param capacity the most clips that are held; when it is reached, rendering ends
     * @param threadCount at least 1
     * @param seed of the threads' random numbers
     */
    public ClipPool(ClipSupply source, int capacity, int threadCount, long seed) {
        if (capacity < 1 || threadCount < 1) {
            throw new IllegalArgumentException(
                    "capacity is " + capacity + ", threads " + threadCount + "; both must be at least 1");
        }
        this.capacity = capacity;
        SplittableRandom root = new SplittableRandom(seed);
        for (int i = 0; i < threadCount; i++) {
            SplittableRandom own = root.split();
            Thread t = new Thread(() -> fill(source, own), "clip-pool-" + i);
            t.setDaemon(true);
            threads.add(t);
            t.start();
        }
    }

    private void fill(ClipSupply source, SplittableRandom random) {
        try {
            while (!stopped) {
                GroundTruthClip c = source.next(random);
                synchronized (this) {
                    if (clips.size() >= capacity) {
                        return;
                    }
                    clips.add(c);
                    notifyAll();
                }
            }
        } catch (RuntimeException e) {
            failure.compareAndSet(null, e);
            synchronized (this) {
                notifyAll();
            }
        }
    }

    /** How many clips are there now. */
    public synchronized int size() {
        return clips.size();
    }

    /** Waits until at least {@code count} clips are there. */
    public synchronized void await(int count) {
        while (clips.size() < Math.min(count, capacity)) {
            RuntimeException e = failure.get();
            if (e != null) {
                throw new IllegalStateException("rendering clips failed", e);
            }
            try {
                wait(1000);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while clips were rendered", interrupted);
            }
        }
    }

    @Override
    public GroundTruthClip next(SplittableRandom random) {
        await(1);
        synchronized (this) {
            return clips.get(random.nextInt(clips.size()));
        }
    }

    @Override
    public void close() {
        stopped = true;
        for (Thread t : threads) {
            t.interrupt();
        }
    }
}
