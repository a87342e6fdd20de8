package io.teleworld.core.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The body of an answer as a stream whose reads fail when nothing arrives for some time. The client's own timeout ends
 * with the headers, so that without this a server that falls silent would be waited for without end.
 *
 * <p>The client's threads put chunks in, one at a time; one other thread reads. Closing it ends the transfer.
 */
final class TimedBody extends InputStream implements HttpResponse.BodySubscriber<InputStream> {

    /** What the client tells: a chunk, or that there are no more, because of a failure or not. */
    private record Signal(
            List<ByteBuffer> chunk, boolean end, @Nullable Throwable failure) {}

    private static final Flow.Subscription NOTHING = new Flow.Subscription() {
        @Override
        public void request(long n) {
            // nothing will come
        }

        @Override
        public void cancel() {
            // nothing was begun
        }
    };

    private final Duration silence;
    private final BlockingQueue<Signal> signals = new LinkedBlockingQueue<>();
    private final CompletableFuture<Flow.Subscription> subscribed = new CompletableFuture<>();
    private final Deque<ByteBuffer> ready = new ArrayDeque<>();
    private boolean ended;

    private TimedBody(Duration silence) {
        this.silence = silence;
    }

    /** Reads bodies that may be silent for this long at a time. */
    static HttpResponse.BodyHandler<InputStream> within(Duration silence) {
        return head -> new TimedBody(silence);
    }

    // ------------------------------------------------------------------------------------------ the client's side

    @Override
    public CompletionStage<InputStream> getBody() {
        return CompletableFuture.completedStage(this);
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        if (subscribed.complete(subscription)) {
            subscription.request(1);
        } else {
            // closed before anything came, or subscribed to a second time
            subscription.cancel();
        }
    }

    @Override
    public void onNext(List<ByteBuffer> chunk) {
        signals.add(new Signal(chunk, false, null));
    }

    @Override
    public void onError(Throwable failure) {
        signals.add(new Signal(List.of(), true, failure));
    }

    @Override
    public void onComplete() {
        signals.add(new Signal(List.of(), true, null));
    }

    // ------------------------------------------------------------------------------------------ the reader's side

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        ByteBuffer next = next();
        if (next == null) {
            return -1;
        }
        int n = Math.min(length, next.remaining());
        next.get(to, offset, n);
        return n;
    }

    /** A buffer with something in it, or null at the end. */
    private @Nullable ByteBuffer next() throws IOException {
        while (true) {
            ByteBuffer first = ready.peekFirst();
            if (first != null && first.hasRemaining()) {
                return first;
            }
            if (first != null) {
                ready.removeFirst();
            } else if (ended) {
                return null;
            } else {
                await();
            }
        }
    }

    private void await() throws IOException {
        Signal signal;
        try {
            signal = signals.poll(silence.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
            InterruptedIOException failure = new InterruptedIOException("interrupted while data was awaited");
            failure.initCause(e);
            throw failure;
        }
        if (signal == null) {
            close();
            throw new HttpTimeoutException("nothing arrived for " + silence.toMillis() / 1e3 + " s");
        }
        if (signal.failure() != null) {
            ended = true;
            throw new IOException("the transfer failed: " + signal.failure().getMessage(), signal.failure());
        }
        ended = signal.end();
        ready.addAll(signal.chunk());
        if (!ended) {
            subscribed.join().request(1);
        }
    }

    @Override
    public void close() {
        // Cancelling closes the connection, which another request may be using once this one is over.
        boolean over = ended || signals.stream().anyMatch(Signal::end);
        ended = true;
        ready.clear();
        if (!subscribed.complete(NOTHING) && !over) {
            subscribed.join().cancel();
        }
    }
}
