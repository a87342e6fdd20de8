package io.teleworld.core.generate;

import io.teleworld.FrameGenerator;
import io.teleworld.GenerationStage;
import io.teleworld.GuidanceLatent;
import io.teleworld.LatentFrame;
import io.teleworld.SegmentInput;
import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.NoiseSource;
import io.teleworld.core.generate.SegmentLayout.Pass;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.generate.SegmentLayout.TokenFrame;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Denoises the stages of a segment with the video transformer in few steps (paper §3.2, §3.5), pass by pass as
 * {@link SegmentLayout} lays them out.
 *
 * <p>Noise depends on the segment's seed, the stage and the step alone. Thread-safe; segments may be generated at the same
 * time, each with a state of its own. The program is borrowed; the states belong to the scope that is given.
 */
public final class DiffusionGenerator implements FrameGenerator {

    private final VideoTransformerConfig config;
    private final GuidanceConfig guidance;
    private final FewStepSampler sampler;
    private final float cleanTimestep;
    private final Program program;
    private final int cacheCapacity;
    private final int height;
    private final int width;
    private final Scope scope;
    private final Map<String, Tensor> prompt;
    private final ArrayDeque<ProgramState> idleStates;

    /**
     * A generator without a text prompt.
     *
     * @param config what the program was built from
     * @param guidance how guidance enters; its mask channels are the configuration's
     * @param sampler the denoising steps
     * @param cleanTimestep timestep of given and finished frames and of guidance in passes without noise, in [0, 1000]; 0
     *     unless trained otherwise
     * @param program compiled from {@link VideoTransformer#cachedGraph}, or from {@link VideoTransformer#promptedGraph}
     *     for use {@linkplain #withPrompt with a prompt} alone
     * @param cacheCapacity the capacity that it was built with
     * @param height latent rows
     * @param width latent columns
     * @param scope owns the states
     */
    public DiffusionGenerator(
            VideoTransformerConfig config,
            GuidanceConfig guidance,
            FewStepSampler sampler,
            double cleanTimestep,
            Program program,
            int cacheCapacity,
            int height,
            int width,
            Scope scope) {
        int given = guidance.inputChannels(config.latentChannels());
        if (config.inChannels() != given) {
            throw new IllegalArgumentException("the transformer takes " + config.inChannels() + " channels; "
                    + given + " are given: " + config.latentChannels() + " latent and " + guidance.maskChannels()
                    + " mask channels" + (guidance.besideTarget() ? ", and as many of the guidance" : ""));
        }
        if (config.imageDim() != null) {
            throw new IllegalArgumentException("the transformer wants an image embedding; sessions have none");
        }
        this.config = config;
        this.guidance = guidance;
        this.sampler = sampler;
        this.cleanTimestep = (float) cleanTimestep;
        this.program = program;
        this.cacheCapacity = cacheCapacity;
        this.height = height;
        this.width = width;
        this.scope = scope;
        this.idleStates = new ArrayDeque<>();
        this.prompt = program.graph().inputs().containsKey("text")
                ? Map.of("text", scope.adopt(HostTensor.zeros(DType.F32, 1, config.textLen(), config.textDim())))
                : Map.of();
    }

    private DiffusionGenerator(DiffusionGenerator other, Map<String, Tensor> prompt) {
        this.config = other.config;
        this.guidance = other.guidance;
        this.sampler = other.sampler;
        this.cleanTimestep = other.cleanTimestep;
        this.program = other.program;
        this.cacheCapacity = other.cacheCapacity;
        this.height = other.height;
        this.width = other.width;
        this.scope = other.scope;
        this.idleStates = other.idleStates;
        this.prompt = Map.copyOf(prompt);
    }

    /**
     * This generator with a prompt; it shares program and states with this one.
     *
     * @param inputs of the program that tell the prompt: {@code text}, or what {@link VideoTransformer#promptGraph}
     *     gives; borrowed as long as segments are made
     */
    public DiffusionGenerator withPrompt(Map<String, Tensor> inputs) {
        return new DiffusionGenerator(this, inputs);
    }

    /**
     * Begins a segment.
     *
     * @throws IllegalArgumentException if the plan needs more cached frames than the program holds
     */
    @Override
    public SegmentGeneration begin(SegmentInput input) {
        int needed = SegmentLayout.cacheCapacity(
                input.plan(), guidance, !input.guidance().isEmpty());
        if (needed > cacheCapacity) {
            throw new IllegalArgumentException(
                    "the plan needs " + needed + " cached frames; the model was compiled for " + cacheCapacity);
        }
        ProgramState state;
        synchronized (idleStates) {
            state = idleStates.poll();
        }
        return new Segment(input, state != null ? state : program.newState(scope));
    }

    private final class Segment implements SegmentGeneration {

        private final SegmentInput input;
        private final SegmentLayout layout;
        private final ProgramState state;
        private final Map<Integer, HostTensor> inputs = new HashMap<>();
        private final Map<Integer, LatentFrame> clean = new HashMap<>();
        private int nextStage;
        private boolean closed;

        Segment(SegmentInput input, ProgramState state) {
            this.input = input;
            this.layout =
                    new SegmentLayout(input.plan(), guidance, !input.guidance().isEmpty());
            this.state = state;
            clean.putAll(input.given());
        }

        @Override
        public Map<Integer, LatentFrame> generate(GenerationStage stage, BooleanSupplier cancelled) {
            if (closed) {
                throw new IllegalStateException("the segment's generation is closed");
            }
            if (nextStage >= input.plan().stages().size()
                    || !input.plan().stages().get(nextStage).equals(stage)) {
                throw new IllegalArgumentException("stage is " + stage + "; the plan's stages must be run in order");
            }
            if (nextStage == 0) {
                for (Pass pass : layout.opening()) {
                    cache(pass, cancelled);
                }
            }
            for (Pass pass : layout.passesOf(nextStage)) {
                if (pass.kind() == PassKind.NOISY) {
                    denoise(pass, cancelled);
                } else {
                    cache(pass, cancelled);
                }
            }
            nextStage++;
            Map<Integer, LatentFrame> made = new LinkedHashMap<>();
            stage.frames().forEach(f -> made.put(f, Objects.requireNonNull(clean.get(f))));
            return made;
        }

        /** A pass without noise whose keys and values are kept. */
        private void cache(Pass pass, BooleanSupplier cancelled) {
            int in = config.inChannels() * height * width;
            float[] frames = new float[pass.frames().size() * in];
            writeGuidance(pass, frames);
            for (int i = 0; i < pass.frames().size(); i++) {
                TokenFrame f = pass.frames().get(i);
                if (!f.guidance()) {
                    LatentFrame frame = Objects.requireNonNull(clean.get(f.frame()));
                    SegmentLayout.writeTarget(frame, guidanceOf(f), guidance, frames, i * in);
                }
            }
            run(pass, frames, cleanTimestep, cancelled, null);
        }

        private @Nullable GuidanceLatent guidanceOf(TokenFrame target) {
            return layout.guided() ? input.guidance().get(target.frame() - 1) : null;
        }

        private void writeGuidance(Pass pass, float[] frames) {
            int in = config.inChannels() * height * width;
            for (int i = 0; i < pass.frames().size(); i++) {
                TokenFrame f = pass.frames().get(i);
                if (f.guidance()) {
                    SegmentLayout.writeGuidance(input.guidance().get(f.frame() - 1), guidance, frames, i * in);
                }
            }
        }

        private void denoise(Pass pass, BooleanSupplier cancelled) {
            int n = pass.frames().size();
            // Places of the target frames on the frame axis; guidance may stand before or behind them.
            int[] at = IntStream.range(0, n)
                    .filter(i -> !pass.frames().get(i).guidance())
                    .toArray();
            int size = config.latentChannels() * height * width;
            int in = config.inChannels() * height * width;
            float[] padded = new float[n * in];
            writeGuidance(pass, padded);
            float[] all = new float[n * size];
            float[] velocity = new float[at.length * size];
            NoiseSource noise = new StageNoise(pass.stage());
            float[] start = new float[at.length * size];
            noise.fill(start);
            float[] result = sampler.sample(
                    start,
                    (sample, t, step) -> {
                        for (int i = 0; i < at.length; i++) {
                            TokenFrame f = pass.frames().get(at[i]);
                            SegmentLayout.writeTarget(frame(sample, i), guidanceOf(f), guidance, padded, at[i] * in);
                        }
                        run(pass, padded, (float) t, cancelled, all);
                        for (int i = 0; i < at.length; i++) {
                            System.arraycopy(all, at[i] * size, velocity, i * size, size);
                        }
                        return velocity;
                    },
                    noise);
            for (int i = 0; i < at.length; i++) {
                clean.put(pass.frames().get(at[i]).frame(), frame(result, i));
            }
        }

        private LatentFrame frame(float[] frames, int index) {
            int size = config.latentChannels() * height * width;
            float[] values = new float[size];
            System.arraycopy(frames, index * size, values, 0, size);
            return new LatentFrame(config.latentChannels(), height, width, values);
        }

        /**
         * Runs the transformer.
         *
         * @param frames [frame, channel, h, w]
         * @param velocity receives [frame, channel, h, w], or null if it is not wanted
         */
        private void run(
                Pass pass, float[] frames, float timestep, BooleanSupplier cancelled, float @Nullable [] velocity) {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("generation was cancelled");
            }
            int n = pass.frames().size();
            int area = height * width;
            int channels = config.inChannels();
            HostTensor latents =
                    inputs.computeIfAbsent(n, k -> HostTensor.zeros(DType.F32, 1, channels, k, height, width));
            FloatBuffer out = latents.mutableBuffer().asFloatBuffer();
            for (int c = 0; c < channels; c++) {
                for (int i = 0; i < n; i++) {
                    out.put(frames, (i * channels + c) * area, area);
                }
            }
            float[] times = new float[n];
            java.util.Arrays.fill(times, timestep);
            float[] positions = new float[n];
            for (int i = 0; i < n; i++) {
                positions[i] = pass.frames().get(i).position();
            }
            RunOptions options = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, pass.visible());
            if (pass.written()) {
                options = options.withWritten(VideoTransformer.CACHE_GROUP, pass.ids());
            }
            try (Scope work = scope.child("denoise")) {
                Map<String, Tensor> in = new HashMap<>(prompt);
                in.put("latents", latents);
                in.put("timestep", HostTensor.ofFloats(times, 1, n));
                in.put("positions", HostTensor.ofFloats(positions, n));
                Map<String, Tensor> results = program.run(in, state, options, work);
                if (velocity != null) {
                    FloatBuffer v = Objects.requireNonNull(results.get("velocity"), "velocity")
                            .hostBuffer()
                            .asFloatBuffer();
                    int outChannels = config.outChannels();
                    for (int c = 0; c < outChannels; c++) {
                        for (int i = 0; i < n; i++) {
                            v.get(velocity, (i * outChannels + c) * area, area);
                        }
                    }
                }
            }
        }

        /** Fresh noise whenever it is asked, the same for the same segment, stage and step. */
        private final class StageNoise implements NoiseSource {
            private final int stage;
            private int step;

            StageNoise(int stage) {
                this.stage = stage;
            }

            @Override
            public void fill(float[] noise) {
                SplittableRandom random = new SplittableRandom(Seeds.of(input.seed(), stage, step++));
                for (int i = 0; i < noise.length; i++) {
                    noise[i] = (float) random.nextGaussian();
                }
            }
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                inputs.values().forEach(HostTensor::close);
                state.reset();
                synchronized (idleStates) {
                    idleStates.push(state);
                }
            }
        }
    }
}
