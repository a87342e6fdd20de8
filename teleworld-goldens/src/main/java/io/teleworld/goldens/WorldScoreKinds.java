package io.teleworld.goldens;

import io.teleworld.core.evaluate.worldscore.CameraLayout;
import io.teleworld.core.evaluate.worldscore.FlowField;
import io.teleworld.core.evaluate.worldscore.LayoutPath;
import io.teleworld.core.evaluate.worldscore.Metric;
import io.teleworld.core.evaluate.worldscore.MetricMath;
import io.teleworld.core.evaluate.worldscore.MetricMath.ScaleRule;
import io.teleworld.core.evaluate.worldscore.MetricMath.TranslationError;
import io.teleworld.core.evaluate.worldscore.ScoreTable;
import io.teleworld.geometry.Pose;
import io.teleworld.goldens.Tolerances.Limit;
import io.teleworld.goldens.Tolerances.Measure;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import tools.jackson.databind.JsonNode;

/** Kinds of cases about WorldScore; none needs a runtime. Stateless. */
final class WorldScoreKinds {

    private static final Limit EXACT = new Limit(Measure.EXACT, 0);

    private WorldScoreKinds() {}

    private static double[] one(double value) {
        return new double[] {value};
    }

    private static double[] numbers(JsonNode n) {
        return n.isArray() ? GoldenCase.flat(n) : one(n.asDouble());
    }

    /** Layouts to camera matrices. */
    static final class CamerasKind implements GoldenKind {

        @Override
        public String title() {
            return "WorldScore camera paths";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.at("data", "paths").path(0).has("cameras_interp");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            for (JsonNode p : c.at("data", "paths")) {
                List<CameraLayout> layouts = new ArrayList<>();
                p.path("camera_path").forEach(l -> layouts.add(CameraLayout.ofKey(l.asString())));
                LayoutPath path = LayoutPath.of(
                        layouts,
                        p.path("frames_per_scene").asInt(),
                        p.path("camera_speed").asDouble());
                String label = p.path("camera_path") + ", " + p.path("frames_per_scene") + " frames: ";
                List<double[]> saved = path.savedMatrices();
                report.compare(
                        label + "poses", one(saved.size()), one(p.path("poses").asInt()), EXACT);
                report.compare(
                        label + "anchors",
                        path.anchorFrames().stream()
                                .mapToDouble(Integer::doubleValue)
                                .toArray(),
                        GoldenCase.doubles(p.path("anchor_frame_idx")),
                        EXACT);
                for (int i = 0; i < p.path("cameras").size(); i++) {
                    report.compare(
                            label + "anchor " + i,
                            "matrices",
                            saved.get(path.anchorFrames().get(i)),
                            GoldenCase.flat(p.path("cameras").path(i)));
                }
                for (Map.Entry<String, JsonNode> frame :
                        p.path("cameras_interp").properties()) {
                    report.compare(
                            label + "frame " + frame.getKey(),
                            "matrices",
                            saved.get(Integer.parseInt(frame.getKey())),
                            GoldenCase.flat(frame.getValue()));
                }
            }
        }
    }

    /** Bounds, normalisation and the table. */
    static final class ScoresKind implements GoldenKind {

        @Override
        public String title() {
            return "WorldScore scores";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.has("data", "normalisation") && c.has("data", "aggregation");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            for (Map.Entry<String, JsonNode> aspect : c.at("data", "bounds").properties()) {
                for (Map.Entry<String, JsonNode> metric : aspect.getValue().properties()) {
                    bounds(Metric.ofKeys(aspect.getKey(), metric.getKey()), metric.getValue(), report);
                }
            }
            for (JsonNode n : c.at("data", "normalisation")) {
                Metric metric = Metric.ofKeys(
                        n.path("aspect").asString(), n.path("metric").asString());
                if (n.has("raises")) {
                    report.compare(
                            metric.key() + " " + n.path("score") + " is refused",
                            one(refuses(metric, numbers(n.path("score"))) ? 1 : 0),
                            one(1),
                            EXACT);
                    continue;
                }
                report.compare(
                        metric.key() + " " + n.path("score"),
                        "score_normalized",
                        one(metric.normalise(numbers(n.path("score")))),
                        one(n.path("score_normalized").asDouble()));
            }
            for (JsonNode tree : c.at("data", "aggregation")) {
                List<Map<Metric, Double>> instances = new ArrayList<>();
                for (JsonNode instance : tree.path("instances")) {
                    instances.add(scores(instance.path("evaluation")));
                }
                Map<String, Double> rows = ScoreTable.of(instances).rows();
                for (Map.Entry<String, JsonNode> row : tree.path("worldscore").properties()) {
                    report.compare(
                            tree.path("name").asString() + ", " + row.getKey(),
                            "worldscore",
                            one(rows.getOrDefault(row.getKey(), Double.NaN)),
                            one(row.getValue().asDouble()));
                }
            }
        }

        private static boolean refuses(Metric metric, double[] values) {
            try {
                metric.normalise(values);
                return false;
            } catch (IllegalArgumentException e) {
                return true;
            }
        }

        private static void bounds(Metric metric, JsonNode stored, CaseReport report) {
            List<Double> own = new ArrayList<>();
            List<Double> theirs = new ArrayList<>();
            for (int i = 0; i < metric.scales().size(); i++) {
                if (metric.scales().get(i) instanceof Metric.Linear l) {
                    own.addAll(List.of(l.min(), l.max(), l.higherIsBetter() ? 1.0 : 0.0));
                    for (String key : List.of("empirical_min", "empirical_max", "higher_is_better")) {
                        theirs.add(number(stored.path(key), i));
                    }
                } else if (metric.scales().get(i) instanceof Metric.Standard s) {
                    own.addAll(List.of(s.mean(), s.deviation(), s.low(), s.high()));
                    for (String key : List.of("avg", "std", "z_min", "z_max")) {
                        theirs.add(number(stored.path(key), i));
                    }
                }
            }
            report.compare(
                    metric.key() + ", bounds",
                    own.stream().mapToDouble(Double::doubleValue).toArray(),
                    theirs.stream().mapToDouble(Double::doubleValue).toArray(),
                    EXACT);
        }

        private static double number(JsonNode n, int i) {
            JsonNode v = n.isArray() ? n.path(i) : n;
            return v.isBoolean() ? (v.asBoolean() ? 1 : 0) : v.asDouble();
        }

        private static Map<Metric, Double> scores(JsonNode evaluation) {
            Map<Metric, Double> scores = new EnumMap<>(Metric.class);
            for (Map.Entry<String, JsonNode> aspect : evaluation.properties()) {
                for (Map.Entry<String, JsonNode> metric : aspect.getValue().properties()) {
                    scores.put(
                            Metric.ofKeys(aspect.getKey(), metric.getKey()),
                            metric.getValue().path("score_normalized").asDouble());
                }
            }
            return scores;
        }
    }

    /** What the metrics compute without a network. */
    static final class MetricsKind implements GoldenKind {

        @Override
        public String title() {
            return "WorldScore metrics";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return c.has("data", "aepe") || c.has("data", "uint8_squared_error");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            for (JsonNode a : c.at("data", "aepe")) {
                report.compare(
                        "end-point error, " + a.path("kind").asString(),
                        "aepe",
                        one(MetricMath.endPointError(flow(a, true), flow(a, false))),
                        one(a.path("aepe").asDouble()));
            }
            for (JsonNode m : c.at("data", "flow_median")) {
                List<Double> medians = new ArrayList<>();
                for (JsonNode f : m.path("flows")) {
                    medians.add(MetricMath.medianMagnitude(field(f)));
                }
                report.compare(
                        "median of flow",
                        "flow_median",
                        one(medians.stream()
                                .mapToDouble(Double::doubleValue)
                                .average()
                                .orElse(Double.NaN)),
                        one(m.path("score").asDouble()));
            }
            for (JsonNode m : c.at("data", "camera")) {
                camera(m, report);
            }
            int i = 0;
            for (JsonNode g : c.at("data", "gram")) {
                double[] stored = GoldenCase.flat(g.path("gram"));
                report.compare(
                        "Gram matrix " + i++,
                        "gram",
                        MetricMath.gramMatrix(
                                floats(GoldenCase.flat(g.path("input"))), (int) Math.round(Math.sqrt(stored.length))),
                        stored);
            }
            for (JsonNode u : c.at("data", "uint8_squared_error")) {
                report.compare(
                        "squared error of " + u.path("a") + " and " + u.path("b"),
                        "uint8_squared_error",
                        one(MetricMath.wrappedSquaredError(bytes(u.path("a")), bytes(u.path("b")))),
                        one(u.path("mean").asDouble()));
            }
        }

        private static void camera(JsonNode m, CaseReport report) {
            String name = m.path("name").asString("") + ", ";
            List<Pose> truth = poses(m.path("gt_rotations"), m.path("gt_translations"));
            List<Pose> predicted = poses(m.path("pred_rotations"), m.path("pred_translations"));
            report.compare(
                    name + "rotation error",
                    "camera",
                    one(MetricMath.rotationError(truth, predicted)),
                    one(m.path("rotation_error_degrees").path("value").asDouble()));
            report.compare(
                    name + "translation error, ratio of means",
                    "camera",
                    one(MetricMath.translationError(truth, predicted, ScaleRule.RATIO)
                            .error()),
                    one(m.path("translation_error_fallback_scale").path("value").asDouble()));
            JsonNode best = m.path("translation_error_best_scale");
            TranslationError error = MetricMath.translationError(truth, predicted, ScaleRule.BEST);
            report.compare(
                    name + "translation error, best scale",
                    "camera",
                    new double[] {error.scale(), error.error()},
                    new double[] {
                        best.path("scale").asDouble(), best.path("value").asDouble()
                    });
        }

        private static List<Pose> poses(JsonNode rotations, JsonNode translations) {
            List<Pose> poses = new ArrayList<>();
            for (int i = 0; i < rotations.size(); i++) {
                double[] r = GoldenCase.flat(rotations.path(i));
                double[] t = GoldenCase.doubles(translations.path(i));
                poses.add(new Pose(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], t[0], t[1], t[2]));
            }
            return poses;
        }

        /** A stored flow, or one of the two that cases describe in words. */
        private static FlowField flow(JsonNode a, boolean forward) {
            JsonNode stored = a.path(forward ? "flow_forward" : "flow_backward");
            if (stored.isArray()) {
                return field(stored);
            }
            int w = a.path("width").asInt();
            int h = a.path("height").asInt();
            return switch (a.path("kind").asString("")) {
                case "constant" -> made(w, h, x -> forward ? 3.2 : -3, y -> forward ? -1.4 : 1);
                case "linear" -> made(w, h, x -> forward ? 0.1 * x : -0.1 * x, y -> forward ? -0.05 * y : 0.05 * y);
                default ->
                    throw new IllegalArgumentException("flow of kind '"
                            + a.path("kind").asString("") + "' is not stored; constant and linear ones need not be");
            };
        }

        private static FlowField made(int w, int h, IntToDoubleFunction fx, IntToDoubleFunction fy) {
            float[] xy = new float[2 * w * h];
            for (int i = 0; i < w * h; i++) {
                xy[2 * i] = (float) fx.applyAsDouble(i % w);
                xy[2 * i + 1] = (float) fy.applyAsDouble(i / w);
            }
            return new FlowField(w, h, xy);
        }

        private static FlowField field(JsonNode rows) {
            return new FlowField(rows.path(0).size(), rows.size(), floats(GoldenCase.flat(rows)));
        }

        private static float[] floats(double[] values) {
            float[] out = new float[values.length];
            for (int i = 0; i < out.length; i++) {
                out[i] = (float) values[i];
            }
            return out;
        }

        private static byte[] bytes(JsonNode list) {
            byte[] out = new byte[list.size()];
            for (int i = 0; i < out.length; i++) {
                out[i] = (byte) list.path(i).asInt();
            }
            return out;
        }
    }
}
