package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.teleworld.CameraPath;
import io.teleworld.Keys;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.worlds.Freedoom;
import io.teleworld.worlds.TrajectoryKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Timeout(120)
class EvaluateTest {

    @TempDir
    private static Path model = Path.of(".");

    @TempDir
    private Path out = Path.of(".");

    @BeforeAll
    static void write() throws IOException {
        TinyModel.write(model);
    }

    private JsonNode evaluate(String... args) throws IOException {
        List<String> all = new ArrayList<>(Arrays.asList(args));
        all.addAll(List.of("--model", model.toString(), "--out", out.toString(), "--threads", "1"));
        CliRun run = CliRun.of(new Evaluate(), all.toArray(String[]::new));
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        assertThat(run.out()).contains("cores", args[0]);
        return JsonMapper.shared().readTree(Files.readString(out.resolve(args[0] + ".json")));
    }

    @Test
    void determinism() throws IOException {
        JsonNode report = evaluate("determinism", "--frames", "17");
        assertThat(report.at("/sameSeedSameFrames").asBoolean()).isTrue();
        assertThat(report.at("/otherSeedOtherFrames").asBoolean()).isTrue();
        assertThat(report.at("/hashes").size()).isEqualTo(4);
    }

    @Test
    void geometry() throws IOException {
        assumeThat(Freedoom.available()).isTrue();
        JsonNode still = evaluate("geometry", "--clips", "1");
        assertThat(still.at("/arms").size()).isEqualTo(2);
        assertThat(still.at("/arms/0/absRel/mean").asDouble()).isPositive();
        Path attentive = out.resolve("attentive");
        TinyModel.writeWithAttention(attentive);
        CliRun run = CliRun.of(
                new Evaluate(),
                "geometry",
                "--clips",
                "2",
                "--model",
                attentive.toString(),
                "--against",
                model.toString(),
                "--out",
                out.toString(),
                "--threads",
                "1");
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        JsonNode report = JsonMapper.shared().readTree(Files.readString(out.resolve("geometry.json")));
        assertThat(report.at("/arms").size()).isEqualTo(14);
        // New blocks do nothing: every way to look finds what the convolutions alone find.
        double alone = report.at("/arms/0/absRel/mean").asDouble();
        for (int i : new int[] {1, 2, 4, 6}) {
            assertThat(report.at("/arms/" + i + "/absRel/mean").asDouble()).isCloseTo(alone, within(1e-6));
        }
        assertThat(out.resolve("geometry.png")).exists();
    }

    @Test
    void speed() throws IOException {
        JsonNode report = evaluate(
                "speed", "--runs", "2", "--seconds", "1", "--planner", "macro-micro,frame-chain", "--presses", "1");
        assertThat(report.at("/runs").size()).isEqualTo(4);
        assertThat(report.at("/runs/3/planner").asString()).isEqualTo("frame-chain");
        assertThat(report.at("/keyToFrame").size()).isEqualTo(4);
        report.at("/keyToFrame").forEach(k -> {
            assertThat(k.at("/answered").asInt()).isEqualTo(1);
            assertThat(k.at("/p95Millis").asDouble()).isPositive();
        });
        assertThat(report.at("/runs/0/framesPerSecond").asDouble()).isPositive();
    }

    @Test
    void roofline() throws IOException {
        JsonNode report = evaluate("roofline", "--milliseconds", "1");
        assertThat(report.at("/peakGigaflops").asDouble()).isPositive();
        double perFrame = 0;
        for (JsonNode network : report.at("/networks")) {
            assertThat(network.at("/gigaflop").asDouble()).isGreaterThanOrEqualTo(0);
            perFrame += network.at("/millisPerFrame").asDouble();
        }
        assertThat(perFrame).isPositive().isCloseTo(report.at("/millisPerFrame").asDouble(), within(0.1));
    }

    @Test
    void endurance() throws IOException {
        JsonNode report = evaluate("endurance", "--minutes", "0.05");
        assertThat(report.at("/samples").size()).isBetween(20, 60);
        assertThat(report.at("/drift/sharpness/chunkMeans").size()).isEqualTo(10);
    }

    @Test
    void runtimesAgree() throws IOException {
        JsonNode report = evaluate("parity", "--seconds", "1");
        assertThat(report.at("/against").asString()).isEqualTo("onnx");
        assertThat(report.at("/runtimes/djl/lowestPsnr").asDouble()).isGreaterThan(45);
        assertThat(report.at("/parity").asBoolean()).isTrue();
    }

    @Test
    void runtimesAreMeasuredInEveryPrecision() throws IOException {
        JsonNode report = evaluate("runtimes", "--seconds", "1");
        assertThat(report.at("/rows").size()).isGreaterThanOrEqualTo(6);
        assertThat(report.at("/rows/0/whole/lowestPsnr").asDouble()).isEqualTo(60);
        report.at("/rows").forEach(row -> {
            assertThat(row.at("/framesPerSecond").asDouble()).isPositive();
            assertThat(row.at("/firstSecond/meanPsnr").asDouble())
                    .as(row.toString())
                    .isGreaterThan(15);
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "follow --trajectories 1",
                "memory --out-and-back 1 --full-turns 1 --frames 9",
                "autoencoder --clips 1 --latents 2",
                "truth --cases 1 --seconds 1 --revisits 1",
                "drift --cases 1 --seconds 2",
                "drift --cases 1 --seconds 2 --no-memory",
                "camera --cases 1 --seconds 1",
                "steps --cases 1 --seconds 1",
                "gallery --walks 1 --seconds 1 --columns 3 --revisits 2 --gap 8"
            })
    void onHeldOutMaps(String command) throws IOException {
        assumeThat(Freedoom.available()).as("Freedoom is installed").isTrue();
        JsonNode report = evaluate(command.split(" "));
        assertThat(report.at("/summary").isObject()).isTrue();
        assertThat(report.at("/cases/0/world").asString()).matches("freedoom1/E2M\\d|freedoom2/MAP[23]\\d");
    }

    @Test
    void partsAreTheWholeAndAModelDoesNotDifferFromItself() throws IOException {
        assumeThat(Freedoom.available()).as("Freedoom is installed").isTrue();
        String[] list = {"--cases", "2", "--seconds", "1", "--revisits", "0", "--against", model.toString()};
        JsonNode whole = evaluate(with(list));
        List<String> files = new ArrayList<>();
        for (int i = 1; i <= 2; i++) {
            List<String> args = new ArrayList<>(List.of(with(list)));
            args.addAll(List.of("--model", model.toString(), "--out", out.toString(), "--threads", "1"));
            args.addAll(List.of("--part", i + "/2"));
            CliRun run = CliRun.of(new Evaluate(), args.toArray(String[]::new));
            assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
            files.add(out.resolve("truth-" + i + "-of-2.json").toString());
        }
        JsonNode joined = evaluate(
                "truth", "--cases", "2", "--seconds", "1", "--revisits", "0", "--join", String.join(",", files));
        assertThat(joined.at("/cases").size()).isEqualTo(2);
        assertThat(joined.at("/summary")).isEqualTo(whole.at("/summary"));
        assertThat(whole.at("/summary")
                        .path("1 s in, psnrAt1s")
                        .at("/on − against/upper")
                        .asDouble())
                .isZero();
        CliRun.of(new Evaluate(), "truth", "--cases", "3", "--out", out.toString(), "--join", files.get(0))
                .refusedWith("truth-1-of-2.json", "is of the list");
    }

    @Test
    void theGalleryHasAPictureForEachCase() throws IOException {
        assumeThat(Freedoom.available()).as("Freedoom is installed").isTrue();
        evaluate("gallery", "--walks", "1", "--seconds", "1", "--columns", "3", "--revisits", "2", "--gap", "8");
        RgbImage walk = RgbImage.read(out.resolve("gallery-walk-0.png"));
        RgbImage revisits = RgbImage.read(out.resolve("gallery-revisits.png"));
        // Two rows each: truth and generated; two revisits.
        assertThat(walk.height()).isEqualTo(revisits.height());
        assertThat((walk.width() - 4) / 3).isEqualTo((revisits.width() - 4) / 4);
    }

    @Test
    void stylesAreComparedWithNone(@TempDir Path styled) throws IOException {
        assumeThat(Freedoom.available()).as("Freedoom is installed").isTrue();
        TinyModel.writeWithStyles(styled);
        String[] args = {"styles", "--cases", "2", "--frames", "8", "--rows", "1", "--out", out.toString()};
        List<String> all = new ArrayList<>(Arrays.asList(args));
        all.addAll(List.of("--threads", "1", "--model", styled.toString()));
        CliRun run = CliRun.of(new Evaluate(), all.toArray(String[]::new));
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        JsonNode summary = JsonMapper.shared()
                .readTree(Files.readString(out.resolve("styles.json")))
                .at("/summary");
        assertThat(summary.at("/none/change/mean").asDouble(-1)).isZero();
        assertThat(summary.at("/silent/change/mean").asDouble(-1)).isZero();
        assertThat(summary.at("/loud/change/mean").asDouble()).isPositive();
        // One row: the start, none and two styles.
        RgbImage sheet = RgbImage.read(out.resolve("styles.png"));
        assertThat((sheet.width() - 4) % 4).isZero();
        // The package without styles says so.
        CliRun.of(new Evaluate(), "styles", "--model", model.toString(), "--out", out.toString())
                .refusedWith("no named styles", "prompts.safetensors");
    }

    private static String[] with(String... list) {
        List<String> all = new ArrayList<>(List.of("truth"));
        all.addAll(Arrays.asList(list));
        return all.toArray(String[]::new);
    }

    @Test
    void pathsBeginAtTheIdentityAndReturn() {
        assumeThat(Freedoom.available()).as("Freedoom is installed").isTrue();
        Intrinsics camera = Intrinsics.ofHorizontalFieldOfView(32, 16, Math.toRadians(75));
        HeldOutCase one =
                HeldOutCase.draw(1, 33, TrajectoryKind.OUT_AND_BACK, camera, 5).get(0);
        CameraPath path = one.path();
        for (long frame : new long[] {0, 32, 1000}) {
            assertThat(path.at(frame).rotationAngleTo(Pose.IDENTITY)).isCloseTo(0, within(1e-6));
            assertThat(path.at(frame).distanceTo(Pose.IDENTITY)).isCloseTo(0, within(1e-6));
        }
        assertThat(path.at(16).rotationAngleTo(Pose.IDENTITY) + path.at(16).distanceTo(Pose.IDENTITY))
                .isGreaterThan(0.01);
        assertThat(one.truth(0)).isEqualTo(one.start());
        assertThat(ImageMetrics.psnr(one.truth(16), one.start())).isLessThan(40);
    }

    @Test
    void contactSheetShowsEvenlySpreadFramesWithLabels() {
        ContactSheet sheet = new ContactSheet(101, 5);
        byte[] white = new byte[3 * 176 * 96];
        Arrays.fill(white, (byte) 255);
        for (int i = 0; i < 101; i++) {
            sheet.add(new WorldFrame(new RgbImage(176, 96, white), Pose.IDENTITY, i / 16.0, i, Keys.parse("W"), 0));
        }
        RgbImage drawn = sheet.draw();
        assertThat(drawn.width()).isEqualTo(4 * 180 + 4);
        assertThat(drawn.height()).isEqualTo(2 * (96 + 14 + 4) + 4);
        long labelDots = 0;
        for (int x = 0; x < drawn.width(); x++) {
            for (int y = 5; y < 17; y++) {
                labelDots += drawn.pixel(x, y) == 0xffffff ? 1 : 0;
            }
        }
        assertThat(labelDots).isGreaterThan(4 * 50);
        assertThat(drawn.pixel(100, 60)).isEqualTo(0xffffff);
        assertThat(drawn.pixel(1, 60)).isEqualTo(0x202020);
    }
}
