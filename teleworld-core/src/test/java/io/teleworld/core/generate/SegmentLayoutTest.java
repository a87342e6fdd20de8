package io.teleworld.core.generate;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.ChainingPolicy;
import io.teleworld.GuidanceFrame;
import io.teleworld.GuidanceLatent;
import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.SegmentLayout.Pass;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.generate.SegmentLayout.SequenceFrame;
import io.teleworld.core.plan.MacroMicroPlanner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SegmentLayoutTest {

    private static final SegmentPlan PLAN = new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0);

    @Test
    void passesOfTheDefaultSegment() {
        SegmentLayout layout = new SegmentLayout(PLAN, GuidanceConfig.DEFAULT, true);
        assertThat(layout.opening())
                .containsExactly(new Pass(PassKind.GIVEN, -1, List.of(1), List.of(0), List.of(), List.of(1)));
        assertThat(layout.passesOf(0))
                .containsExactly(
                        new Pass(
                                PassKind.GUIDANCE,
                                0,
                                List.of(2, 6, 10),
                                List.of(1, 5, 9),
                                List.of(),
                                List.of(12, 16, 20)),
                        new Pass(
                                PassKind.NOISY,
                                0,
                                List.of(2, 6, 10),
                                List.of(1, 5, 9),
                                List.of(1, 12, 16, 20),
                                List.of(2, 6, 10)),
                        new Pass(
                                PassKind.CLEAN,
                                0,
                                List.of(2, 6, 10),
                                List.of(1, 5, 9),
                                List.of(1, 12, 16, 20),
                                List.of(2, 6, 10)));
        assertThat(layout.passesOf(2)).extracting(Pass::kind).containsExactly(PassKind.GUIDANCE, PassKind.NOISY);
        assertThat(layout.passesOf(2).get(1).visible()).containsExactly(1, 2, 3, 4, 5, 6, 10, 17, 18, 19);
        assertThat(SegmentLayout.cacheCapacity(PLAN, GuidanceConfig.DEFAULT)).isEqualTo(7 + 9);
    }

    @Test
    void prefixLayoutAndRopeOffset() {
        GuidanceConfig config = new GuidanceConfig(GuidanceConfig.Layout.PREFIX, 10, 1);
        SegmentLayout layout = new SegmentLayout(PLAN, config, true);
        Pass guidance = layout.opening().get(1);
        assertThat(guidance.frames()).hasSize(10);
        assertThat(guidance.positions()).containsExactly(10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
        assertThat(layout.passesOf(0)).extracting(Pass::kind).containsExactly(PassKind.NOISY, PassKind.CLEAN);
        assertThat(layout.passesOf(1).get(0).visible()).contains(11, 20).doesNotContain(10);
    }

    @Test
    void withoutGuidanceNoGuidanceIsSeen() {
        SegmentLayout layout = new SegmentLayout(PLAN, GuidanceConfig.DEFAULT, false);
        assertThat(layout.passes()).noneMatch(p -> p.kind() == PassKind.GUIDANCE);
        assertThat(layout.passes()).allSatisfy(p -> assertThat(p.visible()).allMatch(id -> id <= 10));
    }

    @Test
    void theMaskOfTheSequenceIsWhatTheCachedPassesSee() {
        for (GuidanceConfig.Layout kind : GuidanceConfig.Layout.values()) {
            SegmentLayout layout = new SegmentLayout(PLAN, new GuidanceConfig(kind, 0, 2), true);
            List<SequenceFrame> sequence = layout.sequence();
            boolean[][] mask = layout.attentionMask();
            // A cache that is filled pass by pass, as generation does it.
            Set<Integer> cached = new HashSet<>();
            int row = 0;
            for (Pass pass : layout.passes()) {
                assertThat(cached).as("pass %s sees what is cached", pass).containsAll(pass.visible());
                for (int i = 0; i < pass.frames().size(); i++, row++) {
                    List<Integer> seen = new ArrayList<>();
                    for (int k = 0; k < mask.length; k++) {
                        if (mask[row][k]) {
                            SequenceFrame key = sequence.get(k);
                            seen.add(key.kind() == PassKind.GUIDANCE ? layout.guidanceId(key.frame()) : key.frame());
                        }
                    }
                    List<Integer> expected = new ArrayList<>(pass.visible());
                    expected.addAll(pass.ids());
                    assertThat(seen).containsExactlyInAnyOrderElementsOf(expected);
                }
                if (pass.written()) {
                    cached.addAll(pass.ids());
                }
            }
            assertThat(row).isEqualTo(mask.length);
        }
    }

    @Test
    void masksAreFractionsOfTheBlock() {
        List<GuidanceFrame> frames = new ArrayList<>();
        for (int t = 0; t < 5; t++) {
            byte[] layers = new byte[8 * 16];
            if (t == 1) {
                Arrays.fill(layers, GuidanceFrame.STATIC);
            }
            if (t == 2) {
                layers[0] = GuidanceFrame.DYNAMIC;
            }
            frames.add(new GuidanceFrame(new RgbImage(16, 8, new byte[3 * 16 * 8]), layers, new float[16 * 8]));
        }
        assertThat(SegmentLayout.latentMask(frames, 1, 8, false)).containsExactly(0, 0);
        assertThat(SegmentLayout.latentMask(frames, 2, 8, false)).containsExactly(65f / 256, 64f / 256);
        assertThat(SegmentLayout.latentMask(frames, 2, 8, true)).containsExactly(1f / 256, 0);
        LatentFrame latent = new LatentFrame(2, 1, 2, new float[] {1, 2, 3, 4});
        List<GuidanceLatent> joined = SegmentLayout.guidanceLatents(frames, List.of(latent, latent));
        float[] out = new float[9];
        SegmentLayout.writeGuidance(joined.get(1), GuidanceConfig.DEFAULT, out, 1);
        assertThat(out).containsExactly(0, 1, 2, 3, 4, 65f / 256, 64f / 256, 1f / 256, 0);
        SegmentLayout.writeTarget(latent, GuidanceConfig.DEFAULT, out, 1);
        assertThat(out).containsExactly(0, 1, 2, 3, 4, -1, -1, -1, -1);
    }

    @Test
    void holesAreMidGrey() {
        byte[] rgb = {(byte) 255, 0, (byte) 255, 9, 9, 9};
        GuidanceFrame frame = new GuidanceFrame(
                new RgbImage(2, 1, rgb), new byte[] {GuidanceFrame.STATIC, GuidanceFrame.HOLE}, new float[2]);
        float[] out = new float[6];
        SegmentLayout.writeGuidancePixels(frame, out, 0);
        assertThat(out).containsExactly(1, 0, -1, 0, 1, 0);
    }
}
