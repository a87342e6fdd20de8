package io.teleworld.training.data;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Things that background threads make while training draws from what is there: making one costs more than a training
 * step, so each is used many times. Thread-safe.
 *
 * @param <T> what is held; must be safe to share
 */
public class BackgroundPool<T> implements AutoCloseable {

    private final List<T> items = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicReference<@Nullable RuntimeException> failure = new AtomicReference<>();
    private final int capacity;
    private volatile boolean stopped;

    /**
     * Starts the threads.
     *
     * @param source asked by the threads, each with its own random numbers
     * @param capacity the most items that are held; when it is reached, work ends
     * @param threadCount at least 1
     * @param seed of the threads' random numbers
     */
    public BackgroundPool(Function<SplittableRandom, T> source, int capacity, int threadCount, long seed) {
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

    private void fill(Function<SplittableRandom, T> source, SplittableRandom random) {
        try {
            while (!stopped) {
                T item = source.apply(random);
                synchronized (this) {
                    if (items.size() >= capacity) {
                        return;
                    }
                    items.add(item);
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

    /** How many items are there now. */
    public synchronized int size() {
        return items.size();
    }

    /** Waits until at least {@code count} items are there. */
    public synchronized void await(int count) {
        while (items.size() < Math.min(count, capacity)) {
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

    /** One of the items that are there, waiting for the first. */
    public T next(SplittableRandom random) {
        await(1);
        synchronized (this) {
            return items.get(random.nextInt(items.size()));
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
