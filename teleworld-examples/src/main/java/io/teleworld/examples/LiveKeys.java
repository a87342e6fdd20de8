package io.teleworld.examples;

import io.teleworld.FrameChunk;
import io.teleworld.Key;
import io.teleworld.Keys;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.error.TeleWorldException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Presses keys at random moments of a running session and measures how long it takes until a frame that answers is shown.
 * Frames are shown as soon as they are there, or at the video's rate; at most one chunk waits. Confined to one thread.
 */
final class LiveKeys {

    private static final List<Keys> HELD =
            List.of(Keys.of(Key.W), Keys.of(Key.LEFT), Keys.of(Key.W, Key.RIGHT), Keys.NONE, Keys.of(Key.RIGHT));
    private static final double SHORTEST_SECONDS = 0.5;
    private static final double LONGEST_SECONDS = 1.5;
    private static final Duration PATIENCE = Duration.ofMillis(100);
    private static final double LIMIT_SECONDS_PER_PRESS = 10;

    private LiveKeys() {}

    /**
     * Latencies from a call of {@link WorldSession#control} to the moment that the first answering frame is shown.
     *
     * @param presses how many keys, at least 1
     * @param paced whether frames are shown at the video's rate
     */
    static List<Duration> latencies(WorldModel model, WorldStart start, int presses, boolean paced, long seed) {
        Map<Long, Long> pressed = new ConcurrentHashMap<>();
        NavigableMap<Long, Long> shown = new TreeMap<>();
        double frameNanos = 1e9 / model.description().framesPerSecond();
        try (WorldSession session = model.start(start.queuedChunks(1))) {
            AtomicBoolean over = new AtomicBoolean();
            Thread finger = new Thread(() -> press(session, presses, seed, pressed, over), "live-keys");
            finger.setDaemon(true);
            long due = 0;
            long limit = System.nanoTime() + (long) (1e9 * LIMIT_SECONDS_PER_PRESS * presses);
            while (System.nanoTime() < limit) {
                Optional<FrameChunk> chunk = session.next(PATIENCE);
                for (WorldFrame frame : chunk.map(FrameChunk::frames).orElse(List.of())) {
                    if (frame.index() == 1) {
                        finger.start();
                    }
                    long now = System.nanoTime();
                    if (paced) {
                        due = Math.max(now, due + (long) frameNanos);
                        TimeUnit.NANOSECONDS.sleep(due - now);
                        now = System.nanoTime();
                    }
                    shown.putIfAbsent(frame.keyEvent(), now);
                }
                if (over.get() && !shown.isEmpty() && shown.lastKey() >= presses) {
                    break;
                }
            }
            over.set(true);
            finger.interrupt();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TeleWorldException(TeleWorldException.Category.RESOURCE, "reading frames was interrupted", e);
        }
        List<Duration> out = new ArrayList<>();
        pressed.forEach((event, at) -> {
            Map.Entry<Long, Long> answer = shown.ceilingEntry(event);
            if (answer != null) {
                out.add(Duration.ofNanos(answer.getValue() - at));
            }
        });
        return out;
    }

    private static void press(
            WorldSession session, int presses, long seed, Map<Long, Long> pressed, AtomicBoolean over) {
        SplittableRandom random = new SplittableRandom(seed);
        try {
            for (int i = 0; i < presses && !over.get(); i++) {
                double wait = SHORTEST_SECONDS + (LONGEST_SECONDS - SHORTEST_SECONDS) * random.nextDouble();
                TimeUnit.NANOSECONDS.sleep((long) (1e9 * wait));
                long now = System.nanoTime();
                pressed.put(session.control(HELD.get(i % HELD.size())), now);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            over.set(true);
        }
    }
}
