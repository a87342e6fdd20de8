package io.teleworld.examples;

import io.teleworld.SessionStatistics;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.worlds.TrajectoryKind;
import io.teleworld.worlds.WorldPool;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What denoising steps buy: quality and speed by their number. */
@Command(
        name = "steps",
        description =
                "PSNR, SSIM, sharpness and frames per second by the number of denoising steps. The default list is"
                        + " 1,560 frames: a minute at 25 frames/s.")
final class StepsReport extends CaseEvaluation {

    private static final String WALK = "walk";
    private static final int[] SECONDS = {1, 4};

    @Option(names = "--cases", paramLabel = "N", description = "Walks; 8 by default.")
    int walks = 8;

    @Option(names = "--seconds", paramLabel = "N", description = "Length of each; 4 by default.")
    int seconds = 4;

    @Option(
            names = "--steps",
            paramLabel = "N",
            split = ",",
            description = "Numbers of steps; by default 1, 2 and 4, as far as the model has them.")
    List<Integer> steps = new ArrayList<>();

    @Override
    String list() {
        return "seed " + seed + ", " + walks + " walks of " + seconds + " s";
    }

    @Override
    List<Job> jobs() {
        return IntStream.range(0, atLeastOne("--cases", walks))
                .mapToObj(i -> new Job(WALK, "steps-" + i))
                .toList();
    }

    @Override
    Runner runner(Report report) {
        List<Integer> all =
                ModelPackage.open(ModelFiles.of(model.source())).scheduler().denoisingSteps();
        List<Integer> counts = steps.isEmpty()
                ? List.of(1, 2, 4).stream().filter(n -> n <= all.size()).toList()
                : steps;
        report.line("the model's steps: %s", all);
        report.put("steps", counts);
        Map<String, WorldModel> models = new LinkedHashMap<>();
        try {
            for (int n : counts) {
                models.put(
                        Integer.toString(n),
                        WorldModel.open(model.source(), model.options().withDenoisingSteps(atLeastOne("--steps", n))));
            }
            WorldModel first = models.values().iterator().next();
            describe(report, first);
            Intrinsics camera = outputCamera(first);
            int frames = 1
                    + (int) Math.round(atLeastOne("--seconds", seconds)
                            * first.description().framesPerSecond());
            return new StepsRunner(models, camera, frames);
        } catch (RuntimeException | Error e) {
            models.values().forEach(WorldModel::close);
            throw e;
        }
    }

    private final class StepsRunner implements Runner {

        private final Map<String, WorldModel> models;
        private final Intrinsics camera;
        private final int frames;
        private final WorldPool maps = HeldOutCase.maps();

        StepsRunner(Map<String, WorldModel> models, Intrinsics camera, int frames) {
            this.models = models;
            this.camera = camera;
            this.frames = frames;
        }

        @Override
        public Case run(Job job) {
            HeldOutCase one = HeldOutCase.named(maps, job.name(), frames, TrajectoryKind.RANDOM, camera, seed);
            WorldStart start = WorldStart.image(one.start())
                    .superResolution(false)
                    .seed(seed)
                    .cameraPath(one.path());
            Map<String, Map<String, Object>> arms = new LinkedHashMap<>();
            models.forEach((name, opened) -> {
                List<WorldFrame> video = new ArrayList<>();
                SessionStatistics s;
                try (WorldSession session = opened.start(start)) {
                    Play.frames(session, frames, () -> false, video::add);
                    s = session.statistics();
                }
                Map<String, Object> measures = new LinkedHashMap<>();
                double fps = opened.description().framesPerSecond();
                for (int second : SECONDS) {
                    int frame = (int) Math.round(second * fps);
                    if (frame < frames) {
                        Scores.put(measures, "At" + second + "s", video, one, frame);
                    }
                }
                measures.put("sharpness", Scores.sharpnessRatio(video, one, Math.max(1, frames - 16), frames - 1));
                measures.put("framesPerSecond", (frames - 1) / Stages.seconds(s.elapsed()));
                arms.put(name, measures);
            });
            return new Case(one.name(), arms);
        }

        @Override
        public void close() {
            models.values().forEach(WorldModel::close);
        }
    }

    @Override
    void summarise(Report report, CaseResults results) {
        Bootstrap bootstrap = bootstrap();
        List<String> arms = IntStream.rangeClosed(1, 64)
                .mapToObj(Integer::toString)
                .filter(a -> results.has(WALK, a))
                .toList();
        if (arms.isEmpty()) {
            return;
        }
        String most = arms.get(arms.size() - 1);
        report.line(
                "by denoising steps, against the truth on held-out maps; sharpness is the share of the truth's in the last"
                        + " second; 95 %% bootstrap intervals, differences to %s steps paired",
                most);
        List<String> measures = List.of("psnrAt1s", "psnrAt4s", "ssimAt4s", "sharpness", "framesPerSecond");
        List<List<String>> rows = new ArrayList<>();
        Map<String, Object> summary = new LinkedHashMap<>();
        for (String arm : arms) {
            List<String> row = new ArrayList<>(List.of(arm));
            Map<String, Object> entry = new LinkedHashMap<>();
            for (String measure : measures) {
                row.add(cell(bootstrap, results.values(WALK, arm, measure)));
                put(entry, measure, bootstrap, results.values(WALK, arm, measure));
                put(entry, measure + " − " + most, bootstrap, results.pairs(WALK, arm, most, measure));
            }
            row.add(arm.equals(most) ? "–" : cell(bootstrap, results.pairs(WALK, arm, most, "psnrAt4s")));
            rows.add(row);
            summary.put(arm, entry);
        }
        report.table(
                List.of("steps", "PSNR 1 s", "PSNR 4 s", "SSIM 4 s", "sharpness", "frames/s", "PSNR 4 s − " + most),
                rows);
        report.put("summary", summary);
    }
}
