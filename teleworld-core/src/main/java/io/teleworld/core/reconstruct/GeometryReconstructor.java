package io.teleworld.core.reconstruct;

import io.teleworld.FrameGeometry;
import io.teleworld.GuidanceFrame;
import io.teleworld.Keyframe;
import io.teleworld.Reconstructor;
import io.teleworld.core.network.CameraRays;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Geometry of keyframes by the geometry network, at the commanded poses (paper §3.3).
 *
 * <p>The network sees the picture and what the memory knows from its pose, in its own unit of length. The start picture's
 * median depth becomes the session's unit; later depths are brought into the memory's scale by {@link DepthAlignment}
 * and onto its surfaces by {@link NonRigidAlignment}, and a frame that does not fit the memory has all its depth dropped.
 * Depths beyond {@link #SKY_DEPTH} count as sky.
 *
 * <p>The start picture decides about all that follows, and nothing else is known of it. A package may bring a network for
 * it alone ({@link StartNetwork}), which then says its depth and what moves.
 *
 * <p>A network with attention is also told where the last keyframes were taken from and sees what it cached of them. A
 * start picture, one at 0 s of which nothing is known, begins a new session: scale and keyframes are forgotten.
 *
 * <p>Thread-safe and deterministic; keeps scale and keyframes of one session.
 */
public final class GeometryReconstructor implements Reconstructor {

    /** Depth, in the network's own unit (eye heights above the ground), from which on a pixel counts as sky. */
    public static final float SKY_DEPTH = 40;

    private static final Logger LOG = LoggerFactory.getLogger(GeometryReconstructor.class);

    /**
     * The network for start pictures.
     *
     * @param program compiled from {@link GeometryNet#clipGraph} of one keyframe; borrowed
     * @param config sizes of that network
     */
    public record StartNetwork(Program program, GeometryNetConfig config) {}

    private final Program program;
    private final Optional<StartNetwork> startNetwork;
    private final ProgramState state;
    private final Scope scope;
    private final GeometryNetConfig config;
    /** Poses of the last keyframes by the id of their cache entries, the oldest first. */
    private final Map<Integer, Pose> window = new LinkedHashMap<>();

    private int nextId;
    private boolean started;

    /** The session's unit of length in the network's unit; 1 until the start picture was seen. */
    private double unit = 1;

    private final DepthAlignment alignment = new DepthAlignment(DepthAlignment.Model.SCALE);

    /** A reconstructor for one session, whose one network sees the start picture too. */
    public GeometryReconstructor(Program program, GeometryNetConfig config, Scope scope) {
        this(program, config, Optional.empty(), scope);
    }

    /**
     * A reconstructor for one session.
     *
     * @param program compiled from {@link GeometryNet#graph}; borrowed
     * @param config sizes of that network
     * @param startNetwork for start pictures
     * @param scope owns what is made here
     */
    public GeometryReconstructor(
            Program program, GeometryNetConfig config, Optional<StartNetwork> startNetwork, Scope scope) {
        this.program = program;
        this.config = config;
        this.startNetwork = startNetwork;
        this.scope = scope;
        this.state = program.newState(scope);
    }

    @Override
    public synchronized List<FrameGeometry> reconstruct(List<Keyframe> keyframes) {
        List<FrameGeometry> all = new ArrayList<>();
        for (Keyframe k : keyframes) {
            all.add(reconstruct(k));
        }
        return all;
    }

    private FrameGeometry reconstruct(Keyframe keyframe) {
        Intrinsics camera = keyframe.intrinsics();
        int n = camera.width() * camera.height();
        try (Scope work = scope.child("geometry")) {
            HostTensor in = work.adopt(HostTensor.zeros(DType.F32, 1, 5, camera.height(), camera.width()));
            boolean start = !started || (keyframe.timeSeconds() == 0 && !anyKnown(keyframe));
            if (start) {
                started = true;
                unit = 1;
                window.clear();
                nextId = 0;
                state.reset();
            }
            boolean known = write(keyframe, in.mutableBuffer().asFloatBuffer(), n);
            // The network of keyframes sees every picture: it remembers them.
            Map<String, Tensor> out = run(keyframe, in, work);
            if (start && startNetwork.isPresent()) {
                out = run(startNetwork.get(), keyframe, in, work);
            }
            float[] prediction = values(out, "depth");
            float[] confidence = values(out, "confidence");
            float[] logit = values(out, "dynamic");
            boolean[] dynamic = new boolean[n];
            for (int i = 0; i < n; i++) {
                dynamic[i] = logit[i] > 0;
            }
            if (start) {
                float median = DepthMaps.median(prediction);
                unit = median > 0 ? median : 1;
            }
            float[] scaled = prediction.clone();
            for (int i = 0; i < n; i++) {
                scaled[i] /= (float) unit;
            }
            float[] depth = known ? aligned(keyframe, scaled) : scaled.clone();
            for (int i = 0; i < n; i++) {
                if (prediction[i] > SKY_DEPTH) {
                    depth[i] = Float.POSITIVE_INFINITY;
                }
            }
            return new FrameGeometry(depth, confidence, camera, keyframe.pose(), dynamic);
        }
    }

    private static boolean anyKnown(Keyframe keyframe) {
        for (float inverse : keyframe.known().inverseDepth()) {
            if (inverse > 0) {
                return true;
            }
        }
        return false;
    }

    /** Runs the network, with attention beside the last keyframes, among which this one then is. */
    private Map<String, Tensor> run(Keyframe keyframe, HostTensor image, Scope work) {
        if (config.attentionBlocks() == 0) {
            return program.run(Map.of("image", image), state, RunOptions.DEFAULT, work);
        }
        Intrinsics camera = keyframe.intrinsics();
        int rows = camera.height() / config.multiple();
        int columns = camera.width() / config.multiple();
        List<Pose> poses = new ArrayList<>();
        poses.add(keyframe.pose());
        poses.addAll(window.values());
        float[] rays = new float[poses.size() * rows * columns * CameraRays.WIDTH];
        CameraRays.write(keyframe.pose(), poses, camera, rows, columns, unit, rays, 0);
        // As many ids as there are places: an entry is overwritten once it is out of sight.
        int id = nextId++ % (config.earlierKeyframes() + 1);
        RunOptions options = RunOptions.DEFAULT
                .withVisible(GeometryNet.CACHE_GROUP, List.copyOf(window.keySet()))
                .withWritten(GeometryNet.CACHE_GROUP, List.of(id));
        HostTensor seen = HostTensor.ofFloats(rays, poses.size(), (long) rows * columns, CameraRays.WIDTH);
        Map<String, Tensor> out = program.run(Map.of("image", image, "rays", seen), state, options, work);
        window.put(id, keyframe.pose());
        if (window.size() > config.earlierKeyframes()) {
            window.remove(window.keySet().iterator().next());
        }
        return out;
    }

    private static Map<String, Tensor> run(StartNetwork network, Keyframe keyframe, HostTensor image, Scope work) {
        Map<String, Tensor> inputs = new HashMap<>(Map.of("image", image));
        if (network.config().attentionBlocks() > 0) {
            Intrinsics camera = keyframe.intrinsics();
            int rows = camera.height() / network.config().multiple();
            int columns = camera.width() / network.config().multiple();
            float[] rays = CameraRays.all(List.of(keyframe.pose()), camera, rows, columns, 1);
            inputs.put("rays", HostTensor.ofFloats(rays, 1, 1, 1, (long) rows * columns, CameraRays.WIDTH));
        }
        Program program = network.program();
        return program.run(inputs, program.newState(work), RunOptions.DEFAULT, work);
    }

    /** RGB in [−1, 1], the memory's inverse depth, its mask. Returns whether the memory knows anything. */
    private boolean write(Keyframe keyframe, FloatBuffer out, int n) {
        byte[] rgb = keyframe.image().rgb();
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < n; i++) {
                out.put((rgb[3 * i + c] & 0xff) * (2f / 255) - 1);
            }
        }
        GuidanceFrame known = keyframe.known();
        for (float inverse : known.inverseDepth()) {
            out.put((float) (inverse / unit));
        }
        boolean any = false;
        for (float inverse : known.inverseDepth()) {
            out.put(inverse > 0 ? 1 : 0);
            any |= inverse > 0;
        }
        return any;
    }

    private static float[] values(Map<String, Tensor> out, String name) {
        return Objects.requireNonNull(out.get(name), name).toFloatArray();
    }

    private float[] aligned(Keyframe keyframe, float[] prediction) {
        GuidanceFrame known = keyframe.known();
        float[] memory = new float[prediction.length];
        for (int i = 0; i < memory.length; i++) {
            // Dynamic content may have moved since; it says nothing about scale.
            boolean usable = known.layers()[i] == GuidanceFrame.STATIC && known.inverseDepth()[i] > 0;
            memory[i] = usable ? 1 / known.inverseDepth()[i] : 0;
        }
        DepthAlignment.Result result = alignment.align(prediction, memory);
        if (result.outcome() == DepthAlignment.Outcome.REJECTED) {
            LOG.debug(
                    "geometry at {} s does not fit the memory (scale {}, median residual {}) and is dropped",
                    keyframe.timeSeconds(),
                    result.line().scale(),
                    result.medianResidual());
            return new float[prediction.length];
        }
        return NonRigidAlignment.align(
                alignment.apply(prediction),
                memory,
                keyframe.intrinsics().width(),
                keyframe.intrinsics().height());
    }
}
