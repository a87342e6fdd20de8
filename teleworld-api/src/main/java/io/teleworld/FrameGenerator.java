package io.teleworld;

import java.util.Map;
import java.util.function.BooleanSupplier;

/** Generates latent frames of segments (paper §3.2). Thread-safe; a segment's own generation is confined to one task. */
@FunctionalInterface
public interface FrameGenerator {

    /** Begins a segment; the caller closes what is returned. */
    SegmentGeneration begin(SegmentInput input);

    /** A segment in the making. Confined to one thread at a time; stages are run in the plan's order. */
    interface SegmentGeneration extends AutoCloseable {

        /**
         * Denoises the frames of one stage.
         *
         * @param stage a stage of the segment's plan
         * @param cancelled asked between denoising steps
         * @return the stage's frames by their 1-based number
         * @throws java.util.concurrent.CancellationException if {@code cancelled} answers true
         */
        Map<Integer, LatentFrame> generate(GenerationStage stage, BooleanSupplier cancelled);

        @Override
        void close();
    }
}
