package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.teleworld.RgbImage;
import io.teleworld.SessionStatistics;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Timeout(120)
class WalkTest {

    @TempDir
    private static Path model = Path.of(".");

    @TempDir
    private Path out = Path.of(".");

    @BeforeAll
    static void write() throws IOException {
        TinyModel.write(model);
    }

    private CliRun walk(String... args) {
        return CliRun.of(new Walk(), join(List.of("--model", model.toString(), "--out", out.toString()), args));
    }

    private static String[] join(List<String> first, String... rest) {
        return Stream.concat(first.stream(), Arrays.stream(rest)).toArray(String[]::new);
    }

    @Test
    void writesVideoSheetMemoryAndReport() throws IOException {
        CliRun run =
                walk("--seconds", "2", "--keys", "W*8, RIGHT+W*8", "--seed", "3", "--threads", "1", "--scale", "4");
        assertThat(run.err()).doesNotContain("Exception");
        assertThat(run.code()).isEqualTo(Cli.OK);

        Mp4Probe video = Mp4Probe.of(out.resolve("walk.mp4"));
        assertThat(video).isEqualTo(new Mp4Probe(33, 4 * TinyModel.WIDTH, 4 * TinyModel.HEIGHT, true, 16));
        assertThat(RgbImage.read(out.resolve("contact-sheet.png")).width()).isGreaterThan(4 * TinyModel.WIDTH);
        assertThat(Files.readAllBytes(out.resolve("memory.ply"))).startsWith("ply".getBytes(StandardCharsets.US_ASCII));

        JsonNode report = JsonMapper.shared().readTree(Files.readString(out.resolve("report.json")));
        assertThat(report.at("/frames").asInt()).isEqualTo(33);
        assertThat(report.at("/keys").asString()).isEqualTo("W*8, W+RIGHT*8");
        assertThat(report.at("/model/name").asString()).isEqualTo("tiny");
        assertThat(report.at("/model/threads").asInt()).isEqualTo(1);
        assertThat(report.at("/machine/cores").asInt()).isPositive();
        assertThat(report.at("/framesPerSecond").asDouble()).isPositive();
        assertThat(report.at("/timeToFirstFrameSeconds").asDouble()).isPositive();
        assertThat(report.at("/keyToFrame/p95Millis").asDouble()).isPositive();
        for (String stage : List.of("GUIDE", "PLAN", "POPULATE", "RECONSTRUCT", "DECODE")) {
            assertThat(report.at("/stages/" + stage + "/framesPerSecond").asDouble())
                    .as(stage)
                    .isPositive();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"macro-micro", "frame-chain", "whole-segment"})
    void everyPlannerWalks(String planner) {
        CliRun run = walk("--seconds", "1", "--planner", planner);
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        assertThat(Mp4Probe.of(out.resolve("walk.mp4")).frames()).isEqualTo(17);
    }

    @Test
    void keysMayComeFromAFile() throws IOException {
        Path script = Files.writeString(out.resolve("script.txt"), "W*4 # ahead\nLEFT*4\n");
        CliRun run = walk("--seconds", "0.5", "--keys", script.toString());
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        assertThat(out.resolve("report.json")).content().contains("W*4, LEFT*4");
    }

    @Test
    void stopsWhenAskedAndWhatIsWrittenPlays() throws IOException {
        Interrupts interrupts = new Interrupts();
        Thread user = new Thread(() -> {
            while (!Files.exists(out.resolve("walk.mp4"))) {
                Thread.onSpinWait();
            }
            interrupts.request();
        });
        user.start();
        CliRun run = CliRun.of(
                new Walk(interrupts), "--model", model.toString(), "--out", out.toString(), "--seconds", "3600");
        assertThat(run.code()).isEqualTo(Cli.INTERRUPTED);
        assertThat(run.err().lines().reduce((a, b) -> b).orElse("")).contains("stopped by the user after");
        int frames = JsonMapper.shared()
                .readTree(Files.readString(out.resolve("report.json")))
                .at("/frames")
                .asInt();
        if (frames > 0) {
            assertThat(Mp4Probe.of(out.resolve("walk.mp4")).frames()).isEqualTo(frames);
        }
    }

    @Test
    void theLastLineTellsOnlyFiguresThatThereAre() {
        Walk walk = new Walk();
        walk.out = Path.of("there");
        SessionStatistics nothing =
                new SessionStatistics(1, Duration.ofSeconds(2), Map.of(), Optional.empty(), List.of(), 5, 0, 0);
        assertThat(walk.summary(1, nothing.elapsed(), nothing)).isEqualTo("1 frame, 5 points: there");
        SessionStatistics some = new SessionStatistics(
                9,
                Duration.ofSeconds(2),
                Map.of(),
                Optional.of(Duration.ofMillis(500)),
                List.of(Duration.ofMillis(100)),
                5,
                0,
                0);
        assertThat(walk.summary(9, some.elapsed(), some))
                .isEqualTo("9 frames at 4.0/s, first after 0.50 s, key to frame 100 ms (p50) 100 ms (p95),"
                        + " 5 points: there");
    }

    @Test
    void ctrlCInTheMiddleEndsWith130AndAVideoThatPlays() throws IOException, InterruptedException {
        assumeThat(System.getProperty("os.name")).doesNotStartWith("Windows");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx512m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Walk.class.getName(),
                        "--model",
                        model.toString(),
                        "--out",
                        out.toString(),
                        "--seconds",
                        "3600")
                .redirectErrorStream(true)
                .redirectOutput(out.resolve("log.txt").toFile())
                .start();
        try {
            while (process.isAlive()
                    && !Files.readString(out.resolve("log.txt")).contains(" of 57601 frames")) {
                Thread.sleep(50);
            }
            // Where this process ignores SIGINT, as in the background of a shell, so does its child.
            String signal = ignoresInterrupts() ? "-TERM" : "-INT";
            new ProcessBuilder("kill", signal, Long.toString(process.pid()))
                    .start()
                    .waitFor();
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        String log = Files.readString(out.resolve("log.txt"));
        assertThat(process.exitValue()).as(log).isEqualTo(Cli.INTERRUPTED);
        assertThat(log).contains("stopped by the user").doesNotContain("Exception");
        int frames = JsonMapper.shared()
                .readTree(Files.readString(out.resolve("report.json")))
                .at("/frames")
                .asInt();
        assertThat(frames).isPositive();
        assertThat(Mp4Probe.of(out.resolve("walk.mp4")).frames()).isEqualTo(frames);
    }

    private static boolean ignoresInterrupts() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return false;
        }
        return Files.readAllLines(status).stream()
                .filter(l -> l.startsWith("SigIgn:"))
                .anyMatch(l -> (Long.parseUnsignedLong(l.substring(7).strip(), 16) & 1L << 1) != 0);
    }

    @Test
    void theShippedPictureIsLargeEnoughForTheShippedModel() throws IOException {
        RgbImage picture = Walk.shippedPicture();
        assertThat(picture.width()).isGreaterThanOrEqualTo(176);
        assertThat(picture.height()).isGreaterThanOrEqualTo(96);
        try (InputStream in = Walk.class.getResourceAsStream("start.png")) {
            assertThat(in.readAllBytes()).hasSizeLessThan(150_000);
        }
    }
}
