package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.recipe.AutoencoderObjective;
import io.teleworld.training.recipe.DecoderGrowth;
import io.teleworld.training.recipe.Optimizers;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchNative;
import io.teleworld.training.torch.TorchTensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class DecoderGrowthTest {

    private static final VideoAutoencoderConfig SMALL = ModelSize.TINY.autoencoder();

    @BeforeAll
    @BeforeContainer
    static void oneThread() {
        TorchNative.load();
        TorchNative.setThreads(1);
    }

    private static VideoAutoencoderConfig wider(int first, int second, int third, int head) {
        List<Stage> stages = new ArrayList<>();
        int[] more = {first, second, third};
        for (Stage s : SMALL.decoderStages()) {
            stages.add(new Stage(s.width() + more[stages.size()], s.blocks(), s.space(), s.time()));
        }
        return with(stages, SMALL.decoderHeadWidth() + head);
    }

    private static VideoAutoencoderConfig with(List<Stage> stages, int head) {
        return new VideoAutoencoderConfig(
                SMALL.imageChannels(),
                SMALL.latentChannels(),
                SMALL.patchSize(),
                SMALL.encoderStemWidth(),
                SMALL.encoderStages(),
                stages,
                head,
                SMALL.unitRange(),
                SMALL.grouping(),
                List.of(),
                List.of());
    }

    private static float[] decoded(VideoAutoencoderConfig config, Map<String, float[]> weights, float[] latents) {
        try (TorchModule decoder = TorchModule.of(
                        VideoAutoencoder.decoderClipGraph(config, 2, 3, 2), weights, "cpu", Arithmetic.FP32);
                PointerScope scope = new PointerScope()) {
            Tensor z = TorchTensors.ofFloats(latents, 1, 2, config.latentChannels(), 2, 3);
            return TorchTensors.toFloats(decoder.inference(Map.of("latents", z)).get("frames"));
        }
    }

    @Property(tries = 8)
    void aWidenedDecoderGivesWhatItGave(
            @ForAll @IntRange(max = 5) int first,
            @ForAll @IntRange(max = 5) int second,
            @ForAll @IntRange(max = 5) int third,
            @ForAll @IntRange(max = 5) int head,
            @ForAll long seed) {
        VideoAutoencoderConfig wide = wider(first, second, third, head);
        Map<String, float[]> weights = VideoAutoencoder.initialise(SMALL, seed);
        Map<String, float[]> grown = DecoderGrowth.widened(SMALL, weights, wide, seed + 1);
        SplittableRandom random = new SplittableRandom(seed);
        float[] latents = new float[2 * SMALL.latentChannels() * 6];
        for (int i = 0; i < latents.length; i++) {
            latents[i] = (float) random.nextGaussian();
        }
        float[] before = decoded(SMALL, weights, latents);
        float[] after = decoded(wide, grown, latents);
        assertThat(after).hasSameSizeAs(before);
        for (int i = 0; i < before.length; i++) {
            assertThat(after[i]).isEqualTo(before[i], within(1e-4f));
        }
        weights.forEach((n, w) -> {
            if (n.startsWith("encoder.")) {
                assertThat(grown.get(n)).isEqualTo(w);
            }
        });
    }

    @Test
    void onlyWidthsMayDiffer() {
        List<Stage> stages = new ArrayList<>(SMALL.decoderStages());
        Stage s = stages.get(0);
        stages.set(0, new Stage(s.width(), s.blocks() + 1, s.space(), s.time()));
        VideoAutoencoderConfig deeper = with(stages, SMALL.decoderHeadWidth());
        assertThatThrownBy(() -> DecoderGrowth.sizes(SMALL, deeper))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("only their widths");
        assertThat(DecoderGrowth.sizes(wider(1, 1, 1, 1), SMALL)).isEqualTo(wider(1, 1, 1, 1));
    }

    @Test
    void theDecoderLearnsAloneAndTheEncoderIsStored() {
        int side = 16;
        int frames = 5;
        byte[] pixels = new byte[3 * frames * side * side];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (byte) (i % 3 == 0 ? 240 : i / 3 % side < side / 2 ? 30 : 120);
        }
        GroundTruthClip clip = new GroundTruthClip(
                Intrinsics.ofHorizontalFieldOfView(side, side, 1),
                pixels,
                new float[frames * side * side],
                new byte[frames * side * side],
                Collections.nCopies(frames, Pose.IDENTITY));
        Map<String, float[]> weights = VideoAutoencoder.initialise(SMALL, 5);
        try (AutoencoderObjective objective = new AutoencoderObjective(
                        SMALL, weights, r -> clip, List.of(clip), 2, side, 2, true, "cpu", Arithmetic.FP32);
                Optimizer optimizer = Optimizers.autoencoder(objective.parameters())) {
            assertThat(objective.parameters())
                    .isNotEmpty()
                    .allSatisfy((n, p) -> assertThat(n).startsWith("decoder."));
            double first = 0;
            double last = 0;
            for (int step = 0; step < 20; step++) {
                try (PointerScope scope = new PointerScope()) {
                    Tensor loss = objective.loss(new SplittableRandom(1), new TreeMap<>());
                    last = loss.item_float();
                    first = step == 0 ? last : first;
                    loss.backward();
                    optimizer.step(2e-3);
                    objective
                            .parameters()
                            .values()
                            .forEach(p -> p.mutable_grad().reset());
                }
            }
            assertThat(last).isLessThan(0.8 * first);
            Map<String, HostTensor> averages = new LinkedHashMap<>();
            objective.parameters().forEach((n, p) -> averages.put(n, TorchTensors.toHost(p)));
            Map<String, HostTensor> stored = objective.network(averages);
            assertThat(stored.keySet()).isEqualTo(weights.keySet());
            weights.forEach((n, w) -> {
                if (n.startsWith("encoder.")) {
                    assertThat(stored.get(n).toFloatArray()).isEqualTo(w);
                }
            });
        }
    }
}
