package io.teleworld.core.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class MemoryTest {

    private static final Intrinsics K = Intrinsics.ofHorizontalFieldOfView(176, 96, Math.toRadians(75));
    private static final Intrinsics SMALL = Intrinsics.ofHorizontalFieldOfView(44, 24, Math.toRadians(75));

    record Point(double x, double y, double z, int grey, double weight) {}

    /** A static map of exactly these points, each small enough to cover one pixel. */
    private static MemorySnapshot of(List<Point> points) {
        double voxel = 0.001;
        VoxelGrid grid = new VoxelGrid();
        for (Point p : points) {
            long key = Morton.ofCell(
                    (int) Math.floor(p.x / voxel), (int) Math.floor(p.y / voxel), (int) Math.floor(p.z / voxel));
            int block = grid.findOrCreate(key >>> Block.LOCAL_BITS);
            int local = (int) key & Block.LOCAL_MASK;
            int slot = grid.findCell(block, local);
            slot = slot >= 0 ? slot : grid.addCell(block, local);
            int c = LinearLight.linear((byte) p.grey);
            grid.writable(block)
                    .merge(slot, (float) p.x, (float) p.y, (float) p.z, c, c, c, 0, 0, -1, (float) p.weight, 1e-4f, 3);
        }
        return new MemorySnapshot(
                1, grid.share(), grid.cellCount(), voxel, 1, List.of(), new SkyMap(), List.of(), MemoryOptions.DEFAULT);
    }

    @Test
    void mortonVectors() {
        assertThat(Morton.ofCell(0, 0, 0)).isEqualTo(0x7000000000000000L);
        assertThat(Morton.ofCell(1, 2, 3)).isEqualTo(0x7000000000000035L);
        assertThat(Morton.ofCell(-1, 0, 5)).isEqualTo(0x624924924924934DL);
    }

    @Property(tries = 200)
    void mortonKeysDecode(
            @ForAll @IntRange(min = 0, max = 0x1FFFFF) int x,
            @ForAll @IntRange(min = 0, max = 0x1FFFFF) int y,
            @ForAll @IntRange(min = 0, max = 0x1FFFFF) int z) {
        long key = Morton.encode(x, y, z);
        assertThat(List.of(Morton.decode(key, 0), Morton.decode(key, 1), Morton.decode(key, 2)))
                .containsExactly(x, y, z);
    }

    @Test
    void aCellIsTheWeightedMeanOfItsObservations() {
        Block block = new Block(0, 1);
        int slot = block.append(0);
        block.merge(slot, 1f, 0, 0, 100, 0, 0, 0, 0, -1, 3, 0.1f, 0);
        block.merge(slot, 1.04f, 0, 0, 200, 0, 0, 0, 0, -1, 1, 0.05f, 2);
        assertThat(block.xs[0]).isCloseTo(1.01f, within(1e-6f));
        assertThat(Block.red(block.colour[slot])).isEqualTo(125);
        assertThat(block.weight[slot]).isEqualTo(4);
        assertThat(block.size[slot]).isEqualTo(0.05f);
        assertThat(block.first[slot]).isZero();
        assertThat(block.last[slot]).isEqualTo(2);
        block.merge(slot, 1, 0, 0, 0, 0, 0, 0, 0, -1, 1e6f, 1, 2);
        assertThat(block.weight[slot]).isEqualTo(255);
    }

    @Test
    void octahedralNormalsDecode() {
        Random random = new Random(7);
        float[] out = new float[3];
        for (int i = 0; i < 500; i++) {
            double x = random.nextGaussian();
            double y = random.nextGaussian();
            double z = random.nextGaussian();
            double n = Math.sqrt(x * x + y * y + z * z);
            Block.octDecode(Block.octEncode((float) (x / n), (float) (y / n), (float) (z / n)), out);
            assertThat((out[0] * x + out[1] * y + out[2] * z) / n).isGreaterThan(0.999);
        }
    }

    @Test
    void theFiveByFourVector() {
        Intrinsics k = new Intrinsics(5, 4, 4, 4, 2.5, 2);
        MemorySnapshot memory = of(List.of(
                new Point(0, 0, 2, 200, 1),
                new Point(0, 0, 4, 50, 1),
                new Point(0.5, 0, 2, 100, 1),
                new Point(-0.5, 0.25, 1, 150, 1),
                new Point(0, 0, -1, 250, 1),
                new Point(3, 0, 2, 250, 1)));
        GuidanceView view = new GuidanceView(5, 4);
        new MemoryRenderer().render(memory, Pose.IDENTITY, k, 0, view);
        byte[] mask = new byte[20];
        mask[2 * 5 + 2] = 1;
        mask[2 * 5 + 3] = 1;
        mask[3 * 5] = 1;
        assertThat(view.mask()).isEqualTo(mask);
        assertThat(view.rgb()[3 * 12] & 0xFF).isEqualTo(200);
        assertThat(view.rgb()[3 * 13] & 0xFF).isEqualTo(100);
        assertThat(view.rgb()[3 * 15] & 0xFF).isEqualTo(150);
        assertThat(view.depth()[12]).isEqualTo(2f);
        assertThat(view.lastSeen()[12]).isEqualTo(3);
        assertThat(view.lastSeen()[0]).isEqualTo(-1);
        assertThat(view.coverage()).isEqualTo(3 / 20.0);
    }

    @Test
    void closeDepthsBlendByWeightInLinearLight() {
        Intrinsics k = new Intrinsics(5, 4, 4, 4, 2.5, 2);
        GuidanceView view = new GuidanceView(5, 4);
        new MemoryRenderer()
                .render(
                        of(List.of(new Point(0, 0, 2, 255, 1), new Point(0, 0, 2.01, 0, 1))),
                        Pose.IDENTITY,
                        k,
                        0,
                        view);
        assertThat(view.rgb()[3 * 12] & 0xFF).isCloseTo(188, within(1));
        assertThat(view.depth()[12]).isCloseTo(2.005f, within(1e-3f));
    }

    @Property(tries = 50)
    void renderingDoesNotDependOnTheOrderOfInsertion(@ForAll long seed) {
        Random random = new Random(seed);
        List<Point> points = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            points.add(new Point(
                    random.nextDouble() - 0.5,
                    random.nextDouble() - 0.5,
                    0.5 + random.nextDouble(),
                    random.nextInt(256),
                    random.nextDouble() * 5));
        }
        // One observation per cell: merging rounds, rendering must not.
        MemorySnapshot ordered = of(points);
        if (ordered.cellCount() != points.size()) {
            return;
        }
        GuidanceView a = new GuidanceView(44, 24);
        GuidanceView b = new GuidanceView(44, 24);
        MemoryRenderer renderer = new MemoryRenderer();
        renderer.render(ordered, Pose.IDENTITY, SMALL, 0, a);
        Collections.shuffle(points, random);
        renderer.render(of(points), Pose.IDENTITY, SMALL, 0, b);
        assertThat(b.rgb()).isEqualTo(a.rgb());
        assertThat(b.depth()).isEqualTo(a.depth());
        assertThat(b.mask()).isEqualTo(a.mask());
    }

    @Property(tries = 30)
    void aHoleHasNoContributionAndEverythingElseHasOne(@ForAll long seed) {
        Random random = new Random(seed);
        List<Point> points = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            points.add(new Point(random.nextDouble() - 0.5, random.nextDouble() - 0.5, 1, 1 + random.nextInt(255), 1));
        }
        GuidanceView view = new GuidanceView(44, 24);
        MemoryRenderer renderer = new MemoryRenderer();
        renderer.render(of(points), Pose.IDENTITY, SMALL, 0, view);
        for (int p = 0; p < view.mask().length; p++) {
            boolean hole = view.mask()[p] == GuidanceView.HOLE;
            if (renderer.rawDepth(p) > 0) {
                assertThat(hole).isFalse();
            }
            assertThat(view.depth()[p] == 0).isEqualTo(hole);
            assertThat(view.lastSeen()[p] == -1).isEqualTo(hole);
            assertThat(view.rgb()[3 * p] == 0).isEqualTo(hole);
        }
    }

    private static Pose path(double frame) {
        return Pose.yaw(0.6 * Math.sin(frame * 0.05))
                .withTranslation(0.3 * Math.sin(frame * 0.04), 0.05 * Math.sin(frame * 0.1), -2 + frame * 0.035);
    }

    @Test
    void aKeyFrameIsReproducedFromItsOwnPose() {
        AnalyticRoom room = new AnalyticRoom(1, 3, false);
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        Keyframe frame = room.keyframe(K, path(0), 0, 0, Double.NaN);
        WorldMemory.Report report = memory.insert(frame);
        assertThat(report.used()).isGreaterThan(16000);
        GuidanceView view = new GuidanceView(176, 96);
        new MemoryRenderer().render(memory.snapshot(), path(0), K, 0, view);
        int good = 0;
        for (int p = 0; p < view.mask().length; p++) {
            float d = view.depth()[p];
            good += d > 0 && Math.abs(d - frame.depth()[p]) <= memory.snapshot().voxelEdge() ? 1 : 0;
        }
        assertThat((double) good / view.mask().length).isGreaterThan(0.97);
        assertThat(memory.snapshot().unit()).isGreaterThan(1);
        assertThat(memory.snapshot().voxelEdge() / memory.snapshot().unit()).isCloseTo(0.5 / K.fx(), within(1e-9));
    }

    @Test
    void guidesMatchTheTruthBetweenKeyFrames() {
        AnalyticRoom room = new AnalyticRoom(1, 3, false);
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        for (int i = 0; i <= 40; i += 10) {
            memory.insert(room.keyframe(K, path(i), i / 16.0, i / 30, Double.NaN));
        }
        MemoryRenderer renderer = new MemoryRenderer();
        GuidanceView view = new GuidanceView(176, 96);
        double psnr = 0;
        double coverage = 0;
        for (int i = 5; i < 40; i += 10) {
            renderer.render(memory.snapshot(), path(i), K, i / 16.0, view);
            psnr += AnalyticRoom.psnr(view, room.trace(K, path(i), Double.NaN)) / 4;
            coverage += view.coverage() / 4;
        }
        assertThat(psnr).isGreaterThan(34);
        assertThat(coverage).isGreaterThan(0.97);
        assertThat(memory.snapshot().cellCount()).isLessThan(70_000);
    }

    @Test
    void aPillarStaysClosedWhenTheCameraComesNear() {
        AnalyticRoom room = new AnalyticRoom(1, 3, false);
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        // Its pixels become smaller than a voxel; cells must then still cover what they stand for.
        for (int i = 0; i <= 60; i += 10) {
            memory.insert(room.keyframe(K, near(i), i / 16.0, i / 30, Double.NaN));
        }
        GuidanceView view = new GuidanceView(176, 96);
        new MemoryRenderer().render(memory.snapshot(), near(55), K, 0, view);
        assertThat(view.coverage()).isGreaterThan(0.99);
        assertThat(AnalyticRoom.psnr(view, room.trace(K, near(55), Double.NaN))).isGreaterThan(33);
    }

    private static Pose near(double frame) {
        return Pose.yaw(0.6 * Math.sin(frame * 0.05))
                .withTranslation(0.3 * Math.sin(frame * 0.04), 0.05 * Math.sin(frame * 0.1), -2 + frame * 0.045);
    }

    @Test
    void movingThingsAreKeptApartShownForAWhileAndInterpolated() {
        AnalyticRoom room = new AnalyticRoom(2, 3, false);
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(room.keyframe(K, path(0), 0, 0, -0.6));
        WorldMemory.Report report = memory.insert(room.keyframe(K, path(0), 1, 0, 0.2));
        assertThat(report.dynamic()).isGreaterThan(100);
        MemoryRenderer renderer = new MemoryRenderer();
        GuidanceView view = new GuidanceView(176, 96);
        renderer.render(memory.snapshot(), path(0), K, 1, view);
        AnalyticRoom.Frame truth = room.trace(K, path(0), 0.2);
        assertThat(overlap(view, truth)).isGreaterThan(0.8);
        renderer.render(memory.snapshot(), path(0), K, 0.5, view);
        assertThat(overlap(view, room.trace(K, path(0), -0.2))).isGreaterThan(0.6);
        renderer.render(memory.snapshot(), path(0), K, 1 + 2.2, view);
        assertThat(overlap(view, truth)).isGreaterThan(0.8);
        renderer.render(memory.snapshot(), path(0), K, 1 + 2.3, view);
        assertThat(overlap(view, truth)).isZero();
        assertThat(AnalyticRoom.psnr(view, room.trace(K, path(0), Double.NaN)))
                .as("no ghost in the static map")
                .isGreaterThan(28);
    }

    /** Intersection over union of the rendered and the true dynamic mask. */
    private static double overlap(GuidanceView view, AnalyticRoom.Frame truth) {
        int both = 0;
        int either = 0;
        for (int p = 0; p < view.mask().length; p++) {
            boolean a = view.mask()[p] == GuidanceView.DYNAMIC;
            boolean b = truth.dynamic[p] != 0;
            both += a && b ? 1 : 0;
            either += a || b ? 1 : 0;
        }
        return (double) both / either;
    }

    @Test
    void theSkyIsDrawnWhereNothingWasHit() {
        AnalyticRoom room = new AnalyticRoom(3, 2, true);
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        Pose up = Pose.pitch(0.3).withTranslation(0, 0, -2);
        memory.insert(room.keyframe(K, up, 0, 0, Double.NaN));
        Pose moved = Pose.pitch(0.35).withTranslation(0.1, 0, -1.9);
        GuidanceView view = new GuidanceView(176, 96);
        new MemoryRenderer().render(memory.snapshot(), moved, K, 0, view);
        AnalyticRoom.Frame truth = room.trace(K, moved, Double.NaN);
        int sky = 0;
        int found = 0;
        for (int p = 0; p < truth.depth.length; p++) {
            if (truth.depth[p] == Float.POSITIVE_INFINITY) {
                sky++;
                found += view.depth()[p] == Float.POSITIVE_INFINITY ? 1 : 0;
            }
        }
        assertThat(sky).isGreaterThan(3000);
        assertThat(found).isGreaterThan((int) (0.9 * sky));
        assertThat(AnalyticRoom.psnr(view, truth)).isGreaterThan(28);
    }

    @Test
    void aContradictedSurfaceIsCarvedAway() {
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(wall(0, 1f, 100));
        int ghost = memory.snapshot().cellCount();
        for (int i = 1; i < 14; i++) {
            memory.insert(wall(i, 3f, 200));
        }
        GuidanceView view = new GuidanceView(44, 24);
        new MemoryRenderer().render(memory.snapshot(), Pose.IDENTITY, SMALL, 0, view);
        assertThat(view.depth()[12 * 44 + 22]).isCloseTo(3f, within(0.05f));
        assertThat(memory.snapshot().cellCount()).isLessThan(ghost + ghost / 2);
    }

    @Test
    void anEchoOfTheMemoryTeachesItNothing() {
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(wall(0, 2f, 200));
        GuidanceView before = new GuidanceView(44, 24);
        GuidanceView after = new GuidanceView(44, 24);
        MemoryRenderer renderer = new MemoryRenderer();
        renderer.render(memory.snapshot(), Pose.IDENTITY, SMALL, 0, before);
        int cells = memory.snapshot().cellCount();
        for (int i = 1; i < 30; i++) {
            // Each generated picture repeats its guidance a little worse, with a depth that is a little off.
            memory.insert(wall(i, 2f + 0.02f * (i % 3 - 1), 200 - 4 * i));
        }
        renderer.render(memory.snapshot(), Pose.IDENTITY, SMALL, 0, after);
        assertThat(after.rgb()).isEqualTo(before.rgb());
        assertThat(memory.snapshot().cellCount()).isEqualTo(cells);
        assertThat(memory.snapshot().blocks[0].lastSegment).isEqualTo(29);

        WorldMemory trusting = new WorldMemory(MemoryOptions.DEFAULT.withEchoWeight(1));
        trusting.insert(wall(0, 2f, 200));
        trusting.insert(wall(1, 2f, 100));
        renderer.render(trusting.snapshot(), Pose.IDENTITY, SMALL, 0, after);
        assertThat(after.rgb()[3 * (12 * 44 + 22)] & 0xff).isBetween(101, 199);
    }

    @Test
    void aMuchCloserViewIsNews() {
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(wall(0, 3f, 200));
        int cells = memory.snapshot().cellCount();
        Keyframe near = wall(1, 1f, 100);
        memory.insert(new Keyframe(1, 1, Pose.translation(0, 0, 2), SMALL, near.rgb(), near.depth(), null, null));
        assertThat(memory.snapshot().cellCount()).isGreaterThan(cells);
    }

    private static Keyframe wall(int segment, float depth, int grey) {
        int n = SMALL.width() * SMALL.height();
        byte[] rgb = new byte[3 * n];
        float[] d = new float[n];
        Arrays.fill(rgb, (byte) grey);
        Arrays.fill(d, depth);
        return new Keyframe(segment, segment, Pose.IDENTITY, SMALL, rgb, d, null, null);
    }

    @Test
    void aSnapshotNeverChanges() {
        AnalyticRoom room = new AnalyticRoom(4, 3, false);
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(room.keyframe(SMALL, path(0), 0, 0, -0.5));
        MemorySnapshot first = memory.snapshot();
        GuidanceView before = new GuidanceView(44, 24);
        GuidanceView after = new GuidanceView(44, 24);
        MemoryRenderer renderer = new MemoryRenderer();
        renderer.render(first, path(5), SMALL, 0, before);
        for (int i = 1; i < 20; i++) {
            memory.insert(room.keyframe(SMALL, path(i * 2), i, i, -0.5 + 0.1 * i));
        }
        renderer.render(first, path(5), SMALL, 0, after);
        assertThat(after.rgb()).isEqualTo(before.rgb());
        assertThat(after.depth()).isEqualTo(before.depth());
        assertThat(memory.snapshot().version()).isEqualTo(20);
    }

    @Test
    void everythingStaysBoundedOnALongWalk() {
        Intrinsics tiny = Intrinsics.ofHorizontalFieldOfView(16, 12, Math.toRadians(75));
        MemoryOptions options = new MemoryOptions(0.01, 5000, 4, 8, 3, 0.75, 1, 0);
        WorldMemory memory = new WorldMemory(options);
        Random random = new Random(5);
        double x = 0;
        double z = 0;
        double yaw = 0;
        for (int i = 0; i < 10_000; i++) {
            x += 0.3 * Math.sin(yaw);
            z += 0.3 * Math.cos(yaw);
            yaw += random.nextGaussian() * 0.2;
            int n = 16 * 12;
            byte[] rgb = new byte[3 * n];
            float[] depth = new float[n];
            byte[] moving = new byte[n];
            random.nextBytes(rgb);
            for (int p = 0; p < n; p++) {
                depth[p] = 1 + 0.2f * random.nextFloat();
                moving[p] = (byte) (p % 16 == 3 ? 7 : 0);
            }
            memory.insert(new Keyframe(i, i, Pose.yaw(yaw).withTranslation(x, 0, z), tiny, rgb, depth, null, moving));
            assertThat(memory.snapshot().cellCount()).isLessThanOrEqualTo(5000);
        }
        assertThat(memory.snapshot().dynamicSnapshots()).isEqualTo(4);
        assertThat(memory.snapshot().keyframes()).hasSizeLessThanOrEqualTo(8);
        assertThat(memory.snapshot().blocks.length).isLessThanOrEqualTo(5000);
        assertThat(memory.snapshot().keyframes().get(0).time()).isLessThan(9999);
    }

    @Test
    void theForwardRangeFindsTheWall() {
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        assertThat(memory.snapshot().distanceAhead(Pose.IDENTITY, 0.1)).isInfinite();
        memory.insert(wall(0, 2f, 90));
        assertThat(memory.snapshot().distanceAhead(Pose.IDENTITY, 0.1)).isCloseTo(2, within(1e-3));
        assertThat(memory.snapshot().distanceAhead(Pose.translation(0, 0, 0.5), 0.1))
                .isCloseTo(1.5, within(1e-3));
        assertThat(memory.snapshot().distanceAhead(Pose.yaw(Math.PI), 0.1)).isInfinite();
    }

    @Test
    void plyRoundTrip() throws IOException {
        AnalyticRoom room = new AnalyticRoom(5, 3, false);
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(room.keyframe(SMALL, path(0), 0.5, 0, -0.5));
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        Ply.write(memory.snapshot(), file);
        List<Ply.Vertex> vertices = Ply.read(new ByteArrayInputStream(file.toByteArray()));
        int still = memory.snapshot().cellCount();
        assertThat(vertices.size()).isGreaterThan(still);
        Block first = memory.snapshot().blocks[0];
        Ply.Vertex v = vertices.get(0);
        assertThat(List.of(v.x(), v.y(), v.z())).containsExactly(first.xs[0], first.ys[0], first.zs[0]);
        assertThat(v.red()).isEqualTo(LinearLight.srgb(Block.red(first.colour[0])) & 0xFF);
        assertThat(v.time()).isEqualTo(-1);
        assertThat(vertices.subList(0, still)).allMatch(p -> p.instance() == 0 && p.confidence() > 0);
        assertThat(vertices.subList(still, vertices.size())).allMatch(p -> p.instance() == 1 && p.time() == 0.5f);
        byte[] cut = Arrays.copyOf(file.toByteArray(), file.size() - 1);
        assertThatThrownBy(() -> Ply.read(new ByteArrayInputStream(cut))).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> Ply.read(new ByteArrayInputStream(new byte[] {'p', 'n', 'g', '\n'})))
                .isInstanceOf(IOException.class);
    }

    @Test
    void planesAndLatentMask() {
        GuidanceView view = new GuidanceView(16, 8);
        Arrays.fill(view.mask(), GuidanceView.STATIC);
        Arrays.fill(view.rgb(), (byte) 255);
        view.clear(9);
        FloatBuffer planes = FloatBuffer.allocate(3 * 128);
        view.toPlanes(planes, 0, 128);
        assertThat(planes.get(0)).isEqualTo(1f);
        assertThat(planes.get(128 + 9)).isZero();
        assertThat(GuidanceView.latentMask(List.of(view), 8)).containsExactly(1f, 0f);
        view.dilateHoles(2);
        assertThat(GuidanceView.latentMask(List.of(view), 8)).containsExactly(0f, 0f);
        assertThat(view.coverage()).isEqualTo(1 - 15 / 128.0);
    }

    @Test
    void keyframeLogKeepsDepthToAThousandth() {
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(wall(0, 2.345f, 80));
        KeyframeRecord record = memory.snapshot().keyframes().get(0);
        assertThat(record.depth()[7]).isCloseTo(2.345f, within(0.001f));
        assertThat(record.thumbnail()).hasSize(3 * 11 * 6).containsOnly((byte) 80);
        assertThat(record.thumbnailWidth()).isEqualTo(11);
    }

    @Test
    void badFramesAreRefused() {
        float[] depth = new float[SMALL.width() * SMALL.height()];
        assertThatThrownBy(() -> new Keyframe(0, 0, Pose.IDENTITY, SMALL, new byte[3], depth, null, null))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("rgb");
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        memory.insert(new Keyframe(0, 0, Pose.IDENTITY, SMALL, new byte[3 * depth.length], depth, null, null));
        assertThat(memory.snapshot().isEmpty()).as("no depth, no content").isTrue();
        GuidanceView view = new GuidanceView(44, 24);
        new MemoryRenderer().render(memory.snapshot(), Pose.IDENTITY, SMALL, 0, view);
        assertThat(view.coverage()).isZero();
    }
}
