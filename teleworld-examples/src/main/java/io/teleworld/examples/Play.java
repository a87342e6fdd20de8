package io.teleworld.examples;

import io.teleworld.FrameChunk;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.error.TeleWorldException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** Runs sessions for a number of frames. Stateless and thread-safe. */
final class Play {

    private static final Duration PATIENCE = Duration.ofMillis(200);

    private Play() {}

    /**
     * Reads frames from a running session until there are enough or somebody wants to stop.
     *
     * @return how many frames were read
     */
    static int frames(WorldSession session, int count, BooleanSupplier stop, Consumer<WorldFrame> sink) {
        int read = 0;
        while (read < count && !stop.getAsBoolean()) {
            Optional<FrameChunk> chunk;
            try {
                chunk = session.next(PATIENCE);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new TeleWorldException(TeleWorldException.Category.RESOURCE, "reading frames was interrupted", e);
            }
            if (chunk.isPresent()) {
                for (WorldFrame frame : chunk.get().frames()) {
                    if (read < count) {
                        sink.accept(frame);
                        read++;
                    }
                }
            }
        }
        return read;
    }

    /** The first frames of a new world, the start picture included. */
    static List<WorldFrame> frames(WorldModel model, WorldStart start, int count) {
        List<WorldFrame> frames = new ArrayList<>();
        try (WorldSession session = model.start(start)) {
            frames(session, count, () -> false, frames::add);
        }
        return frames;
    }
}
