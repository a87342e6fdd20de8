package io.teleworld.examples;

import io.teleworld.Guidance;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.PoseRecovery;
import io.teleworld.core.evaluate.worldscore.MetricMath;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.worlds.TrajectoryKind;
import io.teleworld.worlds.WorldPool;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Whether the camera of the generated video is where it was commanded to be, with and without guidance. */
@Command(
        name = "camera",
        description =
                "Commanded poses against poses recovered from the frames with known geometry, guidance on and off."
                        + " The default list is 1,560 frames: a minute at 25 frames/s, and as long for the recovery.")
final class CameraReport extends CaseEvaluation {

    private static final String WALK = "walk";
    private static final String ON = "guidance on";
    private static final String OFF = "guidance off";
    private static final String TRUTH = "truth";
    /** The camera is recovered from pictures at most this wide: generated ones have little in common with the truth beyond. */
    private static final int WIDEST = 100;

    /** Pixels between the points that are looked at. */
    private static final int GRID = 4;

    private static final Map<String, String> MEASURES = measures();

    @Option(names = "--cases", paramLabel = "N", description = "Walks; 12 by default.")
    int walks = 12;

    @Option(names = "--seconds", paramLabel = "N", description = "Length of each; 4 by default.")
    int seconds = 4;

    @Option(
            names = "--every",
            paramLabel = "N",
            description = "Frames between keyframes of the recovery, and of one step; 8 by default.")
    int every = 8;

    /** The columns, by measure. */
    private static Map<String, String> measures() {
        Map<String, String> columns = new LinkedHashMap<>();
        columns.put("imagePercent", "image %");
        columns.put("rotationDegrees", "rotation °");
        columns.put("translation", "translation");
        columns.put("stepRotationDegrees", "step °");
        columns.put("stepTranslation", "step");
        columns.put("reliableShare", "reliable");
        columns.put("rotationInSceneDegrees", "in scene °");
        columns.put("translationInScene", "in scene");
        columns.put("reliableInSceneShare", "reliable");
        return columns;
    }

    @Override
    String list() {
        return "seed " + seed + ", " + walks + " walks of " + seconds + " s, steps of " + every + " frames";
    }

    @Override
    List<Job> jobs() {
        return IntStream.range(0, atLeastOne("--cases", walks))
                .mapToObj(i -> new Job(WALK, "camera-" + i))
                .toList();
    }

    @Override
    Runner runner(Report report) {
        WorldModel own = open(report);
        @Nullable WorldModel other = openAgainst(report);
        Intrinsics output = commonCamera(own, other);
        int shrink = (output.width() + WIDEST - 1) / WIDEST;
        Intrinsics camera = output.resized(output.width() / shrink, output.height() / shrink);
        int frames = 1
                + (int) Math.round(
                        atLeastOne("--seconds", seconds) * own.description().framesPerSecond());
        report.line("poses are recovered at %d×%d", camera.width(), camera.height());
        WorldPool maps = HeldOutCase.maps();
        return new Runner() {
            @Override
            public Case run(Job job) {
                HeldOutCase one = HeldOutCase.named(maps, job.name(), frames, TrajectoryKind.RANDOM, output, seed);
                WorldStart start = WorldStart.image(one.start())
                        .superResolution(false)
                        .seed(seed)
                        .cameraPath(one.path());
                Map<String, Map<String, Object>> arms = new LinkedHashMap<>();
                arms.put(ON, errors(one, pictures(own, start, frames), camera));
                arms.put(OFF, errors(one, pictures(own, start.guidance(Guidance.off()), frames), camera));
                if (other != null) {
                    arms.put(AGAINST, errors(one, pictures(other, start, frames), camera));
                }
                List<RgbImage> truth =
                        IntStream.range(0, frames).mapToObj(one::truth).toList();
                arms.put(TRUTH, errors(one, truth, camera));
                return new Case(one.name(), arms);
            }

            @Override
            public void close() {
                own.close();
                if (other != null) {
                    other.close();
                }
            }
        };
    }

    private static List<RgbImage> pictures(WorldModel model, WorldStart start, int frames) {
        return Play.frames(model, start, frames).stream().map(WorldFrame::image).toList();
    }

    private Map<String, Object> errors(HeldOutCase one, List<RgbImage> video, Intrinsics camera) {
        List<RgbImage> small =
                video.stream().map(i -> i.fit(camera.width(), camera.height())).toList();
        int step = atLeastOne("--every", every);
        PoseRecovery.Track track =
                PoseRecovery.track(small, camera, (frame, pose) -> one.depth(frame, pose, camera), step);
        PoseRecovery.Track inScene =
                PoseRecovery.locate(small, camera, (frame, pose) -> one.view(frame, pose, camera), step);
        List<Pose> commanded = new ArrayList<>();
        for (int f = 0; f < video.size(); f++) {
            commanded.add(one.path().at(f));
        }
        double turn = 0;
        double move = 0;
        double image = 0;
        int steps = 0;
        for (int f = step; f < video.size(); f += step) {
            Pose wanted = commanded.get(f - step).inverse().compose(commanded.get(f));
            Pose found =
                    track.poses().get(f - step).inverse().compose(track.poses().get(f));
            turn += Math.toDegrees(wanted.rotationAngleTo(found));
            move += wanted.distanceTo(found);
            image += displacement(
                    one.depth(f, commanded.get(f), camera),
                    camera,
                    track.poses().get(f).inverse().compose(commanded.get(f)));
            steps++;
        }
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("imagePercent", image / Math.max(1, steps));
        out.put("rotationDegrees", MetricMath.rotationError(commanded, track.poses()));
        out.put("translation", distance(commanded, track.poses()));
        out.put("stepRotationDegrees", turn / Math.max(1, steps));
        out.put("stepTranslation", move / Math.max(1, steps));
        out.put("reliableShare", track.reliableShare());
        out.put("rotationInSceneDegrees", MetricMath.rotationError(commanded, inScene.poses()));
        out.put("translationInScene", distance(commanded, inScene.poses()));
        out.put("reliableInSceneShare", inScene.reliableShare());
        return out;
    }

    /**
     * How far points of the scene are from where they should be in the picture, in percent of its width; at most 100 each.
     *
     * @param change from the frame of the camera that was commanded to that of the one that was found
     */
    private static double displacement(float[] depth, Intrinsics camera, Pose change) {
        double sum = 0;
        int count = 0;
        for (int y = GRID / 2; y < camera.height(); y += GRID) {
            for (int x = GRID / 2; x < camera.width(); x += GRID) {
                double z = depth[y * camera.width() + x];
                if (!Double.isFinite(z)) {
                    continue;
                }
                Pose p = change.compose(Pose.translation(
                        (x + 0.5 - camera.cx()) / camera.fx() * z, (y + 0.5 - camera.cy()) / camera.fy() * z, z));
                double u = camera.fx() * p.tx() / p.tz() + camera.cx() - x - 0.5;
                double v = camera.fy() * p.ty() / p.tz() + camera.cy() - y - 0.5;
                sum += p.tz() <= 0 ? 100 : Math.min(100, 100 * Math.hypot(u, v) / camera.width());
                count++;
            }
        }
        return sum / Math.max(1, count);
    }

    private static double distance(List<Pose> a, List<Pose> b) {
        double sum = 0;
        for (int i = 0; i < a.size(); i++) {
            sum += a.get(i).distanceTo(b.get(i));
        }
        return sum / a.size();
    }

    @Override
    void summarise(Report report, CaseResults results) {
        Bootstrap bootstrap = bootstrap();
        report.line(
                "camera error: commanded pose against the pose found by direct alignment of the frames with each other and the"
                        + " true depth, or (in scene) with the true scene; image: how far points are from where they should be,"
                        + " in %% of the width; translation in median depths of the start view; means over frames and over steps of"
                        + " %d frames; the row 'truth' is what the recovery itself errs; 95 %% bootstrap intervals, differences"
                        + " paired",
                every);
        Map<String, Object> summary = new LinkedHashMap<>();
        List<List<String>> rows = new ArrayList<>();
        List<String> arms = List.of(ON, OFF, AGAINST, TRUTH);
        List<String> header = new ArrayList<>(List.of(""));
        header.addAll(MEASURES.values());
        for (String arm : arms) {
            if (!results.has(WALK, arm)) {
                continue;
            }
            List<String> row = new ArrayList<>(List.of(arm));
            Map<String, Object> entry = new LinkedHashMap<>();
            for (String measure : MEASURES.keySet()) {
                put(entry, measure, bootstrap, results.values(WALK, arm, measure));
                row.add(cell(bootstrap, results.values(WALK, arm, measure)));
            }
            rows.add(row);
            summary.put(arm, entry);
        }
        for (String arm : List.of(OFF, AGAINST)) {
            if (!results.has(WALK, arm)) {
                continue;
            }
            List<String> row = new ArrayList<>(List.of(arm + " − " + ON));
            Map<String, Object> entry = new LinkedHashMap<>();
            for (String measure : MEASURES.keySet()) {
                put(entry, measure, bootstrap, results.pairs(WALK, arm, ON, measure));
                row.add(cell(bootstrap, results.pairs(WALK, arm, ON, measure)));
            }
            rows.add(row);
            summary.put(arm + " − " + ON, entry);
        }
        report.table(header, rows);
        Map<String, Object> lower = new LinkedHashMap<>();
        for (String measure : List.of("imagePercent", "rotationDegrees", "translation")) {
            lower.put(measure, above(bootstrap, results, measure));
            report.line(
                    "guidance lowers %s, interval excluding 0: %s",
                    measure, Report.yesNo(above(bootstrap, results, measure)));
        }
        summary.put("guidanceLowers", lower);
        report.put("summary", summary);
    }

    private static boolean above(Bootstrap bootstrap, CaseResults results, String measure) {
        double[][] pairs = results.pairs(WALK, OFF, ON, measure);
        return pairs[0].length > 0 && bootstrap.difference(pairs[0], pairs[1]).isAbove(0);
    }
}
