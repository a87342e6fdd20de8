package io.teleworld.core.reconstruct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.FrameGeometry;
import io.teleworld.GuidanceFrame;
import io.teleworld.Keyframe;
import io.teleworld.RgbImage;
import io.teleworld.core.TinyModel;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.testkit.ReferenceRuntime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class GeometryReconstructorTest {

    private static final int W = 32;
    private static final int H = 16;
    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(W, H, 1.3);
    private static final GeometryNetConfig CONFIG =
            new GeometryNetConfig(5, 2, List.of(4, 8), List.of(0, 0), 8).withAttention(2, 2, 2);

    private final Scope scope = Scope.root("test");

    @AfterEach
    void close() {
        scope.close();
    }

    private Program program() {
        Graph graph = GeometryNet.graph(CONFIG, H, W);
        return scope.adopt(
                new ReferenceRuntime().compile(graph, Weights.of(TinyModel.randomWeights(11, graph)), Precision.FP32));
    }

    private static Keyframe keyframe(int seed, double time, Pose pose) {
        SplittableRandom random = new SplittableRandom(seed);
        byte[] rgb = new byte[3 * W * H];
        random.nextBytes(rgb);
        GuidanceFrame holes =
                new GuidanceFrame(new RgbImage(W, H, new byte[3 * W * H]), new byte[W * H], new float[W * H]);
        return new Keyframe(new RgbImage(W, H, rgb), CAMERA, pose, time, holes);
    }

    private static List<Keyframe> session(int seed) {
        List<Keyframe> all = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            all.add(keyframe(seed + i, i, Pose.yaw(0.1 * i).compose(Pose.translation(0, 0, 0.3 * i))));
        }
        return all;
    }

    private static List<float[]> depths(List<FrameGeometry> geometry) {
        return geometry.stream().map(FrameGeometry::depth).toList();
    }

    @Test
    void earlierKeyframesCountAndAStartForgetsThem() {
        Program program = program();
        GeometryReconstructor r = new GeometryReconstructor(program, CONFIG, scope);
        List<float[]> whole = depths(r.reconstruct(session(1)));
        // In several calls, as segments come.
        GeometryReconstructor parts = new GeometryReconstructor(program, CONFIG, scope);
        List<float[]> again =
                new ArrayList<>(depths(parts.reconstruct(session(1).subList(0, 1))));
        again.addAll(depths(parts.reconstruct(session(1).subList(1, 5))));
        for (int i = 0; i < 5; i++) {
            assertThat(again.get(i)).containsExactly(whole.get(i));
        }
        // The same last picture behind other ones.
        List<Keyframe> other = new ArrayList<>(session(1));
        other.set(3, keyframe(77, 3, other.get(3).pose()));
        List<float[]> changed = depths(new GeometryReconstructor(program, CONFIG, scope).reconstruct(other));
        assertThat(changed.get(2)).containsExactly(whole.get(2));
        assertThat(changed.get(4)).isNotEqualTo(whole.get(4));
        // A start picture at 0 s begins anew.
        List<float[]> second = depths(r.reconstruct(session(1)));
        for (int i = 0; i < 5; i++) {
            assertThat(second.get(i)).containsExactly(whole.get(i));
        }
    }

    @Test
    void theUnitIsThatOfTheStart() {
        // As drawn for training: no depth so far that it counts as sky, which has no median.
        Graph graph = GeometryNet.graph(CONFIG, H, W);
        Map<String, HostTensor> weights = new HashMap<>();
        GeometryNet.initialise(CONFIG, 11)
                .forEach((n, w) -> weights.put(
                        n,
                        HostTensor.ofFloats(
                                w,
                                Objects.requireNonNull(graph.parameters().get(n))
                                        .shape()
                                        .known())));
        Program program = scope.adopt(new ReferenceRuntime().compile(graph, Weights.of(weights), Precision.FP32));
        List<FrameGeometry> all = new GeometryReconstructor(program, CONFIG, scope).reconstruct(session(20));
        assertThat(DepthMaps.median(all.get(0).depth())).isCloseTo(1, within(1e-4f));
        // Without a memory later frames keep the scale of the session.
        assertThat(DepthMaps.median(all.get(3).depth())).isNotCloseTo(1, within(1e-4f));
    }

    @Test
    void aNetworkForStartPicturesSeesNothingElse() {
        Graph graph = GeometryNet.graph(CONFIG, H, W);
        Program other = scope.adopt(
                new ReferenceRuntime().compile(graph, Weights.of(TinyModel.randomWeights(13, graph)), Precision.FP32));
        // Without and with attention of its own.
        for (GeometryNetConfig own : List.of(CONFIG.withAttention(0, 1, 1), CONFIG.withAttention(4, 2, 1))) {
            Graph single = GeometryNet.clipGraph(own, 1, H, W);
            Program starts = scope.adopt(new ReferenceRuntime()
                    .compile(single, Weights.of(TinyModel.randomWeights(12, single)), Precision.FP32));
            Optional<GeometryReconstructor.StartNetwork> network =
                    Optional.of(new GeometryReconstructor.StartNetwork(starts, own));
            GeometryReconstructor r = new GeometryReconstructor(program(), CONFIG, network, scope);
            List<FrameGeometry> found = r.reconstruct(session(1));
            List<FrameGeometry> alone =
                    new GeometryReconstructor(other, CONFIG, network, scope).reconstruct(session(1));
            // The start is the start network's alone, what follows the other's.
            assertThat(alone.get(0).depth()).containsExactly(found.get(0).depth());
            assertThat(alone.get(0).dynamic()).containsExactly(found.get(0).dynamic());
            assertThat(alone.get(1).depth()).isNotEqualTo(found.get(1).depth());
            assertThat(found.get(0).depth())
                    .isNotEqualTo(new GeometryReconstructor(program(), CONFIG, scope)
                            .reconstruct(session(1))
                            .get(0)
                            .depth());
            // A new start, in a session that has seen others.
            assertThat(depths(r.reconstruct(session(1))).get(0))
                    .containsExactly(found.get(0).depth());
        }
    }

    @Test
    void sessionsOnSeveralThreadsDoNotMix() {
        Program program = program();
        List<List<float[]>> alone = new ArrayList<>();
        for (int s = 0; s < 3; s++) {
            alone.add(depths(new GeometryReconstructor(program, CONFIG, scope).reconstruct(session(100 * s))));
        }
        List<GeometryReconstructor> each = new ArrayList<>();
        for (int s = 0; s < 3; s++) {
            each.add(new GeometryReconstructor(program, CONFIG, scope));
        }
        List<CompletableFuture<List<float[]>>> running = new ArrayList<>();
        for (int s = 0; s < 3; s++) {
            int seed = 100 * s;
            GeometryReconstructor own = each.get(s);
            running.add(CompletableFuture.supplyAsync(() -> depths(own.reconstruct(session(seed)))));
        }
        for (int s = 0; s < 3; s++) {
            List<float[]> together = running.get(s).join();
            for (int i = 0; i < 5; i++) {
                assertThat(together.get(i)).containsExactly(alone.get(s).get(i));
            }
        }
    }
}
