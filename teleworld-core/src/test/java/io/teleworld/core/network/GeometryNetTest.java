package io.teleworld.core.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.TinyModel;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class GeometryNetTest {

    private static final GeometryNetConfig STILL = new GeometryNetConfig(5, 2, List.of(8, 12), List.of(0, 1), 8);
    private static final GeometryNetConfig OVER_KEYFRAMES = STILL.withAttention(4, 3, 2);
    private static final int H = 8;
    private static final int W = 12;
    private static final int PICTURE = 5 * H * W;
    private static final int TOKENS = H * W / 16;
    private static final int FRAMES = 5;
    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(W, H, 1.3);

    private final Scope scope = Scope.root("test");

    @AfterEach
    void close() {
        scope.close();
    }

    private static float[] pictures() {
        SplittableRandom random = new SplittableRandom(5);
        float[] v = new float[FRAMES * PICTURE];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) random.nextDouble(-1, 1);
        }
        return v;
    }

    private static List<Pose> poses() {
        List<Pose> all = new ArrayList<>();
        for (int i = 0; i < FRAMES; i++) {
            all.add(Pose.yaw(0.3 * i).compose(Pose.translation(0.2 * i, 0, i)));
        }
        return all;
    }

    private Map<String, Tensor> run(Program p, ProgramState s, RunOptions o, Map<String, Tensor> in) {
        return p.run(in, s, o, scope);
    }

    private static float[] values(Map<String, Tensor> out, String name) {
        return Objects.requireNonNull(out.get(name), name).toFloatArray();
    }

    private Map<String, Tensor> clip(Graph graph, Map<String, HostTensor> weights, Map<String, Tensor> more) {
        Map<String, Tensor> in = new HashMap<>(more);
        in.put("image", HostTensor.ofFloats(pictures(), FRAMES, 5, H, W));
        if (graph.inputs().containsKey("rays")) {
            in.put(
                    "rays",
                    HostTensor.ofFloats(
                            CameraRays.all(poses(), CAMERA, H / 4, W / 4, 1), 1, FRAMES, FRAMES, TOKENS, 9));
        }
        Program p = Goldens.compile(graph, Weights.of(weights));
        return run(p, p.newState(scope), RunOptions.DEFAULT, in);
    }

    @Test
    void aSessionIsTheMaskedPassOfItsClip() {
        Graph whole = GeometryNet.clipGraph(OVER_KEYFRAMES, FRAMES, H, W);
        Map<String, HostTensor> weights = TinyModel.randomWeights(7, whole);
        Map<String, Tensor> expected = clip(whole, weights, Map.of());

        Graph graph = GeometryNet.graph(OVER_KEYFRAMES, H, W);
        assertThat(graph.states())
                .containsOnlyKeys("attention.1.key", "attention.1.value", "attention.3.key", "attention.3.value");
        assertThat(graph.parameters().keySet()).isEqualTo(whole.parameters().keySet());
        Program session = Goldens.compile(graph, Weights.of(weights));
        ProgramState state = session.newState(scope);
        float[] alone = null;
        for (int t = 0; t < FRAMES; t++) {
            List<Integer> visible = new ArrayList<>();
            List<Pose> seen = new ArrayList<>(List.of(poses().get(t)));
            for (int s = Math.max(0, t - 2); s < t; s++) {
                visible.add(s % 3);
                seen.add(poses().get(s));
            }
            float[] rays = new float[seen.size() * TOKENS * 9];
            CameraRays.write(seen.get(0), seen, CAMERA, H / 4, W / 4, 1, rays, 0);
            RunOptions options = RunOptions.DEFAULT
                    .withVisible(GeometryNet.CACHE_GROUP, visible)
                    .withWritten(GeometryNet.CACHE_GROUP, List.of(t % 3));
            float[] picture = Arrays.copyOfRange(pictures(), t * PICTURE, (t + 1) * PICTURE);
            Map<String, Tensor> in = Map.of(
                    "image", HostTensor.ofFloats(picture, 1, 5, H, W),
                    "rays", HostTensor.ofFloats(rays, seen.size(), TOKENS, 9));
            Map<String, Tensor> out = run(session, state, options, in);
            for (String name : List.of("depth", "confidence", "dynamic")) {
                float[] all = values(expected, name);
                assertThat(values(out, name))
                        .as(name + " of keyframe " + t)
                        .containsExactly(Arrays.copyOfRange(all, t * H * W, (t + 1) * H * W), within(2e-4f));
            }
            if (t == FRAMES - 1) {
                RunOptions blind = RunOptions.DEFAULT.withVisible(GeometryNet.CACHE_GROUP, List.of());
                alone = values(
                        run(
                                session,
                                state,
                                blind,
                                Map.of(
                                        "image", HostTensor.ofFloats(picture, 1, 5, H, W),
                                        "rays", HostTensor.ofFloats(Arrays.copyOf(rays, TOKENS * 9), 1, TOKENS, 9))),
                        "dynamic");
                assertThat(alone).isNotEqualTo(values(out, "dynamic"));
            }
        }
        assertThat(alone).isNotNull();
    }

    @Test
    void newBlocksLeaveTheConvolutionsResultAsItIs() {
        Graph still = GeometryNet.clipGraph(STILL, FRAMES, H, W);
        Graph attentive = GeometryNet.clipGraph(OVER_KEYFRAMES, FRAMES, H, W);
        Map<String, HostTensor> old = TinyModel.randomWeights(7, still);
        Map<String, HostTensor> all = new HashMap<>();
        GeometryNet.initialise(OVER_KEYFRAMES, 3)
                .forEach((n, w) -> all.put(
                        n,
                        HostTensor.ofFloats(
                                w,
                                Objects.requireNonNull(attentive.parameters().get(n))
                                        .shape()
                                        .known())));
        assertThat(all.keySet()).isEqualTo(attentive.parameters().keySet());
        all.putAll(old);
        Map<String, Tensor> a = clip(still, old, Map.of());
        Map<String, Tensor> b = clip(attentive, all, Map.of());
        for (String name : List.of("depth", "confidence", "dynamic")) {
            assertThat(values(b, name)).containsExactly(values(a, name));
        }
    }

    @Test
    void hiddenTokensAreAsIfTheyWereNotThere() {
        Graph inspected = GeometryNet.inspectedGraph(OVER_KEYFRAMES, FRAMES, 2, H, W);
        Map<String, HostTensor> weights = TinyModel.randomWeights(7, inspected);
        float[] ones = new float[FRAMES * TOKENS];
        Arrays.fill(ones, 1);
        Map<String, Tensor> all =
                clip(inspected, weights, Map.of("attended", HostTensor.ofFloats(ones, FRAMES, TOKENS)));
        Map<String, Tensor> plain = clip(GeometryNet.clipGraph(OVER_KEYFRAMES, FRAMES, H, W), weights, Map.of());
        assertThat(values(all, "depth")).containsExactly(values(plain, "depth"), within(1e-5f));
        assertThat(all.get("window.1.query").shape()).containsExactly(FRAMES, TOKENS, 12);

        // What a hidden token of the last frame holds reaches no other frame's keys, and frames before it nothing at
        // all.
        float[] some = ones.clone();
        some[2 * TOKENS + 1] = 0;
        Map<String, Tensor> masked =
                clip(inspected, weights, Map.of("attended", HostTensor.ofFloats(some, FRAMES, TOKENS)));
        float[] before = values(all, "dynamic");
        float[] after = values(masked, "dynamic");
        assertThat(Arrays.copyOf(after, 2 * H * W)).containsExactly(Arrays.copyOf(before, 2 * H * W), within(1e-6f));
        assertThat(Arrays.copyOfRange(after, 2 * H * W, 3 * H * W))
                .isNotEqualTo(Arrays.copyOfRange(before, 2 * H * W, 3 * H * W));
    }

    @Test
    void aFrameWhoseTokensAreAllHiddenIsNotSeen() {
        Graph two = GeometryNet.inspectedGraph(OVER_KEYFRAMES, 2, 2, H, W);
        Map<String, HostTensor> weights = TinyModel.randomWeights(7, two);
        float[] attended = new float[2 * TOKENS];
        Arrays.fill(attended, TOKENS, 2 * TOKENS, 1);
        float[] both = inspected(two, weights, 0, attended);
        float[] shown = new float[2 * TOKENS];
        Arrays.fill(shown, 1);
        float[] alone = inspected(
                GeometryNet.inspectedGraph(OVER_KEYFRAMES, 1, 2, H, W), weights, 1, Arrays.copyOf(shown, TOKENS));
        assertThat(Arrays.copyOfRange(both, H * W, 2 * H * W)).containsExactly(alone, within(1e-5f));
        assertThat(inspected(two, weights, 0, shown)).isNotEqualTo(both);
    }

    private float[] inspected(Graph graph, Map<String, HostTensor> weights, int first, float[] attended) {
        int frames = attended.length / TOKENS;
        float[] images = Arrays.copyOfRange(pictures(), first * PICTURE, (first + frames) * PICTURE);
        float[] rays = CameraRays.all(poses().subList(first, first + frames), CAMERA, H / 4, W / 4, 1);
        Program p = Goldens.compile(graph, Weights.of(weights));
        Map<String, Tensor> in = Map.of(
                "image", HostTensor.ofFloats(images, frames, 5, H, W),
                "rays", HostTensor.ofFloats(rays, 1, frames, frames, TOKENS, 9),
                "attended", HostTensor.ofFloats(attended, frames, TOKENS));
        return values(run(p, p.newState(scope), RunOptions.DEFAULT, in), "dynamic");
    }

    @Test
    void oldPackagesAreNetworksWithoutAttention() {
        String json = "{\"input_channels\": 5, \"patch_size\": 2, \"widths\": [32, 48, 96, 128],"
                + " \"blocks\": [1, 1, 2, 1], \"max_log_depth\": 8}";
        GeometryNetConfig read = JsonConfig.read("config.json", stream(json), GeometryNetConfig.nano());
        assertThat(read).isEqualTo(GeometryNetConfig.nano());
        assertThat(read.attentionBlocks()).isZero();
        Graph g = GeometryNet.graph(read, 96, 176);
        assertThat(g.states()).isEmpty();
        assertThat(g.inputs()).containsOnlyKeys("image");
        GeometryNetConfig attentive = read.withAttention(4, 4, 5);
        assertThat(JsonConfig.read("config.json", stream(JsonConfig.write(attentive)), GeometryNetConfig.nano()))
                .isEqualTo(attentive);
        assertThat(FlopCounter.parameters(GeometryNet.graph(attentive, 96, 176)))
                .isLessThan(2_200_000);
    }

    @Test
    void contradictionsAreRefused() {
        assertThatThrownBy(() -> STILL.withAttention(3, 1, 2)).hasMessageContaining("attention_blocks is 3");
        assertThatThrownBy(() -> STILL.withAttention(2, 5, 2)).hasMessageContaining("attention_heads is 5");
        assertThatThrownBy(() -> STILL.withAttention(2, 1, 0)).hasMessageContaining("earlier_keyframes 0");
        assertThatThrownBy(() -> GeometryNet.inspectedGraph(STILL, 3, 1, H, W))
                .hasMessageContaining("attention_blocks is 0");
        assertThatThrownBy(() -> GeometryNet.clipGraph(STILL, 0, H, W)).hasMessageContaining("0 keyframes");
    }

    @Test
    void raysForgetWhereTheWorldIs() {
        Pose elsewhere = Pose.pitch(0.7).compose(Pose.translation(5, 1, 0));
        List<Pose> moved = poses().stream().map(elsewhere::compose).toList();
        assertThat(CameraRays.all(moved, CAMERA, 2, 3, 1))
                .containsExactly(CameraRays.all(poses(), CAMERA, 2, 3, 1), within(1e-5f));
        float[] own = new float[6 * 9];
        CameraRays.write(poses().get(2), List.of(poses().get(2)), CAMERA, 2, 3, 3, own, 0);
        for (int i = 0; i < 6; i++) {
            assertThat(Math.hypot(Math.hypot(own[9 * i], own[9 * i + 1]), own[9 * i + 2]))
                    .isCloseTo(1, within(1e-6));
            assertThat(Arrays.copyOfRange(own, 9 * i + 3, 9 * i + 9)).containsOnly(new float[6], within(1e-6f));
        }
        // A camera 2 to the right that looks the same way: place (2, 0, 0), moment of the middle ray (0, −2, 0)·z.
        float[] right = new float[9];
        CameraRays.write(Pose.IDENTITY, List.of(Pose.translation(2, 0, 0)), CAMERA, 1, 1, 1, right, 0);
        float arsinh2 = (float) Math.log(2 + Math.sqrt(5));
        assertThat(right).containsExactly(new float[] {0, 0, 1, 0, -arsinh2, 0, arsinh2, 0, 0}, within(1e-6f));
    }

    private static ByteArrayInputStream stream(String json) {
        return new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8));
    }
}
