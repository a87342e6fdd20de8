package io.teleworld.goldens;

import java.util.List;
import java.util.Optional;

/** A kind of case, told by the fields of its JSON and its tensors' names, never by its name. Stateless. */
interface GoldenKind {

    /** All that can be checked, the more special first. */
    List<GoldenKind> ALL = List.of(
            new SuperResolutionKinds.ProjectionKind(),
            new SuperResolutionKinds.TransformerKind(),
            new SuperResolutionKinds.DecoderKind(),
            new SuperResolutionKinds.ColourKind(),
            new GroupsKind(),
            new MaskedKind(),
            new RolloutKind(),
            new CameraBlockKind(),
            new DistillationKind(),
            new TransformerKind(),
            new TaehvKind(),
            new WanVaeKind(),
            new TextEncoderKind(),
            new SchedulersKind(),
            new GeometryKinds.PoseKind(),
            new GeometryKinds.SimilarityKind(),
            new GeometryKinds.ThresholdsKind(),
            new GeometryKinds.SaliencyKind(),
            new GeometryKinds.CameraPathKind(),
            new WorldScoreKinds.CamerasKind(),
            new WorldScoreKinds.ScoresKind(),
            new WorldScoreKinds.MetricsKind());

    /** What it is, for the listing. */
    String title();

    /** Whether a case is of this kind. */
    boolean accepts(GoldenCase c);

    /** Computes what the case holds results of, and compares. */
    void check(GoldenCase c, CheckContext context, CaseReport report);

    /** The kind of a case. */
    static Optional<GoldenKind> of(GoldenCase c) {
        return ALL.stream().filter(k -> k.accepts(c)).findFirst();
    }

    /** Why there is no kind for a case. */
    static String reason(GoldenCase c) {
        String config = c.at("config", "_class_name").asString("");
        return "no kind knows its fields" + (config.isEmpty() ? "" : " (config " + config + ")") + ": "
                + String.join(", ", c.at("data").isObject() ? c.at("data").propertyNames() : c.tensorNames("in."));
    }
}
