package io.teleworld.training.recipe;

import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.training.data.ClipSupply;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.SmoothNoise;
import io.teleworld.training.plot.SampleSheet;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Trains the geometry net: error of log depth weighted by the predicted confidence (as VGGT), of its spatial
 * differences, and cross entropy of the dynamic mask. Depth is in eye heights; what a session's memory will say is
 * imitated by parts of the true depth with errors of scale and shape. Confined to one thread.
 */
public final class GeometryObjective implements Objective, AutoCloseable {

    /** Depth in eye heights that stands for sky and for everything beyond. */
    public static final float FARTHEST = 64;

    private static final float NEAREST = 0.05f;
    private static final double CONFIDENCE_REWARD = 0.15;

    private final ClipSupply train;
    private final List<GroundTruthClip> held;
    private final int batch;
    private final int height;
    private final int width;
    private final TorchModule net;

    public GeometryObjective(
            GeometryNetConfig config,
            Map<String, float[]> initial,
            ClipSupply train,
            List<GroundTruthClip> held,
            int batch,
            String deviceId,
            Arithmetic arithmetic) {
        this.train = train;
        this.held = List.copyOf(held);
        this.batch = batch;
        this.height = held.get(0).height();
        this.width = held.get(0).width();
        this.net = TorchModule.of(GeometryNet.graph(config, height, width), initial, deviceId, arithmetic);
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
        float[] image = new float[batch * 5 * area];
        float[] logDepth = new float[batch * area];
        float[] moving = new float[batch * area];
        for (int i = 0; i < batch; i++) {
            GroundTruthClip c = train.next(random);
            int t = random.nextInt(c.frames());
            fill(c, t, random.nextInt(5) < 3 ? random : null, random.nextBoolean(), image, i, logDepth, moving);
        }
        Tensor x = TorchTensors.to(TorchTensors.ofFloats(image, batch, 5, height, width), net.deviceId());
        Tensor target = TorchTensors.to(TorchTensors.ofFloats(logDepth, batch, 1, height, width), net.deviceId());
        Tensor dynamic = TorchTensors.to(TorchTensors.ofFloats(moving, batch, 1, height, width), net.deviceId());
        Map<String, Tensor> out = net.forward(Map.of("image", x));
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
        metrics.put("log_error", (double) error.mean().item_float());
        metrics.put("entropy", (double) entropy.item_float());
        return error.mean()
                .mul(new Scalar(2))
                .add(weighted.mul(new Scalar(0.3)))
                .add(dx.add(dy))
                .add(entropy);
    }

    /**
     * Fills sample {@code i} of a batch.
     *
     * @param memory makes the imitated memory, or null for none
     */
    private void fill(
            GroundTruthClip c,
            int t,
            @org.jspecify.annotations.Nullable SplittableRandom memory,
            boolean mirror,
            float[] image,
            int i,
            float[] logDepth,
            float[] moving) {
        int area = height * width;
        c.normalised(t, 1, 0, 0, height, width, image, i * 5 * area);
        float[] field = memory == null ? new float[0] : SmoothNoise.field(memory, height, width);
        float[] wobble = memory == null ? new float[0] : SmoothNoise.field(memory, height, width);
        double scale = memory == null ? 1 : Math.exp(0.06 * memory.nextGaussian());
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
        double close = 0;
        long intersection = 0;
        long union = 0;
        long counted = 0;
        List<float[]> pictures = new ArrayList<>();
        List<float[]> truths = new ArrayList<>();
        List<float[]> depths = new ArrayList<>();
        for (int i = 0; i < held.size(); i++) {
            GroundTruthClip c = held.get(i);
            float[] image = new float[5 * area];
            float[] logDepth = new float[area];
            float[] moving = new float[area];
            fill(c, 0, null, false, image, 0, logDepth, moving);
            try (PointerScope scope = new PointerScope()) {
                Tensor x = TorchTensors.to(TorchTensors.ofFloats(image, 1, 5, height, width), net.deviceId());
                Map<String, Tensor> out = net.inference(Map.of("image", x));
                float[] depth = TorchTensors.toFloats(AutoencoderObjective.output(out, "depth"));
                float[] dynamic = TorchTensors.toFloats(AutoencoderObjective.output(out, "dynamic"));
                for (int p = 0; p < area; p++) {
                    double truth = Math.exp(logDepth[p]);
                    boolean says = dynamic[p] > 0;
                    boolean is = moving[p] > 0;
                    intersection += says && is ? 1 : 0;
                    union += says || is ? 1 : 0;
                    if (truth < FARTHEST * 0.99) {
                        absRel += Math.abs(depth[p] - truth) / truth;
                        close += Math.max(depth[p] / truth, truth / depth[p]) < 1.25 ? 1 : 0;
                        counted++;
                    }
                }
                if (i < 6) {
                    pictures.add(java.util.Arrays.copyOf(image, 3 * area));
                    truths.add(logDepth);
                    for (int p = 0; p < area; p++) {
                        depth[p] = (float) Math.log(depth[p]);
                    }
                    depths.add(depth);
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
        m.put("held_delta_1_25", close / counted);
        m.put("held_dynamic_iou", union == 0 ? 1.0 : (double) intersection / union);
        return m;
    }

    @Override
    public void close() {
        net.close();
    }
}
