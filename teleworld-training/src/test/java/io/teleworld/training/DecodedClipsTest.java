package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.training.data.AutoencodedFrames;
import io.teleworld.training.data.DecodedClips;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.torch.TorchNative;
import java.util.Arrays;
import java.util.Collections;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class DecodedClipsTest {

    private static final VideoAutoencoderConfig CONFIG = ModelSize.TINY.autoencoder();
    private static final int SIDE = 16;
    private static final int FRAMES = 6;
    private static final int SIZE = 3 * SIDE * SIDE;

    @BeforeAll
    static void oneThread() {
        TorchNative.load();
        TorchNative.setThreads(1);
    }

    private static AutoencodedFrames autoencoder(int frames) {
        return new AutoencodedFrames(frames, SIDE, SIDE, CONFIG, VideoAutoencoder.initialise(CONFIG, 2), "cpu");
    }

    private static GroundTruthClip clip() {
        byte[] rgb = new byte[FRAMES * SIZE];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i * 31 % 251);
        }
        float[] depth = new float[FRAMES * SIDE * SIDE];
        Arrays.fill(depth, 2);
        return new GroundTruthClip(
                Intrinsics.ofHorizontalFieldOfView(SIDE, SIDE, 1),
                rgb,
                depth,
                new byte[depth.length],
                Collections.nCopies(FRAMES, Pose.IDENTITY));
    }

    private static GroundTruthClip seen(double share, long seed) {
        try (DecodedClips clips = new DecodedClips(r -> clip(), autoencoder(1), share)) {
            return clips.next(new SplittableRandom(seed));
        }
    }

    private static int changed(GroundTruthClip seen) {
        int n = 0;
        for (int t = 0; t < FRAMES; t++) {
            n += Arrays.equals(seen.rgb(), t * SIZE, (t + 1) * SIZE, clip().rgb(), t * SIZE, (t + 1) * SIZE) ? 0 : 1;
        }
        return n;
    }

    @Test
    void theShareSaysHowManyFramesAreDecodedAndLabelsStay() {
        assertThat(changed(seen(0, 1))).isZero();
        assertThat(changed(seen(1, 1))).isEqualTo(FRAMES);
        GroundTruthClip some = seen(0.5, 4);
        assertThat(changed(some)).isBetween(1, FRAMES - 1);
        assertThat(some.depth()).isEqualTo(clip().depth());
        assertThat(some.poses()).isEqualTo(clip().poses());
        assertThat(seen(0.5, 4).rgb()).isEqualTo(some.rgb());
        assertThatThrownBy(() -> seen(1.5, 1)).hasMessageContaining("1.5").hasMessageContaining("[0, 1]");
    }

    @Test
    void noiseMovesWhatIsDecoded() {
        byte[] frame = Arrays.copyOf(clip().rgb(), SIZE);
        try (AutoencodedFrames frames = autoencoder(1)) {
            byte[] clean = frames.decoded(frame, 0, new SplittableRandom(1));
            assertThat(frames.decoded(frame, 0, new SplittableRandom(2))).isEqualTo(clean);
            byte[] little = frames.decoded(frame, 0.1, new SplittableRandom(1));
            byte[] much = frames.decoded(frame, 1, new SplittableRandom(1));
            assertThat(distance(little, clean)).isPositive().isLessThan(distance(much, clean));
            assertThatThrownBy(() -> frames.decoded(new byte[5], 0, new SplittableRandom(1)))
                    .hasMessageContaining("5 bytes")
                    .hasMessageContaining(Integer.toString(SIZE));
        }
        assertThatThrownBy(() -> autoencoder(3)).hasMessageContaining("1+4k");
    }

    private static double distance(byte[] a, byte[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.abs((a[i] & 0xff) - (b[i] & 0xff));
        }
        return sum;
    }
}
