package io.teleworld.examples;

import io.teleworld.Prompt;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.error.TeleWorldException;
import io.teleworld.worlds.TrajectoryKind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What the named styles of a package change: the same turn away from the same picture, told each style and none. */
@Command(
        name = "styles",
        description =
                "Turns away from held-out pictures into the unknown, once without and once with each named style.")
final class StylesReport extends Evaluation {

    private static final String NONE = "none";
    private static final double RED_OVER_OTHERS = 1.6;
    private static final int DARKEST = 24;

    @Option(names = "--cases", paramLabel = "N", description = "Start pictures; 12 by default.")
    int starts = 12;

    @Option(names = "--frames", paramLabel = "N", description = "Frames until the picture is judged; 80 by default.")
    int frames = 80;

    @Option(names = "--rows", paramLabel = "N", description = "Start pictures on the sheet; 4 by default.")
    int rows = 4;

    @Override
    void measure(Report report) {
        atLeastOne("--cases", starts);
        atLeastOne("--frames", frames);
        atLeastOne("--rows", rows);
        try (WorldModel opened = open(report)) {
            List<String> told = new ArrayList<>(List.of(NONE));
            told.addAll(opened.styles());
            if (told.size() == 1) {
                throw new TeleWorldException(
                        TeleWorldException.Category.USER,
                        "the model has no named styles; a package brings them in prompts.safetensors");
            }
            double[][] red = new double[told.size()][starts];
            double[][] light = new double[told.size()][starts];
            double[][] change = new double[told.size()][starts];
            List<Map<String, Object>> cases = new ArrayList<>();
            PictureGrid grid = new PictureGrid(1 + told.size());
            List<HeldOutCase> all = HeldOutCase.draw(
                    starts,
                    2 * frames + 1,
                    TrajectoryKind.FULL_TURN,
                    opened.description().intrinsics(),
                    seed);
            try (Progress progress = progress((long) starts * told.size(), "videos")) {
                for (int i = 0; i < starts; i++) {
                    HeldOutCase one = all.get(i);
                    if (i < rows) {
                        grid.add("start", one.start());
                    }
                    RgbImage without = one.start();
                    for (int s = 0; s < told.size(); s++) {
                        WorldStart start = WorldStart.image(one.start())
                                .superResolution(false)
                                .seed(seed + i)
                                .cameraPath(one.path());
                        List<WorldFrame> video = Play.frames(
                                opened, s == 0 ? start : start.prompt(Prompt.style(told.get(s))), frames + 1);
                        RgbImage last = video.get(frames).image();
                        without = s == 0 ? last : without;
                        red[s][i] = 100 * redShare(last);
                        light[s][i] = brightness(last);
                        change[s][i] = 255 * Math.sqrt(ImageMetrics.meanSquaredError(last, without));
                        if (i < rows) {
                            grid.add(told.get(s), last);
                        }
                        progress.advance();
                    }
                    cases.add(Map.of("world", one.name()));
                }
            }
            summarise(report, told, red, light, change);
            report.put("cases", cases);
            Path sheet = out.resolve("styles.png");
            grid.draw().writePng(sheet);
            report.line("%s", sheet);
        }
    }

    private void summarise(Report report, List<String> told, double[][] red, double[][] light, double[][] change) {
        Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
        report.line(
                "frame %d of %d turns away from held-out pictures; red: share of pixels whose red is 1.6 times the other"
                        + " colours, in %%; light: mean value, 0 to 255; change: root mean square of the difference to the"
                        + " picture without a style; 95 %% bootstrap intervals, differences paired",
                frames, starts);
        List<List<String>> table = new ArrayList<>();
        Map<String, Object> summary = new LinkedHashMap<>();
        for (int s = 0; s < told.size(); s++) {
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("red", bootstrap.mean(red[s]));
            values.put("light", bootstrap.mean(light[s]));
            values.put("change", bootstrap.mean(change[s]));
            values.put("redMinusNone", bootstrap.difference(red[s], red[0]));
            values.put("lightMinusNone", bootstrap.difference(light[s], light[0]));
            summary.put(told.get(s), values);
            table.add(List.of(
                    told.get(s),
                    Report.text(bootstrap.mean(red[s])),
                    Report.text(bootstrap.difference(red[s], red[0])),
                    Report.text(bootstrap.mean(light[s])),
                    Report.text(bootstrap.difference(light[s], light[0])),
                    Report.text(bootstrap.mean(change[s]))));
        }
        report.table(List.of("style", "red", "red − none", "light", "light − none", "change"), table);
        report.put("summary", summary);
    }

    private static double redShare(RgbImage image) {
        byte[] rgb = image.rgb();
        int count = 0;
        for (int p = 0; p < rgb.length; p += 3) {
            int r = rgb[p] & 0xff;
            count += r >= DARKEST && r > RED_OVER_OTHERS * Math.max(rgb[p + 1] & 0xff, rgb[p + 2] & 0xff) ? 1 : 0;
        }
        return 3.0 * count / rgb.length;
    }

    private static double brightness(RgbImage image) {
        long sum = 0;
        for (byte b : image.rgb()) {
            sum += b & 0xff;
        }
        return (double) sum / image.rgb().length;
    }
}
