package io.teleworld.goldens;

import io.teleworld.core.camera.CameraEmbedding;
import io.teleworld.core.reconstruct.AttentionSaliency;
import io.teleworld.core.reconstruct.DepthAlignment;
import io.teleworld.core.reconstruct.PoseEncoding;
import io.teleworld.core.reconstruct.Similarity;
import io.teleworld.core.reconstruct.Similarity.ScaleRule;
import io.teleworld.core.reconstruct.Thresholds;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.goldens.Tolerances.Limit;
import io.teleworld.goldens.Tolerances.Measure;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/** Kinds of cases about geometry; none needs a runtime. Stateless. */
final class GeometryKinds {

    private static final Limit EXACT = new Limit(Measure.EXACT, 0);

    private GeometryKinds() {}

    /** [R|t], row-major. */
    private static double[] rows(Pose p) {
        return Arrays.copyOf(p.toRowMajor(), 12);
    }

    /** Camera encodings of VGGT, and depth to points. */
    static final class PoseKind implements GoldenKind {

        @Override
        public String title() {
            return "pose encoding";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.has("data", "decode") && c.has("data", "encode");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            for (JsonNode d : c.at("data", "decode")) {
                int h = d.path("image_size_hw").path(0).asInt();
                int w = d.path("image_size_hw").path(1).asInt();
                for (int i = 0; i < d.path("pose_encoding").size(); i++) {
                    PoseEncoding e = PoseEncoding.of(
                            GoldenCase.doubles(d.path("pose_encoding").path(i)));
                    String label = "decode, " + h + "×" + w + ", " + i;
                    report.compare(
                            label + ", extrinsics",
                            "decode.extrinsics",
                            rows(e.pose().inverse()),
                            GoldenCase.flat(d.path("extrinsics").path(i)));
                    report.compare(
                            label + ", intrinsics",
                            "decode.intrinsics",
                            matrix(e.intrinsics(w, h)),
                            GoldenCase.flat(d.path("intrinsics").path(i)));
                }
            }
            for (JsonNode d : c.at("data", "encode")) {
                int h = d.path("image_size_hw").path(0).asInt();
                int w = d.path("image_size_hw").path(1).asInt();
                for (int i = 0; i < d.path("extrinsics").size(); i++) {
                    Pose pose = Pose.ofRowMajor(
                                    GoldenCase.flat(d.path("extrinsics").path(i)))
                            .inverse();
                    PoseEncoding e =
                            PoseEncoding.of(pose, camera(d.path("intrinsics").path(i), w, h, 0));
                    double[] actual = {
                        e.tx(), e.ty(), e.tz(), e.qx(), e.qy(), e.qz(), e.qw(), e.fovHeight(), e.fovWidth()
                    };
                    report.compare(
                            "encode, " + h + "×" + w + ", " + i,
                            "encode",
                            actual,
                            GoldenCase.doubles(d.path("pose_encoding").path(i)));
                }
            }
            unproject(c.at("data", "unproject"), report);
        }

        private static void unproject(JsonNode u, CaseReport report) {
            for (int i = 0; i < u.path("depth").size(); i++) {
                JsonNode depth = u.path("depth").path(i);
                int h = depth.size();
                int w = depth.path(0).size();
                // Pixels are counted from whole numbers there, from half ones here.
                Intrinsics k = camera(u.path("intrinsics").path(i), w, h, 0.5);
                Pose pose = Pose.ofRowMajor(GoldenCase.flat(u.path("extrinsics").path(i)))
                        .inverse();
                double[] points = new double[3 * w * h];
                for (int y = 0; y < h; y++) {
                    for (int x = 0; x < w; x++) {
                        double z = depth.path(y).path(x).asDouble();
                        Pose local =
                                Pose.translation((x + 0.5 - k.cx()) / k.fx() * z, (y + 0.5 - k.cy()) / k.fy() * z, z);
                        Pose world = pose.compose(local);
                        int at = 3 * (y * w + x);
                        points[at] = world.tx();
                        points[at + 1] = world.ty();
                        points[at + 2] = world.tz();
                    }
                }
                report.compare(
                        "unproject " + i,
                        "unproject",
                        points,
                        GoldenCase.flat(u.path("world_points").path(i)));
            }
        }

        private static double[] matrix(Intrinsics k) {
            return new double[] {k.fx(), 0, k.cx(), 0, k.fy(), k.cy(), 0, 0, 1};
        }

        private static Intrinsics camera(JsonNode m, int w, int h, double shift) {
            double[] k = GoldenCase.flat(m);
            return new Intrinsics(w, h, k[0], k[4], k[2] + shift, k[5] + shift);
        }
    }

    /** Alignment of points and depths. */
    static final class SimilarityKind implements GoldenKind {

        @Override
        public String title() {
            return "similarity alignment";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.at("data", "cases").path(0).has("umeyama");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            for (JsonNode s : c.at("data", "cases")) {
                String name = s.path("name").asString("") + ", ";
                double[] source = GoldenCase.flat(s.path("source"));
                double[] target = GoldenCase.flat(s.path("target"));
                double[] w = GoldenCase.doubles(s.path("weights"));
                if (s.has("umeyama")) {
                    Similarity fit = Similarity.fit(source, target, w);
                    compare(report, name + "least squares", fit, s.path("umeyama"));
                }
                if (s.has("spread_ratio_scale")) {
                    Similarity fit = Similarity.fit(source, target, w, ScaleRule.SPREAD_RATIO);
                    compare(report, name + "spread ratio", fit, s.path("spread_ratio_scale"));
                }
                if (s.has("spread_ratio_scale_huber_irls")) {
                    JsonNode expected = s.path("spread_ratio_scale_huber_irls");
                    Similarity fit = Similarity.fitRobust(
                            source, target, w, expected.path("delta").asDouble(), ScaleRule.SPREAD_RATIO);
                    compare(report, name + "spread ratio, Huber", fit, expected);
                }
                if (s.has("rigid")) {
                    Similarity fit = Similarity.fit(source, target, w, ScaleRule.RIGID);
                    compare(report, name + "rigid", fit, s.path("rigid"));
                }
            }
            JsonNode chain = c.at("data", "chain");
            Similarity all = Similarity.IDENTITY;
            for (int i = 0; i < chain.path("input").size(); i++) {
                all = all.compose(similarity(chain.path("input").path(i)));
                compare(report, "chain " + i, all, chain.path("cumulative").path(i));
            }
            if (c.has("data", "scale_shift")) {
                JsonNode line = c.at("data", "scale_shift");
                DepthAlignment.Line fit = DepthAlignment.fit(
                        GoldenCase.doubles(line.path("x")), GoldenCase.doubles(line.path("y")), true);
                double[] expected = {
                    line.path("scale").asDouble(), line.path("shift").asDouble()
                };
                report.compare("scale and shift", new double[] {fit.scale(), fit.shift()}, expected);
            }
        }

        private static Similarity similarity(JsonNode n) {
            double[] r = GoldenCase.flat(n.path("rotation"));
            double[] t = GoldenCase.doubles(n.path("translation"));
            return new Similarity(
                    n.path("scale").asDouble(),
                    new Pose(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], t[0], t[1], t[2]));
        }

        private static void compare(CaseReport report, String label, Similarity actual, JsonNode expected) {
            Pose r = actual.rigid();
            double[] values = {
                actual.scale(),
                r.r00(),
                r.r01(),
                r.r02(),
                r.r10(),
                r.r11(),
                r.r12(),
                r.r20(),
                r.r21(),
                r.r22(),
                r.tx(),
                r.ty(),
                r.tz()
            };
            List<Double> stored = new ArrayList<>(List.of(expected.path("scale").asDouble()));
            for (String part : List.of("rotation", "translation")) {
                for (double v : GoldenCase.flat(expected.path(part))) {
                    stored.add(v);
                }
            }
            report.compare(
                    label,
                    values,
                    stored.stream().mapToDouble(Double::doubleValue).toArray());
        }
    }

    /** Thresholds of Otsu's method. */
    static final class ThresholdsKind implements GoldenKind {

        @Override
        public String title() {
            return "thresholds";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.at("data", "sets").path(0).has("multi_otsu");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            for (JsonNode s : c.at("data", "sets")) {
                String name = s.path("name").asString("") + ", ";
                double[] numbers = GoldenCase.doubles(s.path("values"));
                float[] values = new float[numbers.length];
                for (int i = 0; i < values.length; i++) {
                    values[i] = (float) numbers[i];
                }
                for (JsonNode m : s.path("multi_otsu")) {
                    int classes = m.path("classes").asInt();
                    Thresholds.Split split = Thresholds.multiOtsu(values, classes);
                    report.compare(
                            name + classes + " classes",
                            "thresholds",
                            split.thresholds().stream()
                                    .mapToDouble(Double::doubleValue)
                                    .toArray(),
                            GoldenCase.doubles(m.path("thresholds")));
                    report.compare(
                            name + classes + " classes, score", "score", new double[] {split.score()}, new double[] {
                                m.path("score").asDouble()
                            });
                }
                JsonNode adaptive = s.path("adaptive");
                if (adaptive.isObject()) {
                    Thresholds.Split best = Thresholds.saliency(values);
                    report.compare(
                            name + "chosen number of classes",
                            new double[] {best.classes()},
                            new double[] {adaptive.path("classes").asInt()},
                            EXACT);
                    report.compare(
                            name + "chosen threshold", "thresholds", new double[] {best.highest()}, new double[] {
                                adaptive.path("threshold").asDouble()
                            });
                }
            }
        }
    }

    /** What moves, from attention. */
    static final class SaliencyKind implements GoldenKind {

        @Override
        public String title() {
            return "dynamic saliency";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.hasTensor("in.q") && c.hasTensor("in.k") && c.hasTensor("out.dyn");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            AttentionSaliency.Result r = AttentionSaliency.of(features(c, "in.q"), features(c, "in.k"));
            Map<String, double[]> parts = new TreeMap<>();
            parts.put("out.dyn", r.saliency());
            parts.put("mid.m1", r.meanShallow());
            parts.put("mid.m2", r.meanDeep());
            parts.put("mid.m3", r.meanKeys());
            parts.put("mid.v1", r.spreadDeep());
            parts.put("mid.v3", r.spreadFirst());
            parts.forEach((name, v) -> {
                if (c.hasTensor(name)) {
                    report.compare(name, v, c.numbers(name));
                }
            });
        }

        private static AttentionSaliency.Features features(GoldenCase c, String name) {
            return new AttentionSaliency.Features(
                    c.floats(name),
                    c.extent(name, 0),
                    c.extent(name, 1),
                    c.extent(name, 2),
                    c.extent(name, 3),
                    c.extent(name, 4));
        }
    }

    /** Camera files to the embedding of a camera path. */
    static final class CameraPathKind implements GoldenKind {

        @Override
        public String title() {
            return "camera embedding";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.at("data", "examples").path(0).has("frame_strings");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            int i = 0;
            for (JsonNode e : c.at("data", "examples")) {
                TreeMap<Integer, Pose> poses = new TreeMap<>();
                for (Map.Entry<String, JsonNode> f : e.path("frame_strings").properties()) {
                    poses.put(
                            Integer.valueOf(f.getKey()),
                            CameraEmbedding.parseUnreal(f.getValue().asString()));
                }
                float[] actual = CameraEmbedding.of(List.copyOf(poses.values()));
                report.compare(
                        "example " + i++,
                        "embedding",
                        GoldenCase.widened(actual),
                        GoldenCase.flat(e.path("embedding")));
            }
        }
    }
}
