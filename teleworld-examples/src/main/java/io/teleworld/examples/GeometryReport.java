package io.teleworld.examples;

import io.teleworld.ModelSource;
import io.teleworld.RgbImage;
import io.teleworld.core.decode.VideoCodec;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.network.CameraRays;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.reconstruct.AttentionSaliency;
import io.teleworld.core.reconstruct.AttentionSaliency.Features;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import io.teleworld.worlds.TrajectoryKind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How well the geometry network finds depth and moving things on held-out maps, and what attention adds. */
@Command(
        name = "geometry",
        description =
                "Depth and masks of moving things on held-out maps: each picture by itself, over the last keyframes, by "
                        + "attention saliency, and with early masking.")
final class GeometryReport extends Evaluation {

    private static final List<String> PREFERRED = List.of("onnx");

    /** Frames between the keyframes of a session. */
    private static final int[] GAPS = {4, 16, 16};

    private static final int KEYFRAMES = 6;

    /** True depth from here on, in eye heights, counts as sky. */
    private static final float FARTHEST = 63;

    /** Keyframes on each side that saliency compares with. */
    private static final int NEAR = 3;

    private static final int SHOWN = 6;
    private static final int GAP = 4;

    @Option(names = "--clips", paramLabel = "N", description = "Clips of 6 keyframes; 32 by default.")
    int clips = 32;

    @Option(
            names = "--decoded",
            description = "Pass each picture through the autoencoder first, as sessions show what they generate.")
    boolean decoded;

    @Option(names = "--against", paramLabel = "DIR", description = "Another model package for the same pictures.")
    @Nullable
    Path against;

    /** Depth, the logit of moving, and, of a network with attention that was looked into, its queries and keys. */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large arrays; never compared
    private record Answer(
            float[] depth,
            float[] logit,
            @Nullable Features queries,
            @Nullable Features keys) {

        boolean[] says() {
            boolean[] out = new boolean[logit.length];
            for (int i = 0; i < out.length; i++) {
                out[i] = logit[i] > 0;
            }
            return out;
        }
    }

    /** Sums of one way to find geometry, per clip. */
    private static final class Arm {
        private final double[] error;
        private final double[] scaled;
        private final double[] close;
        private long hit;
        private long said;
        private long there;

        private Arm(int n) {
            error = new double[n];
            scaled = new double[n];
            close = new double[n];
            Arrays.fill(error, Double.NaN);
        }

        private void depth(int clip, List<HeldOutCase.Geometry> truth, float[] depth) {
            double sum = 0;
            double sumScaled = 0;
            double near = 0;
            long counted = 0;
            int area = truth.get(0).depth().length;
            for (int t = 0; t < truth.size(); t++) {
                float[] is = truth.get(t).depth();
                double factor = ratio(is, depth, t * area);
                for (int i = 0; i < area; i++) {
                    if (is[i] < FARTHEST) {
                        double d = depth[t * area + i];
                        sum += Math.abs(d - is[i]) / is[i];
                        sumScaled += Math.abs(d * factor - is[i]) / is[i];
                        near += Math.max(d / is[i], is[i] / d) < 1.25 ? 1 : 0;
                        counted++;
                    }
                }
            }
            error[clip] = sum / Math.max(1, counted);
            scaled[clip] = sumScaled / Math.max(1, counted);
            close[clip] = near / Math.max(1, counted);
        }

        /** Median of true over found depth: what a session's alignment with its memory could take away. */
        private static double ratio(float[] is, float[] found, int from) {
            double[] ratios = new double[is.length];
            int n = 0;
            for (int i = 0; i < is.length; i++) {
                if (is[i] < FARTHEST) {
                    ratios[n++] = is[i] / found[from + i];
                }
            }
            Arrays.sort(ratios, 0, n);
            return n == 0 ? 1 : ratios[n / 2];
        }

        private void mask(List<HeldOutCase.Geometry> truth, boolean[] mask) {
            int area = truth.get(0).depth().length;
            for (int i = 0; i < mask.length; i++) {
                boolean is = truth.get(i / area).moving()[i % area];
                hit += mask[i] && is ? 1 : 0;
                said += mask[i] ? 1 : 0;
                there += is ? 1 : 0;
            }
        }

        private double iou() {
            return (double) hit / Math.max(1, said + there - hit);
        }

        private double recall() {
            return (double) hit / Math.max(1, there);
        }

        private boolean hasDepth() {
            return !Double.isNaN(error[0]);
        }
    }

    /** A package's geometry network, compiled to look at whole clips and at single pictures. */
    private static final class Network {
        private final GeometryNetConfig config;
        private final Intrinsics camera;
        private final Program clip;
        private final Program single;
        private final int rows;
        private final int columns;

        private Network(ModelPackage files, TensorRuntime runtime, Scope scope) {
            config = files.geometry();
            camera = files.world().intrinsics();
            rows = camera.height() / config.multiple();
            columns = camera.width() / config.multiple();
            Precision precision = files.world().precision().geometry();
            clip = scope.adopt(runtime.compile(graph(KEYFRAMES), files.geometryWeights(), precision));
            single = attends() ? scope.adopt(runtime.compile(graph(1), files.geometryWeights(), precision)) : clip;
        }

        private boolean attends() {
            return config.attentionBlocks() > 0;
        }

        /** The first fifth of the blocks is masked early, as in VGGT4D. */
        private Graph graph(int frames) {
            return attends()
                    ? GeometryNet.inspectedGraph(
                            config, frames, (5 * config.windowBlocks() + 23) / 24, camera.height(), camera.width())
                    : GeometryNet.graph(config, camera.height(), camera.width());
        }

        private int tokens() {
            return rows * columns;
        }

        private float[] everywhere(int frames) {
            float[] ones = new float[frames * tokens()];
            Arrays.fill(ones, 1);
            return ones;
        }

        private Answer over(float[] images, List<Pose> poses, float[] attended, Scope scope) {
            int frames = poses.size();
            Program program = frames == 1 ? single : clip;
            int height = camera.height();
            int width = camera.width();
            Map<String, Tensor> in = new HashMap<>();
            in.put("image", HostTensor.ofFloats(images, frames, config.inputChannels(), height, width));
            if (attends()) {
                float[] rays = CameraRays.all(poses, camera, rows, columns, 1);
                in.put("rays", HostTensor.ofFloats(rays, 1, frames, frames, tokens(), CameraRays.WIDTH));
                in.put("attended", HostTensor.ofFloats(attended, frames, tokens()));
            }
            try (Scope work = scope.child("clip")) {
                Map<String, Tensor> out = program.run(in, program.newState(work), RunOptions.DEFAULT, work);
                return new Answer(
                        values(out, "depth"),
                        values(out, "dynamic"),
                        attends() ? features(out, "query", frames) : null,
                        attends() ? features(out, "key", frames) : null);
            }
        }

        /** Every picture as if it were the first. */
        private Answer alone(float[] images, List<Pose> poses, Scope scope) {
            if (!attends()) {
                return over(images, poses, new float[0], scope);
            }
            int area = camera.width() * camera.height();
            int each = config.inputChannels() * area;
            float[] depth = new float[poses.size() * area];
            float[] logit = new float[depth.length];
            for (int t = 0; t < poses.size(); t++) {
                Answer a = over(
                        Arrays.copyOfRange(images, t * each, (t + 1) * each),
                        List.of(poses.get(t)),
                        everywhere(1),
                        scope);
                System.arraycopy(a.depth(), 0, depth, t * area, area);
                System.arraycopy(a.logit(), 0, logit, t * area, area);
            }
            return new Answer(depth, logit, null, null);
        }

        /** From [frames,tokens,heads·dim] per block to [frames,blocks,heads,tokens,dim]. */
        private Features features(Map<String, Tensor> out, String kind, int frames) {
            int blocks = config.windowBlocks();
            int heads = config.attentionHeads();
            int dim = config.coarsestWidth() / heads;
            float[] all = new float[frames * blocks * heads * tokens() * dim];
            for (int l = 0; l < blocks; l++) {
                float[] v = values(out, "window." + l + "." + kind);
                for (int i = 0; i < v.length; i++) {
                    int d = i % dim;
                    int h = i / dim % heads;
                    int n = i / (dim * heads) % tokens();
                    int t = i / (dim * heads * tokens());
                    all[(((t * blocks + l) * heads + h) * tokens() + n) * dim + d] = v[i];
                }
            }
            return new Features(all, frames, blocks, heads, tokens(), dim);
        }

        private double[] saliency(Answer a) {
            return AttentionSaliency.of(
                            Objects.requireNonNull(a.queries()),
                            Objects.requireNonNull(a.keys()),
                            AttentionSaliency.Options.keyframes(config.windowBlocks(), NEAR))
                    .saliency();
        }

        private boolean[] salient(Answer a) {
            return AttentionSaliency.mask(saliency(a), rows, columns, camera.height(), camera.width());
        }

        /** Hides what is masked; a frame that would have nothing left keeps everything. */
        private float[] hiding(boolean[] mask) {
            int area = camera.width() * camera.height();
            float[] keep = everywhere(mask.length / area);
            for (int t = 0; t < mask.length / area; t++) {
                boolean[] own = Arrays.copyOfRange(mask, t * area, (t + 1) * area);
                if (cellsLeft(own)) {
                    float[] k = AttentionSaliency.attended(own, 1, rows, columns, camera.height(), camera.width());
                    System.arraycopy(k, 0, keep, t * tokens(), tokens());
                }
            }
            return keep;
        }

        private boolean cellsLeft(boolean[] mask) {
            boolean[] touched = new boolean[tokens()];
            int cell = config.multiple();
            for (int i = 0; i < mask.length; i++) {
                touched[i / camera.width() / cell * columns + i % camera.width() / cell] |= mask[i];
            }
            for (boolean t : touched) {
                if (!t) {
                    return true;
                }
            }
            return false;
        }

        private static float[] values(Map<String, Tensor> out, String name) {
            return Objects.requireNonNull(out.get(name), name).toFloatArray();
        }
    }

    @Override
    void measure(Report report) {
        int n = atLeastOne("--clips", clips);
        ModelPackage files = ModelPackage.open(ModelFiles.of(model.source()));
        Path other = against;
        report.line("model %s (%s)", files.world().name(), model.source());
        report.put("model", model.source().toString());
        if (other != null) {
            report.line("against %s", other);
            report.put("against", other.toString());
        }
        List<String> names = model.options().runtimes().isEmpty()
                ? PREFERRED
                : model.options().runtimes();
        Map<String, Arm> arms = new LinkedHashMap<>();
        List<List<RgbImage>> sheet = new ArrayList<>();
        try (TensorRuntime runtime = RuntimeRegistry.load(GeometryReport.class.getClassLoader())
                        .firstAvailable(names)
                        .create(new RuntimeOptions("cpu", model.threads));
                Scope scope = Scope.root("geometry");
                Progress progress = progress(n, "clips")) {
            Network own = new Network(files, runtime, scope);
            Network its = other == null
                    ? null
                    : new Network(ModelPackage.open(ModelFiles.of(ModelSource.directory(other))), runtime, scope);
            VideoCodec codec = decoded ? AutoencoderReport.codec(files, runtime, scope) : null;
            int[] frames = schedule();
            List<HeldOutCase> cases =
                    HeldOutCase.draw(n, frames[KEYFRAMES - 1] + 1, TrajectoryKind.RANDOM, own.camera, seed);
            for (int i = 0; i < n; i++) {
                List<HeldOutCase.Geometry> truth = new ArrayList<>();
                for (int f : frames) {
                    truth.add(cases.get(i).geometry(f));
                }
                SplittableRandom random = new SplittableRandom(seed + i);
                for (boolean memory : new boolean[] {false, true}) {
                    float[] images = images(truth, codec, memory ? random : null);
                    compare(memory ? "memory" : "nothing", i, n, truth, images, own, its, arms, scope);
                    if (!memory && i % Math.max(1, n / SHOWN) == 0 && sheet.size() < SHOWN) {
                        sheet.add(column(truth, images, own, scope));
                    }
                }
                progress.advance();
            }
        }
        Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
        List<List<String>> rows = new ArrayList<>();
        List<Map<String, Object>> entries = new ArrayList<>();
        arms.forEach((name, arm) -> {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("arm", name);
            boolean depth = arm.hasDepth();
            if (depth) {
                entry.put("absRel", bootstrap.mean(arm.error));
                entry.put("absRelScaled", bootstrap.mean(arm.scaled));
                entry.put("within125", bootstrap.mean(arm.close));
            }
            entry.put("iou", arm.iou());
            entry.put("recall", arm.recall());
            entries.add(entry);
            rows.add(List.of(
                    name,
                    depth ? text(bootstrap.mean(arm.error)) : "–",
                    depth ? text(bootstrap.mean(arm.scaled)) : "–",
                    depth ? text(bootstrap.mean(arm.close)) : "–",
                    String.format(Locale.ROOT, "%.3f", arm.iou()),
                    String.format(Locale.ROOT, "%.3f", arm.recall())));
        });
        report.line("%d clips of %d keyframes%s", n, KEYFRAMES, decoded ? ", each through the autoencoder" : "");
        report.put("decoded", decoded);
        report.table(List.of("known: how", "AbsRel", "with each median", "within 1.25", "IoU", "recall"), rows);
        report.put("arms", entries);
        differences(report, bootstrap, arms);
        Path picture = out.resolve("geometry.png");
        drawn(sheet).writePng(picture);
        report.line("%s: picture, true depth, depth, true mask, mask, saliency", picture);
    }

    /** Paired differences of AbsRel to those that see each picture by itself. */
    private static void differences(Report report, Bootstrap bootstrap, Map<String, Arm> arms) {
        Map<String, Object> all = new LinkedHashMap<>();
        for (String known : List.of("nothing", "memory")) {
            Arm over = arms.get(known + ": over keyframes");
            if (over == null) {
                continue;
            }
            for (String than : List.of(": other model", ": by itself", ": early masking by saliency")) {
                Arm arm = arms.get(known + than);
                if (arm != null) {
                    Bootstrap.Interval d = bootstrap.difference(over.error, arm.error);
                    report.line("AbsRel over keyframes less that of %s%s: %s", known, than, text(d));
                    all.put(known + than, d);
                }
            }
        }
        report.put("differences", all);
    }

    private static String text(Bootstrap.Interval i) {
        return String.format(Locale.ROOT, "%.4f [%.4f, %.4f]", i.mean(), i.lower(), i.upper());
    }

    private static int[] schedule() {
        int[] frames = new int[KEYFRAMES];
        for (int i = 1; i < KEYFRAMES; i++) {
            frames[i] = frames[i - 1] + GAPS[(i - 1) % GAPS.length];
        }
        return frames;
    }

    private static void compare(
            String known,
            int clip,
            int n,
            List<HeldOutCase.Geometry> truth,
            float[] images,
            Network own,
            @Nullable Network its,
            Map<String, Arm> arms,
            Scope scope) {
        List<Pose> poses = truth.stream().map(HeldOutCase.Geometry::pose).toList();
        if (its != null) {
            Answer a = its.attends()
                    ? its.over(images, poses, its.everywhere(KEYFRAMES), scope)
                    : its.alone(images, poses, scope);
            put(arms, known + ": other model", clip, n, truth, a.depth(), a.says());
        }
        Answer alone = own.alone(images, poses, scope);
        put(arms, known + ": by itself", clip, n, truth, alone.depth(), alone.says());
        if (!own.attends()) {
            return;
        }
        Answer over = own.over(images, poses, own.everywhere(KEYFRAMES), scope);
        put(arms, known + ": over keyframes", clip, n, truth, over.depth(), over.says());
        boolean[] salient = own.salient(over);
        put(arms, known + ": saliency", clip, n, truth, null, salient);
        Answer masked = own.over(images, poses, own.hiding(salient), scope);
        put(arms, known + ": early masking by saliency", clip, n, truth, masked.depth(), masked.says());
        put(arms, known + ": saliency after early masking", clip, n, truth, null, own.salient(masked));
        Answer hidden = own.over(images, poses, own.hiding(over.says()), scope);
        put(arms, known + ": early masking by the mask", clip, n, truth, hidden.depth(), hidden.says());
    }

    private static void put(
            Map<String, Arm> arms,
            String name,
            int clip,
            int n,
            List<HeldOutCase.Geometry> truth,
            float @Nullable [] depth,
            boolean[] mask) {
        Arm arm = arms.computeIfAbsent(name, k -> new Arm(n));
        if (depth != null) {
            arm.depth(clip, truth, depth);
        }
        arm.mask(truth, mask);
    }

    /** The network's input, [frames,5,H,W]. */
    private static float[] images(
            List<HeldOutCase.Geometry> truth, @Nullable VideoCodec codec, @Nullable SplittableRandom memory) {
        RgbImage first = truth.get(0).image();
        int area = first.width() * first.height();
        float[] out = new float[truth.size() * 5 * area];
        for (int t = 0; t < truth.size(); t++) {
            HeldOutCase.Geometry g = truth.get(t);
            byte[] rgb = codec == null
                    ? g.image().rgb()
                    : AutoencoderReport.throughCodec(codec, List.of(g.image()))
                            .get(0)
                            .rgb();
            for (int c = 0; c < 3; c++) {
                for (int i = 0; i < area; i++) {
                    out[(5 * t + c) * area + i] = (rgb[3 * i + c] & 0xff) * (2f / 255) - 1;
                }
            }
            if (memory != null) {
                float[] inverse = ImitatedMemory.of(g.depth(), g.moving(), first.width(), first.height(), memory);
                for (int i = 0; i < area; i++) {
                    out[(5 * t + 3) * area + i] = inverse[i];
                    out[(5 * t + 4) * area + i] = inverse[i] > 0 ? 1 : 0;
                }
            }
        }
        return out;
    }

    /** One column of the sheet: the keyframe of the clip in which most moves. */
    private static List<RgbImage> column(List<HeldOutCase.Geometry> truth, float[] images, Network own, Scope scope) {
        List<Pose> poses = truth.stream().map(HeldOutCase.Geometry::pose).toList();
        Answer a = own.attends()
                ? own.over(images, poses, own.everywhere(KEYFRAMES), scope)
                : own.alone(images, poses, scope);
        int area = truth.get(0).depth().length;
        int width = truth.get(0).image().width();
        int shown = 0;
        long most = -1;
        for (int t = 1; t < truth.size(); t++) {
            long moving = 0;
            for (boolean m : truth.get(t).moving()) {
                moving += m ? 1 : 0;
            }
            if (moving > most) {
                most = moving;
                shown = t;
            }
        }
        HeldOutCase.Geometry g = truth.get(shown);
        boolean[] says = Arrays.copyOfRange(a.says(), shown * area, (shown + 1) * area);
        boolean[] salient = own.attends()
                ? Arrays.copyOfRange(own.salient(a), shown * area, (shown + 1) * area)
                : new boolean[area];
        return List.of(
                g.image(),
                depth(g.depth(), width),
                depth(Arrays.copyOfRange(a.depth(), shown * area, (shown + 1) * area), width),
                mask(g.moving(), width),
                mask(says, width),
                mask(salient, width));
    }

    /** Near is white; logarithmic between half an eye height and 30. */
    private static RgbImage depth(float[] depth, int width) {
        byte[] rgb = new byte[3 * depth.length];
        for (int i = 0; i < depth.length; i++) {
            double white = (Math.log(30) - Math.log(Math.min(depth[i], 1e6))) / (Math.log(30) - Math.log(0.5));
            Arrays.fill(rgb, 3 * i, 3 * i + 3, (byte) Math.round(255 * Math.max(0, Math.min(1, white))));
        }
        return new RgbImage(width, depth.length / width, rgb);
    }

    private static RgbImage mask(boolean[] mask, int width) {
        byte[] rgb = new byte[3 * mask.length];
        for (int i = 0; i < mask.length; i++) {
            Arrays.fill(rgb, 3 * i, 3 * i + 3, mask[i] ? (byte) 255 : 0);
        }
        return new RgbImage(width, mask.length / width, rgb);
    }

    private static RgbImage drawn(List<List<RgbImage>> columns) {
        RgbImage first = columns.get(0).get(0);
        int w = first.width() + GAP;
        int h = first.height() + GAP;
        int width = columns.size() * w + GAP;
        int height = columns.get(0).size() * h + GAP;
        byte[] rgb = new byte[3 * width * height];
        Arrays.fill(rgb, (byte) 64);
        for (int c = 0; c < columns.size(); c++) {
            for (int r = 0; r < columns.get(c).size(); r++) {
                byte[] from = columns.get(c).get(r).rgb();
                for (int y = 0; y < first.height(); y++) {
                    int to = (GAP + r * h + y) * width + GAP + c * w;
                    System.arraycopy(from, 3 * y * first.width(), rgb, 3 * to, 3 * first.width());
                }
            }
        }
        return new RgbImage(width, height, rgb);
    }
}
