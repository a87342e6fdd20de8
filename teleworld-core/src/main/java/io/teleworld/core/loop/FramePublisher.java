package io.teleworld.core.loop;

import io.teleworld.FrameChunk;
import java.util.concurrent.Flow;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Delivers a queue to one subscriber at a time, on a thread of its own. Chunks are taken from the queue only when the
 * subscriber has asked for them. Thread-safe.
 */
final class FramePublisher implements Flow.Publisher<FrameChunk> {

    private static final Logger LOG = LoggerFactory.getLogger(FramePublisher.class);

    private final FrameQueue queue;
    private final ThreadFactory threads;
    private final AtomicReference<@Nullable Delivery> active = new AtomicReference<>();

    FramePublisher(FrameQueue queue, ThreadFactory threads) {
        this.queue = queue;
        this.threads = threads;
    }

    @Override
    public void subscribe(Flow.Subscriber<? super FrameChunk> subscriber) {
        Delivery delivery = new Delivery(subscriber);
        if (!active.compareAndSet(null, delivery)) {
            subscriber.onSubscribe(new Flow.Subscription() {
                @Override
                public void request(long n) {}

                @Override
                public void cancel() {}
            });
            subscriber.onError(new IllegalStateException("a session's frames have one subscriber at a time"));
            return;
        }
        Thread thread = threads.newThread(delivery);
        delivery.thread = thread;
        thread.start();
    }

    private final class Delivery implements Runnable, Flow.Subscription {

        private final Flow.Subscriber<? super FrameChunk> subscriber;
        private final ReentrantLock lock = new ReentrantLock();
        private final Condition changed = lock.newCondition();
        private volatile @Nullable Thread thread;
        private long demand;
        private boolean cancelled;
        private @Nullable IllegalArgumentException badRequest;

        Delivery(Flow.Subscriber<? super FrameChunk> subscriber) {
            this.subscriber = subscriber;
        }

        @Override
        public void request(long n) {
            lock.lock();
            try {
                if (n <= 0) {
                    badRequest = new IllegalArgumentException("requested " + n + " chunks; it must be positive");
                } else {
                    demand = demand + n < 0 ? Long.MAX_VALUE : demand + n;
                }
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void cancel() {
            lock.lock();
            try {
                cancelled = true;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            Thread t = thread;
            if (t != null && t != Thread.currentThread()) {
                t.interrupt();
            }
        }

        @Override
        public void run() {
            try {
                subscriber.onSubscribe(this);
                deliver();
            } catch (InterruptedException e) {
                // Cancelled: no further signal is due.
                Thread.currentThread().interrupt();
            } catch (RuntimeException e) {
                // The subscriber broke its contract by throwing; nothing more can be signalled to it.
                LOG.warn("a subscriber of frames failed; its subscription is cancelled", e);
            }
            active.compareAndSet(this, null);
        }

        private void deliver() throws InterruptedException {
            while (awaitDemand()) {
                FrameChunk chunk;
                try {
                    chunk = queue.poll(-1);
                } catch (RuntimeException e) {
                    subscriber.onError(e);
                    return;
                }
                if (chunk == null) {
                    subscriber.onComplete();
                    return;
                }
                subscriber.onNext(chunk);
            }
        }

        /** Whether a chunk may be delivered; false once the subscription is over. */
        private boolean awaitDemand() throws InterruptedException {
            lock.lockInterruptibly();
            try {
                while (true) {
                    if (cancelled) {
                        return false;
                    }
                    if (badRequest != null) {
                        subscriber.onError(badRequest);
                        return false;
                    }
                    if (demand > 0) {
                        demand--;
                        return true;
                    }
                    if (queue.isExhausted()) {
                        subscriber.onComplete();
                        return false;
                    }
                    // The queue may end without anybody asking for more.
                    changed.awaitNanos(50_000_000);
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
