package io.teleworld;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Flow;

/**
 * A world that is being generated. Thread-safe. The caller closes it; {@link #close()} stops generation within one
 * denoising step, waits for it and is idempotent. Every other method then throws
 * {@link io.teleworld.error.ResourceClosedException}, except that iterators end.
 *
 * <p>Each chunk is delivered once: to an iterator, to {@link #next} or to the subscriber, whichever asks. Generation
 * runs ahead of the reader by the frame queue's bound and then waits.
 */
public interface WorldSession extends AutoCloseable {

    /**
     * Holds these keys down from now on. Keys are sampled when a segment's guidance begins.
     *
     * @return the number of this key event, from 1; frames name it when they answer it
     */
    long control(Keys keys);

    /**
     * Presses keys for a moment: the next segment is steered by them together with the held keys, and later segments by
     * the held keys alone. A tap is never lost, however short.
     *
     * @return the number of this key event
     */
    long tap(Keys keys);

    /** The chunks in order, without end until the session is closed. An iterator throws what stopped generation. */
    Iterable<FrameChunk> frames();

    /**
     * The next chunk, or nothing if none is ready in time.
     *
     * @throws io.teleworld.error.TeleWorldException if generation failed
     */
    Optional<FrameChunk> next(Duration timeout) throws InterruptedException;

    /**
     * The chunks as a publisher for one subscriber at a time. Signals come in order from a thread of the session; the
     * subscription ends with exactly one of onComplete (the session was closed) and onError (generation failed).
     */
    Flow.Publisher<FrameChunk> publisher();

    /** What the world remembers. */
    SessionMemory memory();

    /** What the session has done so far. */
    SessionStatistics statistics();

    @Override
    void close();
}
