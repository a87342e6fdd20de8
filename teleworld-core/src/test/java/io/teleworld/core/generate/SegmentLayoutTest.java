package io.teleworld.core.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.teleworld.ChainingPolicy;
import io.teleworld.GuidanceFrame;
import io.teleworld.GuidanceLatent;
import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.GuidanceConfig.Holes;
import io.teleworld.core.generate.GuidanceConfig.Layout;
import io.teleworld.core.generate.GuidanceConfig.Order;
import io.teleworld.core.generate.GuidanceConfig.TimestepMode;
import io.teleworld.core.generate.SegmentLayout.Pass;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.generate.SegmentLayout.SequenceFrame;
import io.teleworld.core.generate.SegmentLayout.TokenFrame;
import io.teleworld.core.plan.MacroMicroPlanner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SegmentLayoutTest {

    private static final SegmentPlan PLAN = new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0);

    private static List<TokenFrame> targets(int... frames) {
        return Arrays.stream(frames)
                .mapToObj(f -> new TokenFrame(false, f, f - 1, f))
                .toList();
    }

    private static List<TokenFrame> guidance(int offset, int... frames) {
        return Arrays.stream(frames)
                .mapToObj(f -> new TokenFrame(true, f, f - 1 + offset, 10 + f))
                .toList();
    }

    private static List<TokenFrame> join(List<TokenFrame> a, List<TokenFrame> b) {
        List<TokenFrame> all = new ArrayList<>(a);
        all.addAll(b);
        return all;
    }

    @Test
    void passesOfTheDefaultSegment() {
        SegmentLayout layout = new SegmentLayout(PLAN, GuidanceConfig.DEFAULT, true);
        assertThat(layout.opening()).containsExactly(new Pass(PassKind.GIVEN, -1, targets(1), List.of()));
        assertThat(layout.passesOf(0))
                .containsExactly(
                        new Pass(PassKind.GUIDANCE, 0, guidance(0, 2, 6, 10), List.of()),
                        new Pass(PassKind.NOISY, 0, targets(2, 6, 10), List.of(1, 12, 16, 20)),
                        new Pass(PassKind.CLEAN, 0, targets(2, 6, 10), List.of(1, 12, 16, 20)));
        assertThat(layout.passesOf(0).get(0).positions()).containsExactly(1, 5, 9);
        assertThat(layout.passesOf(0).get(0).ids()).containsExactly(12, 16, 20);
        assertThat(layout.passesOf(2)).extracting(Pass::kind).containsExactly(PassKind.GUIDANCE, PassKind.NOISY);
        assertThat(layout.passesOf(2).get(1).visible()).containsExactly(1, 2, 3, 4, 5, 6, 10, 17, 18, 19);
        assertThat(SegmentLayout.cacheCapacity(PLAN, GuidanceConfig.DEFAULT)).isEqualTo(7 + 9);
    }

    @Test
    void prefixLayoutAndRopeOffset() {
        GuidanceConfig config =
                new GuidanceConfig(Layout.PREFIX, Order.GUIDANCE_FIRST, 10, TimestepMode.CLEAN, 1, false, Holes.GREY);
        SegmentLayout layout = new SegmentLayout(PLAN, config, true);
        Pass guidance = layout.opening().get(1);
        assertThat(guidance.frames()).hasSize(10);
        assertThat(guidance.positions()).containsExactly(10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
        assertThat(layout.passesOf(0)).extracting(Pass::kind).containsExactly(PassKind.NOISY, PassKind.CLEAN);
        assertThat(layout.passesOf(1).get(0).visible()).contains(11, 20).doesNotContain(10);
    }

    @Test
    void guidanceAtTheTargetsTimestepRunsBesideThem() {
        GuidanceConfig first =
                new GuidanceConfig(Layout.PAIRED, Order.GUIDANCE_FIRST, 10, TimestepMode.SAME, 2, false, Holes.GREY);
        SegmentLayout layout = new SegmentLayout(PLAN, first, true);
        assertThat(layout.passes()).noneMatch(p -> p.kind() == PassKind.GUIDANCE);
        List<TokenFrame> both = join(guidance(10, 2, 6, 10), targets(2, 6, 10));
        assertThat(layout.passesOf(0))
                .containsExactly(
                        new Pass(PassKind.NOISY, 0, both, List.of(1)), new Pass(PassKind.CLEAN, 0, both, List.of(1)));
        assertThat(layout.passesOf(2).get(0).visible()).containsExactly(1, 2, 3, 4, 5, 6, 10);
        assertThat(layout.sequence().stream().filter(SequenceFrame::denoised)).hasSize(9);

        GuidanceConfig last =
                new GuidanceConfig(Layout.PREFIX, Order.TARGET_FIRST, 0, TimestepMode.SAME, 2, false, Holes.GREY);
        assertThat(new SegmentLayout(PLAN, last, true).passesOf(1).get(0).frames())
                .isEqualTo(join(targets(3, 4, 5), guidance(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)));
        assertThat(new SegmentLayout(PLAN, last, false).passesOf(1).get(0).frames())
                .isEqualTo(targets(3, 4, 5));
        // Clean passes of the first two stages write their guidance beside the given and finished frames.
        assertThat(SegmentLayout.cacheCapacity(PLAN, first)).isEqualTo(7 + 6);
        assertThat(SegmentLayout.cacheCapacity(PLAN, last)).isEqualTo(7 + 10);
    }

    @Test
    void theOrderTurnsTheSequenceRoundWithinAStage() {
        GuidanceConfig config =
                new GuidanceConfig(Layout.PAIRED, Order.TARGET_FIRST, 0, TimestepMode.CLEAN, 2, false, Holes.GREY);
        SegmentLayout layout = new SegmentLayout(PLAN, config, true);
        assertThat(layout.passes()).isEqualTo(new SegmentLayout(PLAN, GuidanceConfig.DEFAULT, true).passes());
        assertThat(layout.sequence().stream().map(SequenceFrame::tokens))
                .startsWith(targets(1).get(0))
                .containsSubsequence(join(
                        join(targets(2, 6, 10), targets(2, 6, 10)), join(guidance(0, 2, 6, 10), targets(3, 4, 5))));
    }

    @Test
    void whatCannotBeIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GuidanceConfig(
                        Layout.PAIRED,
                        Order.GUIDANCE_FIRST,
                        -1,
                        TimestepMode.CLEAN,
                        GuidanceConfig.DEFAULT.maskChannels(),
                        false,
                        Holes.GREY))
                .withMessageContaining("-1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GuidanceConfig(
                        Layout.PAIRED, Order.GUIDANCE_FIRST, 0, TimestepMode.CLEAN, 3, false, Holes.GREY))
                .withMessageContaining("3");
    }

    @Test
    void withoutGuidanceNoGuidanceIsSeen() {
        SegmentLayout layout = new SegmentLayout(PLAN, GuidanceConfig.DEFAULT, false);
        assertThat(layout.passes()).noneMatch(p -> p.kind() == PassKind.GUIDANCE);
        assertThat(layout.passes()).allSatisfy(p -> assertThat(p.visible()).allMatch(id -> id <= 10));
    }

    @Test
    void theMaskOfTheSequenceIsWhatTheCachedPassesSee() {
        for (Layout kind : Layout.values()) {
            for (Order order : Order.values()) {
                for (TimestepMode mode : TimestepMode.values()) {
                    assertMaskIsCache(new SegmentLayout(
                            PLAN, new GuidanceConfig(kind, order, 0, mode, 2, false, Holes.GREY), true));
                }
            }
        }
    }

    private static void assertMaskIsCache(SegmentLayout layout) {
        List<SequenceFrame> sequence = layout.sequence();
        boolean[][] mask = layout.attentionMask();
        // A cache that is filled pass by pass, as generation does it.
        Set<Integer> cached = new HashSet<>();
        int rows = 0;
        for (int p = 0; p < layout.passes().size(); p++) {
            Pass pass = layout.passes().get(p);
            assertThat(cached).as("pass %s sees what is cached", pass).containsAll(pass.visible());
            List<TokenFrame> own = new ArrayList<>();
            for (int row = 0; row < mask.length; row++) {
                if (sequence.get(row).pass() != p) {
                    continue;
                }
                own.add(sequence.get(row).tokens());
                rows++;
                List<Integer> seen = new ArrayList<>();
                for (int k = 0; k < mask.length; k++) {
                    if (mask[row][k]) {
                        seen.add(sequence.get(k).tokens().id());
                    }
                }
                List<Integer> expected = new ArrayList<>(pass.visible());
                expected.addAll(pass.ids());
                assertThat(seen).containsExactlyInAnyOrderElementsOf(expected);
            }
            assertThat(own).isEqualTo(pass.frames());
            if (pass.written()) {
                cached.addAll(pass.ids());
            }
        }
        assertThat(rows).isEqualTo(mask.length);
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
        SegmentLayout.writeTarget(latent, joined.get(1), GuidanceConfig.DEFAULT, out, 1);
        assertThat(out).containsExactly(0, 1, 2, 3, 4, -1, -1, -1, -1);
    }

    @Test
    void holesAreMidGrey() {
        byte[] rgb = {(byte) 255, 0, (byte) 255, 9, 9, 9};
        GuidanceFrame frame = new GuidanceFrame(
                new RgbImage(2, 1, rgb), new byte[] {GuidanceFrame.STATIC, GuidanceFrame.HOLE}, new float[2]);
        float[] out = new float[6];
        SegmentLayout.writeGuidancePixels(frame, Holes.GREY, out, 0);
        assertThat(out).containsExactly(1, 0, -1, 0, 1, 0);
        SegmentLayout.writeGuidancePixels(frame, Holes.SMOOTH, out, 0);
        assertThat(out).containsExactly(1, 1, -1, -1, 1, 1);
    }

    @Test
    void guidanceStandsBesideItsTarget() {
        GuidanceConfig config =
                new GuidanceConfig(Layout.PAIRED, Order.GUIDANCE_FIRST, 0, TimestepMode.CLEAN, 2, true, Holes.SMOOTH);
        assertThat(config.inputChannels(2)).isEqualTo(8);
        LatentFrame target = new LatentFrame(2, 1, 1, new float[] {1, 2});
        GuidanceLatent guidance = new GuidanceLatent(
                new LatentFrame(2, 1, 1, new float[] {3, 4}), new float[] {0.5f}, new float[] {0.25f});
        float[] out = new float[8];
        SegmentLayout.writeTarget(target, guidance, config, out, 0);
        assertThat(out).containsExactly(1, 2, -1, -1, 3, 4, 0.5f, 0.25f);
        SegmentLayout.writeTarget(target, null, config, out, 0);
        assertThat(out).containsExactly(1, 2, -1, -1, 0, 0, -1, -1);
        SegmentLayout.writeGuidance(guidance, config, out, 0);
        assertThat(out).containsExactly(3, 4, 0.5f, 0.25f, 0, 0, 0, 0);
    }
}
