package io.teleworld.core.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.FrameChunk;
import io.teleworld.Keys;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class FrameQueueTest {

    static FrameChunk chunk(int index) {
        return new FrameChunk(
                0,
                List.of(new WorldFrame(
                        new RgbImage(1, 1, new byte[3]), Pose.IDENTITY, index / 16.0, index, Keys.NONE, 0)));
    }

    @Test
    void aFullQueueMakesTheWriterWaitUntilTheReaderTakes() throws InterruptedException {
        AtomicInteger taken = new AtomicInteger();
        FrameQueue queue = new FrameQueue(1, taken::incrementAndGet);
        assertThat(queue.put(chunk(0), () -> false)).isTrue();
        CountDownLatch written = new CountDownLatch(1);
        Thread writer = new Thread(() -> {
            try {
                queue.put(chunk(1), () -> false);
                written.countDown();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        writer.start();
        assertThat(written.await(50, TimeUnit.MILLISECONDS)).isFalse();
        assertThat(queue.size()).isEqualTo(1);
        assertThat(queue.poll(-1)).isEqualTo(chunk(0));
        assertThat(written.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(queue.poll(-1)).isEqualTo(chunk(1));
        assertThat(taken).hasValue(2);
        assertThat(queue.poll(1_000_000)).isNull();
        assertThat(queue.isExhausted()).isFalse();
    }

    @Test
    void aFailureComesAfterWhatWaits() throws InterruptedException {
        FrameQueue queue = new FrameQueue(3, () -> {});
        queue.put(chunk(0), () -> false);
        queue.end(new IllegalStateException("broken"));
        queue.end(new IllegalStateException("second"));
        assertThat(queue.poll(-1)).isEqualTo(chunk(0));
        assertThatThrownBy(() -> queue.poll(-1)).hasMessage("broken");
        assertThat(queue.put(chunk(1), () -> false)).isFalse();
    }

    @Test
    void closingDropsWhatWaitsAndFreesTheWriter() throws InterruptedException {
        FrameQueue queue = new FrameQueue(1, () -> {});
        queue.put(chunk(0), () -> false);
        CountDownLatch refused = new CountDownLatch(1);
        Thread writer = new Thread(() -> {
            try {
                if (!queue.put(chunk(1), () -> false)) {
                    refused.countDown();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        writer.start();
        queue.close();
        assertThat(refused.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(queue.poll(-1)).isNull();
        assertThat(queue.isExhausted()).isTrue();
        AtomicBoolean cancelled = new AtomicBoolean(true);
        assertThat(new FrameQueue(1, () -> {}).put(chunk(0), cancelled::get)).isFalse();
    }

    private static class Reader implements Flow.Subscriber<FrameChunk> {
        private final List<FrameChunk> got = Collections.synchronizedList(new ArrayList<>());
        private final List<String> ends = Collections.synchronizedList(new ArrayList<>());
        private final CountDownLatch ended = new CountDownLatch(1);
        private final CountDownLatch subscribed = new CountDownLatch(1);
        private final long first;
        private Flow.@Nullable Subscription subscription;

        Reader(long first) {
            this.first = first;
        }

        @Override
        public void onSubscribe(Flow.Subscription s) {
            subscription = s;
            if (first != 0) {
                s.request(first);
            }
            subscribed.countDown();
        }

        @Override
        public void onNext(FrameChunk item) {
            got.add(item);
        }

        @Override
        public void onError(Throwable t) {
            ends.add(String.valueOf(t.getMessage()));
            ended.countDown();
        }

        @Override
        public void onComplete() {
            ends.add("complete");
            ended.countDown();
        }
    }

    @Test
    void theSubscriberGetsWhatItAsksForAndOneEnd() throws InterruptedException {
        FrameQueue queue = new FrameQueue(10, () -> {});
        FramePublisher publisher = new FramePublisher(queue, Thread::new);
        Reader reader = new Reader(2);
        publisher.subscribe(reader);
        for (int i = 0; i < 5; i++) {
            queue.put(chunk(i), () -> false);
        }
        Reader second = new Reader(1);
        publisher.subscribe(second);
        assertThat(second.ends).singleElement().asString().contains("one subscriber");
        while (reader.got.size() < 2) {
            Thread.sleep(1);
        }
        Thread.sleep(20);
        assertThat(reader.got).containsExactly(chunk(0), chunk(1));
        Flow.Subscription s = reader.subscription;
        assertThat(s).isNotNull();
        if (s != null) {
            s.request(Long.MAX_VALUE);
        }
        queue.end(null);
        assertThat(reader.ended.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(reader.got).hasSize(5);
        assertThat(reader.ends).containsExactly("complete");
    }

    @Test
    void failuresAndBadRequestsEndTheSubscription() throws InterruptedException {
        FrameQueue queue = new FrameQueue(10, () -> {});
        queue.end(new IllegalStateException("broken"));
        Reader reader = new Reader(1);
        new FramePublisher(queue, Thread::new).subscribe(reader);
        assertThat(reader.ended.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(reader.ends).containsExactly("broken");

        Reader bad = new Reader(-3);
        new FramePublisher(new FrameQueue(1, () -> {}), Thread::new).subscribe(bad);
        assertThat(bad.ended.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(bad.ends).singleElement().asString().contains("-3");
    }

    @Test
    void aCancelledSubscriberMakesRoomForAnother() throws InterruptedException {
        FrameQueue queue = new FrameQueue(10, () -> {});
        FramePublisher publisher = new FramePublisher(queue, Thread::new);
        Reader reader = new Reader(1);
        publisher.subscribe(reader);
        assertThat(reader.subscribed.await(10, TimeUnit.SECONDS)).isTrue();
        Flow.Subscription s = reader.subscription;
        if (s != null) {
            s.cancel();
        }
        Reader other = new Reader(1);
        while (true) {
            publisher.subscribe(other);
            if (other.ends.isEmpty()) {
                break;
            }
            other.ends.clear();
            Thread.sleep(1);
        }
        queue.put(chunk(7), () -> false);
        while (other.got.isEmpty()) {
            Thread.sleep(1);
        }
        assertThat(reader.got).isEmpty();
        assertThat(other.got).containsExactly(chunk(7));
        queue.close();
    }

    @Test
    void aSubscriberThatThrowsLosesItsSubscription() throws InterruptedException {
        FrameQueue queue = new FrameQueue(10, () -> {});
        FramePublisher publisher = new FramePublisher(queue, Thread::new);
        publisher.subscribe(new Reader(5) {
            @Override
            public void onNext(FrameChunk item) {
                throw new IllegalStateException("cannot read this");
            }
        });
        queue.put(chunk(0), () -> false);
        while (queue.size() > 0) {
            Thread.sleep(1);
        }
        queue.put(chunk(1), () -> false);
        Reader other = new Reader(1);
        while (other.got.isEmpty()) {
            other.ends.clear();
            publisher.subscribe(other);
            Thread.sleep(5);
        }
        assertThat(other.got).containsExactly(chunk(1));
    }

    @Test
    void tapsActOnceAndLatencyRunsFromTheCallToTheFrame() {
        KeyInput input = new KeyInput(Keys.parse("W"));
        assertThat(input.sample()).isEqualTo(new KeyInput.Sample(Keys.parse("W"), 0));
        assertThat(input.tap(Keys.parse("RIGHT"), 10)).isEqualTo(1);
        assertThat(input.hold(Keys.parse("S"), 30)).isEqualTo(2);
        assertThat(input.sample()).isEqualTo(new KeyInput.Sample(Keys.parse("S+RIGHT"), 2));
        assertThat(input.sample()).isEqualTo(new KeyInput.Sample(Keys.parse("S"), 2));
        input.answered(1, 100);
        assertThat(input.latencies()).containsExactly(90L);
        input.answered(2, 110);
        input.answered(2, 120);
        assertThat(input.latencies()).containsExactly(90L, 80L);
    }
}
