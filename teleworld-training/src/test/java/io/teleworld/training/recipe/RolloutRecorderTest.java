package io.teleworld.training.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.torch.TorchRuntimeProvider;
import io.teleworld.worlds.RoomWorld;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RolloutRecorderTest {

    private static final int CHANNELS = 4;
    private static final VideoAutoencoderConfig AUTOENCODER = new VideoAutoencoderConfig(
            3,
            CHANNELS,
            2,
            8,
            List.of(new Stage(8, 1, 1, 2), new Stage(8, 1, 2, 2), new Stage(8, 1, 2, 1)),
            List.of(new Stage(8, 1, 2, 1), new Stage(8, 1, 2, 2), new Stage(8, 1, 1, 2)),
            8,
            false,
            Grouping.CAUSAL,
            List.of(),
            List.of());
    private static final GeometryNetConfig GEOMETRY = new GeometryNetConfig(5, 2, List.of(8, 8), List.of(1, 1), 8);
    private static final TeleWorldConfig WORLD = world();

    @TempDir
    Path folder;

    private static TeleWorldConfig world() {
        TeleWorldConfig n = TeleWorldConfig.NANO;
        return new TeleWorldConfig(
                "test",
                n.version(),
                n.licence(),
                32,
                48,
                n.frameRate(),
                n.horizontalFovDegrees(),
                n.segmentMap(),
                n.hideTerminal(),
                n.guidance(),
                n.controls(),
                n.precision());
    }

    private static <C> NetworkFile<C> random(C config, Map<String, float[]> weights, Graph... graphs) {
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        for (Graph graph : graphs) {
            graph.parameters()
                    .forEach((name, value) -> tensors.put(
                            name,
                            HostTensor.ofFloats(
                                    java.util.Objects.requireNonNull(weights.get(name)),
                                    value.shape().known())));
        }
        return new NetworkFile<>(config, tensors);
    }

    private static RolloutRecorder recorder(TensorRuntime runtime, RolloutRecorder.@Nullable Student student) {
        return new RolloutRecorder(
                WORLD,
                random(
                        AUTOENCODER,
                        VideoAutoencoder.initialise(AUTOENCODER, 1),
                        VideoAutoencoder.encoderGraph(AUTOENCODER, 32, 48),
                        VideoAutoencoder.decoderGraph(AUTOENCODER, 4, 6)),
                random(GEOMETRY, GeometryNet.initialise(GEOMETRY, 2), GeometryNet.graph(GEOMETRY, 32, 48)),
                random(GEOMETRY, GeometryNet.initialise(GEOMETRY, 3), GeometryNet.clipGraph(GEOMETRY, 1, 32, 48)),
                student,
                runtime);
    }

    private static GroundTruthClip clip(int frames) {
        return new WalkClips(List.of(r -> RoomWorld.generate(5)), WORLD.intrinsics(), frames, 1)
                .next(new SplittableRandom(4));
    }

    private List<LatentCache.Segment> record(RolloutRecorder.@Nullable Student student, int segments)
            throws IOException, InterruptedException {
        try (TensorRuntime runtime = new TorchRuntimeProvider().create(new RuntimeOptions("cpu", 1));
                RolloutRecorder recorder = recorder(runtime, student)) {
            try (LatentCache.Writer writer = new LatentCache.Writer(folder, recorder.header())) {
                double covered = recorder.record(clip(recorder.clipFrames(segments)), 3, writer);
                assertThat(covered).isBetween(0.01, 1.0);
                assertThat(writer.segments()).isEqualTo(segments);
            }
        }
        List<LatentCache.Segment> out = new java.util.ArrayList<>();
        try (LatentCache cache = LatentCache.open(folder)) {
            for (int i = 0; i < segments; i++) {
                LatentCache.Segment s = LatentCache.Segment.of(cache.header());
                cache.read(i, s);
                out.add(s);
            }
        }
        return out;
    }

    @Test
    void theTruthIsPlayedAndOnlyHandOffsDifferFromIt() throws IOException, InterruptedException {
        List<LatentCache.Segment> segments = record(null, 2);
        int frame = segments.get(0).target().length / 10;
        for (int s = 0; s < 2; s++) {
            LatentCache.Segment one = segments.get(s);
            assertThat(one.weight()).containsOnly(1f);
            assertThat(Arrays.copyOfRange(one.context(), frame, 10 * frame))
                    .isEqualTo(Arrays.copyOfRange(one.target(), frame, 10 * frame));
        }
        float[] start = Arrays.copyOf(segments.get(0).context(), frame);
        assertThat(start)
                .as("the start picture is given as it is")
                .containsExactly(Arrays.copyOf(segments.get(0).target(), frame), within(2e-3f));
        assertThat(Arrays.copyOf(segments.get(1).context(), frame))
                .as("a later segment starts from a decoded picture")
                .isNotEqualTo(Arrays.copyOf(segments.get(1).target(), frame));
    }

    @Test
    void aStudentPlaysItself() throws IOException, InterruptedException {
        VideoTransformerConfig n = VideoTransformerConfig.nano();
        VideoTransformerConfig config = new VideoTransformerConfig(
                n.patchSize(),
                2,
                16,
                CHANNELS + n.maskChannels(),
                CHANNELS,
                8,
                16,
                32,
                1,
                n.crossAttnNorm(),
                n.qkNorm(),
                n.eps(),
                null,
                null,
                n.ropeMaxSeqLen(),
                null,
                n.textLen(),
                n.maskChannels());
        Graph graph = io.teleworld.core.network.VideoTransformer.cachedGraph(config, 4, 6, 20);
        NetworkFile<VideoTransformerConfig> network = random(config, TransformerObjective.initialise(config, 3), graph);
        LatentStatistics statistics =
                new LatentStatistics(Collections.nCopies(CHANNELS, 0.5), Collections.nCopies(CHANNELS, 2.0));
        SchedulerConfig steps = new SchedulerConfig(1000, 5, List.of(1000, 500), true, 0, 50, 1);
        LatentCache.Segment one = record(new RolloutRecorder.Student(network, steps, statistics), 1)
                .get(0);
        int frame = one.target().length / 10;
        assertThat(Arrays.copyOf(one.context(), frame))
                .as("normalised for the student, recorded as the autoencoder has it")
                .containsExactly(Arrays.copyOf(one.target(), frame), within(4e-3f));
        assertThat(Arrays.copyOfRange(one.context(), frame, 2 * frame))
                .isNotEqualTo(Arrays.copyOfRange(one.target(), frame, 2 * frame));
        for (float w : one.weight()) {
            assertThat(w).isBetween(0f, 1f);
        }
        assertThat(Arrays.copyOf(one.weight(), frame / CHANNELS)).containsOnly(1f);
    }

    @Test
    void aClipShorterThanASegmentIsRefused() throws IOException {
        try (TensorRuntime runtime = new TorchRuntimeProvider().create(new RuntimeOptions("cpu", 1));
                RolloutRecorder recorder = recorder(runtime, null);
                LatentCache.Writer writer = new LatentCache.Writer(folder, recorder.header())) {
            GroundTruthClip small = clip(20);
            assertThatThrownBy(() -> recorder.record(small, 1, writer))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("20 frames")
                    .hasMessageContaining("37");
        }
    }
}
