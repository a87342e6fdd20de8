package io.teleworld.examples;

import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.worlds.TrajectoryKind;
import io.teleworld.worlds.WorldPool;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Pictures to look at: walks beside the truth, and places before and after the camera was away. */
@Command(
        name = "gallery",
        description =
                "Sheets of walks beside the truth, and of places that the camera comes back to, on held-out maps.")
final class GalleryReport extends Evaluation {

    private static final int REVISIT_COLUMNS = 4;

    @Option(names = "--walks", paramLabel = "N", description = "Walks; 3 by default.")
    int walks = 3;

    @Option(names = "--seconds", paramLabel = "S", description = "Length of a walk; 16 by default.")
    int seconds = 16;

    @Option(names = "--columns", paramLabel = "N", description = "Pictures of a walk; 6 by default.")
    int columns = 6;

    @Option(names = "--revisits", paramLabel = "N", description = "Paths that come back; 4 by default.")
    int revisits = 4;

    @Option(names = "--gap", paramLabel = "N", description = "Frames between start and return; 160 by default.")
    int gap = 160;

    @Override
    void measure(Report report) {
        atLeastOne("--walks", walks);
        atLeastOne("--seconds", seconds);
        atLeastOne("--revisits", revisits);
        atLeastOne("--gap", gap);
        atLeastOne("--columns", columns);
        try (WorldModel opened = open(report)) {
            Intrinsics camera = opened.description()
                    .intrinsics()
                    .resized(
                            opened.description().outputWidth(),
                            opened.description().outputHeight());
            WorldPool maps = HeldOutCase.maps();
            List<Map<String, Object>> cases = new ArrayList<>();
            double[] back = new double[revisits];
            try (Progress progress = progress(walks + revisits, "paths")) {
                for (int i = 0; i < walks; i++) {
                    int frames =
                            1 + (int) Math.round(seconds * opened.description().framesPerSecond());
                    HeldOutCase one = HeldOutCase.named(maps, "walk-" + i, frames, TrajectoryKind.RANDOM, camera, seed);
                    List<WorldFrame> video = Play.frames(opened, start(one, i), frames);
                    write(walk(one, video), "walk-" + i, report);
                    cases.add(Map.of("case", "walk-" + i, "world", one.name(), "frames", frames));
                    progress.advance();
                }
                PictureGrid pairs = new PictureGrid(REVISIT_COLUMNS);
                for (int i = 0; i < revisits; i++) {
                    HeldOutCase one = HeldOutCase.named(
                            maps, "revisit-" + gap + "-" + i, gap + 1, TrajectoryKind.OUT_AND_BACK, camera, seed);
                    List<WorldFrame> video = Play.frames(opened, start(one, i), gap + 1);
                    back[i] = revisit(one, video, pairs);
                    cases.add(Map.of("case", "revisit-" + i, "world", one.name(), "psnrBack", back[i]));
                    progress.advance();
                }
                write(pairs.draw(), "revisits", report);
            }
            Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
            Bootstrap.Interval interval = bootstrap.mean(back);
            report.line("PSNR after coming back, in dB: %s", Report.text(interval));
            report.put("summary", Map.of("psnrBack", interval));
            report.put("cases", cases);
        }
    }

    private WorldStart start(HeldOutCase one, int index) {
        return WorldStart.image(one.start()).seed(seed + index).cameraPath(one.path());
    }

    /** The truth above what was generated. */
    private RgbImage walk(HeldOutCase one, List<WorldFrame> video) {
        PictureGrid grid = new PictureGrid(columns);
        int last = video.size() - 1;
        for (int row = 0; row < 2; row++) {
            for (int c = 0; c < columns; c++) {
                WorldFrame frame = video.get(columns == 1 ? last : c * last / (columns - 1));
                int at = (int) frame.index();
                grid.add(
                        String.format(Locale.ROOT, row == 0 ? "truth %.1fs" : "%.1fs", frame.timeSeconds()),
                        row == 0 ? one.truth(at) : frame.image());
            }
        }
        return grid.draw();
    }

    /** Start, the far end of the path with its truth, and the return, whose PSNR it tells. */
    private double revisit(HeldOutCase one, List<WorldFrame> video, PictureGrid pairs) {
        RgbImage before = video.get(0).image();
        RgbImage after = video.get(gap).image();
        double psnr = Math.min(MAX_PSNR, ImageMetrics.psnr(after, one.truth(gap)));
        pairs.add("start", before);
        pairs.add("frame " + gap / 2, video.get(gap / 2).image());
        pairs.add("truth " + gap / 2, one.truth(gap / 2));
        pairs.add(String.format(Locale.ROOT, "back %d %.1f dB", gap, psnr), after);
        return psnr;
    }

    private void write(RgbImage picture, String name, Report report) {
        Path file = out.resolve("gallery-" + name + ".png");
        picture.writePng(file);
        report.line("%s", file);
    }
}
