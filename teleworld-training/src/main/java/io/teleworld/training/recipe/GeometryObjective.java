package io.teleworld.training.recipe;

import io.teleworld.core.network.CameraRays;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.reconstruct.DepthMaps;
import io.teleworld.geometry.Pose;
import io.teleworld.training.data.ClipSupply;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.SmoothNoise;
import io.teleworld.training.plot.SampleSheet;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Trains the geometry net: error of log depth weighted by the predicted confidence (as VGGT), of its spatial
 * differences, and cross entropy of the dynamic mask. Depth is in eye heights; what a session's memory will say is
 * imitated by parts of the true depth with errors of scale and shape. A network with attention sees clips of keyframes
 * with their poses, in half of the clips with errors: a generated video follows its commands only roughly. Confined to one
 * thread.
 */
public final class GeometryObjective implements Objective, AutoCloseable {

    /** Depth in eye heights that stands for sky and for everything beyond. */
    public static final float FARTHEST = 64;

    private static final float NEAREST = 0.05f;
    private static final double CONFIDENCE_REWARD = 0.15;

    /** Errors of the commanded poses: of all lengths of a clip, of places in eye heights, of angles in radians. */
    private static final double LENGTH_ERROR = 0.1;

    private static final double PLACE_ERROR = 0.02;
    private static final double ANGLE_ERROR = 0.004;

    /** How much of a loss is the error that is left when a picture's scale is right, where only that counts. */
    private static final double SCALE_FREE = 0.8;

    /** Deviation of the logarithm of a picture's brightness and of its colours, where they are changed. */
    private static final double BRIGHTNESS = 0.15;

    private static final double COLOUR = 0.06;

    /** What the network is for. */
    public enum Use {
        /** Keyframes of sessions, most of them with a memory. */
        KEYFRAMES,
        /** The picture that a session starts from: nothing is known, and the session takes its unit from it. */
        START
    }

    private final ClipSupply train;
    private final List<GroundTruthClip> held;
    private final Use use;
    /** Keyframes of a sample, and whether the network is told where they are. */
    private final int frames;

    private final boolean posed;
    private final int cell;
    private final int batch;
    private final int height;
    private final int width;
    private final TorchModule net;

    /**
     * @param config sizes
     * @param initial weights by name
     * @param train clips of {@code frames} keyframes; where that is 1, of any number, of which one is drawn
     * @param held clips to judge by, of {@code frames} keyframes
     * @param use what is shown and what counts
     * @param frames keyframes of a sample
     * @param batch samples of a step
     */
    public GeometryObjective(
            GeometryNetConfig config,
            Map<String, float[]> initial,
            ClipSupply train,
            List<GroundTruthClip> held,
            Use use,
            int frames,
            int batch,
            String deviceId,
            Arithmetic arithmetic) {
        this.train = train;
        this.held = List.copyOf(held);
        this.use = use;
        this.frames = frames;
        this.posed = config.attentionBlocks() > 0;
        this.cell = config.multiple();
        this.batch = batch;
        this.height = held.get(0).height();
        this.width = held.get(0).width();
        this.net = TorchModule.of(GeometryNet.clipGraph(config, frames, height, width), initial, deviceId, arithmetic);
    }

    @Override
    public Map<String, Tensor> parameters() {
        return net.parameters();
    }

    @Override
    public int batchSize() {
        return batch;
    }

    @Override
    public Tensor loss(SplittableRandom random, Map<String, Double> metrics) {
        int area = height * width;
        int n = batch * frames;
        float[] image = new float[n * 5 * area];
        float[] logDepth = new float[n * area];
        float[] moving = new float[n * area];
        List<Pose> poses = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
            GroundTruthClip c = train.next(random);
            int first = frames == 1 ? random.nextInt(c.frames()) : 0;
            boolean mirror = random.nextBoolean();
            double scale = Math.exp(0.06 * random.nextGaussian());
            boolean remembers = use == Use.KEYFRAMES && random.nextInt(5) < 3;
            for (int t = 0; t < frames; t++) {
                boolean known = frames == 1 ? remembers : remembers && random.nextInt(6) > 0;
                fill(c, first + t, known ? random : null, scale, mirror, image, i * frames + t, logDepth, moving);
                if (use == Use.START && random.nextBoolean()) {
                    relight(image, (i * frames + t) * 5 * area, area, random);
                }
            }
            poses.addAll(commanded(c.poses().subList(first, first + frames), mirror, random));
        }
        Tensor target = TorchTensors.to(TorchTensors.ofFloats(logDepth, n, 1, height, width), net.deviceId());
        Tensor dynamic = TorchTensors.to(TorchTensors.ofFloats(moving, n, 1, height, width), net.deviceId());
        Map<String, Tensor> out = net.forward(inputs(image, poses));
        Tensor difference = AutoencoderObjective.output(out, "depth").log().sub(target);
        Tensor error = difference.abs();
        Tensor confidence = AutoencoderObjective.output(out, "confidence");
        Tensor weighted = error.mul(confidence)
                .sub(confidence.log().mul(new Scalar(CONFIDENCE_REWARD)))
                .mean();
        Tensor dx = difference
                .narrow(3, 1, width - 1L)
                .sub(difference.narrow(3, 0, width - 1L))
                .abs()
                .mean();
        Tensor dy = difference
                .narrow(2, 1, height - 1L)
                .sub(difference.narrow(2, 0, height - 1L))
                .abs()
                .mean();
        Tensor entropy = torch.binary_cross_entropy_with_logits(AutoencoderObjective.output(out, "dynamic"), dynamic);
        Tensor counted = error.mean();
        metrics.put("log_error", (double) counted.item_float());
        metrics.put("entropy", (double) entropy.item_float());
        if (use == Use.START) {
            Tensor scaleFree = scaleFree(difference, target);
            metrics.put("scale_free_log_error", (double) scaleFree.item_float());
            counted = counted.mul(new Scalar(1 - SCALE_FREE)).add(scaleFree.mul(new Scalar(SCALE_FREE)));
        }
        return counted.mul(new Scalar(2))
                .add(weighted.mul(new Scalar(0.3)))
                .add(dx.add(dy))
                .add(entropy);
    }

    /** The error that is left when each picture's depth has the right scale; what is as far as the sky does not count. */
    private static Tensor scaleFree(Tensor difference, Tensor target) {
        Tensor near = target.lt(new Scalar(Math.log(FARTHEST) - 1e-3)).to(difference.dtype());
        Tensor count =
                near.sum(new long[] {1, 2, 3}, true, new ScalarTypeOptional()).clamp_min(new Scalar(1));
        Tensor mean = difference
                .mul(near)
                .sum(new long[] {1, 2, 3}, true, new ScalarTypeOptional())
                .div(count);
        return difference.sub(mean).abs().mul(near).sum().div(count.sum());
    }

    /** Another light: all colours, and each by itself, brighter or darker. */
    private static void relight(float[] image, int from, int area, SplittableRandom random) {
        double all = BRIGHTNESS * random.nextGaussian();
        for (int c = 0; c < 3; c++) {
            float gain = (float) Math.exp(all + COLOUR * random.nextGaussian());
            for (int p = from + c * area; p < from + (c + 1) * area; p++) {
                image[p] = Math.min(1, (image[p] + 1) * gain - 1);
            }
        }
    }

    private Map<String, Tensor> inputs(float[] image, List<Pose> poses) {
        int n = image.length / (5 * height * width);
        Map<String, Tensor> in = new TreeMap<>();
        in.put("image", TorchTensors.to(TorchTensors.ofFloats(image, n, 5, height, width), net.deviceId()));
        if (posed) {
            int rows = height / cell;
            int columns = width / cell;
            int each = frames * frames * rows * columns * CameraRays.WIDTH;
            float[] rays = new float[n / frames * each];
            for (int i = 0; i < n / frames; i++) {
                float[] own = CameraRays.all(
                        poses.subList(i * frames, (i + 1) * frames), held.get(0).intrinsics(), rows, columns, 1);
                System.arraycopy(own, 0, rays, i * each, each);
            }
            in.put(
                    "rays",
                    TorchTensors.to(
                            TorchTensors.ofFloats(
                                    rays, n / frames, frames, frames, (long) rows * columns, CameraRays.WIDTH),
                            net.deviceId()));
        }
        return in;
    }

    /** The poses as a session believes them: mirrored with the picture, and in half of the clips a little wrong. */
    private static List<Pose> commanded(List<Pose> truth, boolean mirror, SplittableRandom random) {
        boolean wrong = random.nextBoolean();
        double scale = wrong ? Math.exp(LENGTH_ERROR * random.nextGaussian()) : 1;
        List<Pose> out = new ArrayList<>();
        for (Pose p : truth) {
            Pose q = p.withTranslation(scale * p.tx(), scale * p.ty(), scale * p.tz());
            if (wrong) {
                q = q.compose(Pose.yaw(ANGLE_ERROR * random.nextGaussian()))
                        .compose(Pose.pitch(ANGLE_ERROR * random.nextGaussian()))
                        .compose(Pose.translation(
                                PLACE_ERROR * random.nextGaussian(),
                                PLACE_ERROR * random.nextGaussian(),
                                PLACE_ERROR * random.nextGaussian()));
            }
            out.add(mirror ? mirrored(q) : q);
        }
        return out;
    }

    /** The pose of the mirrored camera in the mirrored world, left and right exchanged. */
    static Pose mirrored(Pose p) {
        return new Pose(
                p.r00(), -p.r01(), -p.r02(), -p.r10(), p.r11(), p.r12(), -p.r20(), p.r21(), p.r22(), -p.tx(), p.ty(),
                p.tz());
    }

    /**
     * Fills picture {@code i} of a batch.
     *
     * @param memory makes the imitated memory, or null for none
     * @param scale of the imitated memory
     */
    private void fill(
            GroundTruthClip c,
            int t,
            @org.jspecify.annotations.Nullable SplittableRandom memory,
            double scale,
            boolean mirror,
            float[] image,
            int i,
            float[] logDepth,
            float[] moving) {
        int area = height * width;
        c.normalised(t, 1, 0, 0, height, width, image, i * 5 * area);
        float[] field = memory == null ? new float[0] : SmoothNoise.field(memory, height, width);
        float[] wobble = memory == null ? new float[0] : SmoothNoise.field(memory, height, width);
        double share = memory == null ? 0 : memory.nextDouble(-1.2, 1.6);
        for (int p = 0; p < area; p++) {
            float d = Math.max(NEAREST, Math.min(FARTHEST, c.depth()[t * area + p]));
            boolean isMoving = c.dynamic()[t * area + p] != 0;
            logDepth[i * area + p] = (float) Math.log(d);
            moving[i * area + p] = isMoving ? 1 : 0;
            boolean known = memory != null && field[p] < share && d < FARTHEST && !isMoving;
            image[(i * 5 + 3) * area + p] = known ? (float) (1 / (d * scale * Math.exp(0.04 * wobble[p]))) : 0;
            image[(i * 5 + 4) * area + p] = known ? 1 : 0;
        }
        if (mirror) {
            for (int k = 0; k < 5 * height; k++) {
                reverse(image, i * 5 * area + k * width);
            }
            for (int k = 0; k < height; k++) {
                reverse(logDepth, i * area + k * width);
                reverse(moving, i * area + k * width);
            }
        }
    }

    private void reverse(float[] v, int from) {
        for (int a = from, b = from + width - 1; a < b; a++, b--) {
            float s = v[a];
            v[a] = v[b];
            v[b] = s;
        }
    }

    @Override
    public Map<String, Double> evaluate(Path folder, long step) {
        int area = height * width;
        double absRel = 0;
        double lastAbsRel = 0;
        double close = 0;
        double scaleFree = 0;
        long intersection = 0;
        long union = 0;
        long counted = 0;
        long lastCounted = 0;
        List<float[]> pictures = new ArrayList<>();
        List<float[]> truths = new ArrayList<>();
        List<float[]> depths = new ArrayList<>();
        for (int i = 0; i < held.size(); i++) {
            GroundTruthClip c = held.get(i);
            float[] image = new float[frames * 5 * area];
            float[] logDepth = new float[frames * area];
            float[] moving = new float[frames * area];
            for (int t = 0; t < frames; t++) {
                fill(c, t, null, 1, false, image, t, logDepth, moving);
            }
            try (PointerScope scope = new PointerScope()) {
                Map<String, Tensor> out = net.inference(inputs(image, c.poses().subList(0, frames)));
                float[] depth = TorchTensors.toFloats(AutoencoderObjective.output(out, "depth"));
                float[] dynamic = TorchTensors.toFloats(AutoencoderObjective.output(out, "dynamic"));
                for (int t = 0; t < frames; t++) {
                    scaleFree += medianScaledError(
                                    Arrays.copyOfRange(depth, t * area, (t + 1) * area),
                                    Arrays.copyOfRange(logDepth, t * area, (t + 1) * area))
                            / (frames * held.size());
                }
                for (int p = 0; p < frames * area; p++) {
                    double truth = Math.exp(logDepth[p]);
                    boolean says = dynamic[p] > 0;
                    boolean is = moving[p] > 0;
                    intersection += says && is ? 1 : 0;
                    union += says || is ? 1 : 0;
                    if (truth < FARTHEST * 0.99) {
                        double error = Math.abs(depth[p] - truth) / truth;
                        absRel += error;
                        close += Math.max(depth[p] / truth, truth / depth[p]) < 1.25 ? 1 : 0;
                        counted++;
                        if (p >= (frames - 1) * area) {
                            lastAbsRel += error;
                            lastCounted++;
                        }
                    }
                }
                if (i < 6) {
                    int last = frames - 1;
                    pictures.add(Arrays.copyOfRange(image, last * 5 * area, (last * 5 + 3) * area));
                    truths.add(Arrays.copyOfRange(logDepth, last * area, frames * area));
                    float[] shown = new float[area];
                    for (int p = 0; p < area; p++) {
                        shown[p] = (float) Math.log(depth[last * area + p]);
                    }
                    depths.add(shown);
                }
            }
        }
        // Near is white.
        float white = (float) Math.log(0.5);
        float black = (float) Math.log(30);
        SampleSheet sheet = new SampleSheet(width, height).row("picture");
        pictures.forEach(p -> sheet.planes(p, 0, area));
        sheet.row("true depth");
        truths.forEach(d -> sheet.grey(d, 0, black, white));
        sheet.row("depth");
        depths.forEach(d -> sheet.grey(d, 0, black, white));
        AutoencoderObjective.write(sheet, folder.resolve("geometry-" + step + ".png"));
        Map<String, Double> m = new TreeMap<>();
        m.put("held_abs_rel", absRel / counted);
        m.put("held_last_abs_rel", lastAbsRel / lastCounted);
        m.put("held_median_scaled_abs_rel", scaleFree);
        m.put("held_delta_1_25", close / counted);
        m.put("held_dynamic_iou", union == 0 ? 1.0 : (double) intersection / union);
        return m;
    }

    /** Mean relative error of depth in units of the picture's median, as sessions measure from their start on. */
    private static double medianScaledError(float[] depth, float[] logTruth) {
        float[] truth = new float[logTruth.length];
        for (int p = 0; p < truth.length; p++) {
            truth[p] = (float) Math.exp(logTruth[p]);
        }
        double scale = DepthMaps.median(truth) / DepthMaps.median(depth);
        double error = 0;
        int counted = 0;
        for (int p = 0; p < truth.length; p++) {
            if (truth[p] < FARTHEST * 0.99) {
                error += Math.abs(scale * depth[p] - truth[p]) / truth[p];
                counted++;
            }
        }
        return counted == 0 ? 0 : error / counted;
    }

    @Override
    public void close() {
        net.close();
    }
}
