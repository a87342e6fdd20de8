package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.teleworld.core.network.CameraRays;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.testkit.ReferenceRuntime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A session of the geometry network with attention has one result on every runtime. */
@Timeout(120)
class GeometryRuntimesTest {

    private static final GeometryNetConfig CONFIG =
            new GeometryNetConfig(5, 2, List.of(8, 12), List.of(0, 1), 8).withAttention(4, 3, 2);
    private static final int H = 16;
    private static final int W = 24;
    private static final int TOKENS = H * W / 16;

    private static Weights weights(Graph graph) {
        SplittableRandom random = new SplittableRandom(9);
        Map<String, HostTensor> all = new HashMap<>();
        graph.parameters().forEach((name, value) -> {
            float[] v = new float
                    [Math.toIntExact(
                            Objects.requireNonNull(value).shape().elementCount().known())];
            for (int i = 0; i < v.length; i++) {
                v[i] = (float) (0.2 * random.nextGaussian()) + (name.contains("norm") ? 1 : 0);
            }
            all.put(name, HostTensor.ofFloats(v, value.shape().known()));
        });
        return Weights.of(all);
    }

    private static List<float[]> session(TensorRuntime runtime, Scope scope) {
        Graph graph = GeometryNet.graph(CONFIG, H, W);
        Program program = scope.adopt(runtime.compile(graph, weights(graph), Precision.FP32));
        ProgramState state = program.newState(scope);
        SplittableRandom random = new SplittableRandom(2);
        List<Pose> poses = new ArrayList<>();
        List<float[]> out = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            poses.add(Pose.yaw(0.2 * t).compose(Pose.translation(0.1 * t, 0, 0.4 * t)));
            float[] picture = new float[5 * H * W];
            for (int i = 0; i < picture.length; i++) {
                picture[i] = (float) random.nextDouble(-1, 1);
            }
            List<Pose> seen = new ArrayList<>(List.of(poses.get(t)));
            List<Integer> visible = new ArrayList<>();
            for (int s = Math.max(0, t - 2); s < t; s++) {
                seen.add(poses.get(s));
                visible.add(s % 3);
            }
            float[] rays = new float[seen.size() * TOKENS * CameraRays.WIDTH];
            CameraRays.write(
                    poses.get(t), seen, Intrinsics.ofHorizontalFieldOfView(W, H, 1.3), H / 4, W / 4, 1, rays, 0);
            RunOptions options = RunOptions.DEFAULT
                    .withVisible(GeometryNet.CACHE_GROUP, visible)
                    .withWritten(GeometryNet.CACHE_GROUP, List.of(t % 3));
            var values = program.run(
                    Map.of(
                            "image", HostTensor.ofFloats(picture, 1, 5, H, W),
                            "rays", HostTensor.ofFloats(rays, seen.size(), TOKENS, CameraRays.WIDTH)),
                    state,
                    options,
                    scope);
            float[] depth = Objects.requireNonNull(values.get("depth")).toFloatArray();
            for (int i = 0; i < depth.length; i++) {
                depth[i] = (float) Math.log(depth[i]);
            }
            out.add(depth);
            out.add(Objects.requireNonNull(values.get("dynamic")).toFloatArray());
        }
        return out;
    }

    @ParameterizedTest
    @ValueSource(strings = {"onnx", "djl"})
    void equalsTheReference(String name) {
        RuntimeRegistry registry = RuntimeRegistry.load(GeometryRuntimesTest.class.getClassLoader());
        TensorRuntimeProvider provider = registry.firstAvailable(List.of(name));
        assumeThat(provider.name()).isEqualTo(name);
        try (Scope scope = Scope.root("test");
                TensorRuntime runtime = provider.create(new RuntimeOptions("cpu", 1))) {
            List<float[]> expected = session(new ReferenceRuntime(), scope);
            List<float[]> found = session(runtime, scope);
            for (int i = 0; i < expected.size(); i++) {
                assertThat(found.get(i)).containsExactly(expected.get(i), within(2e-3f));
            }
        }
    }
}
