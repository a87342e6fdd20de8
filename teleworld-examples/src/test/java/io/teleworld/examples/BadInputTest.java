package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.KeyScript;
import io.teleworld.Keys;
import io.teleworld.ModelSource;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.tensor.HostTensor;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each kind of bad input gets one clear line and an exit code, and leaves what was there as it was. */
@Timeout(120)
class BadInputTest {

    @TempDir
    private static Path model = Path.of(".");

    @TempDir
    private Path dir = Path.of(".");

    @BeforeAll
    static void write() throws IOException {
        TinyModel.write(model);
    }

    private CliRun walk(String... args) {
        List<String> all = new ArrayList<>(List.of("--out", dir.resolve("out").toString()));
        all.addAll(Arrays.asList(args));
        if (!all.contains("--model")) {
            all.addAll(List.of("--model", model.toString()));
        }
        return CliRun.of(new Walk(), all.toArray(String[]::new));
    }

    private CliRun walkFrom(Path image) {
        return walk("--image", image.toString(), "--seconds", "0.5");
    }

    // Pictures

    @Test
    void noSuchPicture() {
        walkFrom(dir.resolve("none.png")).refusedWith("none.png", "no such file");
    }

    @Test
    void notAPicture() throws IOException {
        walkFrom(Files.writeString(dir.resolve("text.png"), "not a picture")).refusedWith("text.png", "not a picture");
    }

    @Test
    void damagedPicture() throws IOException {
        Path whole = dir.resolve("whole.png");
        new RgbImage(64, 64, new byte[3 * 64 * 64]).writePng(whole);
        byte[] bytes = Files.readAllBytes(whole);
        Path half = Files.write(dir.resolve("half.png"), Arrays.copyOf(bytes, 45));
        walkFrom(half).refusedWith("half.png");
    }

    @Test
    void tinyPicture() {
        Path file = dir.resolve("dot.png");
        new RgbImage(1, 1, new byte[3]).writePng(file);
        walkFrom(file).refusedWith("1×1");
    }

    @Test
    void hugePicture() throws IOException {
        walkFrom(Files.write(dir.resolve("huge.png"), pngHeader(20_000, 20_000)))
                .refusedWith("20000×20000");
    }

    @Test
    void cmykPicture() throws IOException {
        int[] jpeg = {
            0xFF, 0xD8, 0xFF, 0xC0, 0, 20, 8, 0, 64, 0, 64, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0, 0xFF,
            0xD9
        };
        byte[] bytes = new byte[jpeg.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) jpeg[i];
        }
        walkFrom(Files.write(dir.resolve("cmyk.jpg"), bytes)).refusedWith("CMYK");
    }

    @Test
    void transparentPictureIsCompositedAndUsed() throws IOException {
        Path file = dir.resolve("alpha.png");
        ImageIO.write(new BufferedImage(48, 32, BufferedImage.TYPE_INT_ARGB), "png", file.toFile());
        CliRun run = walkFrom(file);
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        assertThat(dir.resolve("out/walk.mp4")).exists();
    }

    private static byte[] pngHeader(int width, int height) throws IOException {
        ByteArrayOutputStream chunk = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(chunk);
        data.writeBytes("IHDR");
        data.writeInt(width);
        data.writeInt(height);
        data.write(new byte[] {8, 2, 0, 0, 0});
        CRC32 crc = new CRC32();
        crc.update(chunk.toByteArray());
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(file);
        out.writeLong(0x89504E470D0A1A0AL);
        out.writeInt(13);
        out.write(chunk.toByteArray());
        out.writeInt((int) crc.getValue());
        return file.toByteArray();
    }

    // Arguments

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--keys | W*8, Q*8 | Q",
                "--keys | W*minus | W*minus",
                "--keys | W*0 | 0 frames",
                "--seconds | -1 | -1",
                "--seconds | NaN | NaN",
                "--seconds | soon | soon",
                "--planner | best | macro-micro",
                "--scale | 0 | [1, 8]",
                "--cells | 0 | [1, 1000]",
                "--threads | -2 | -2",
                "--seed | x | x",
                "--runtime | abacus | abacus",
                "--wings | 2 | --wings"
            })
    void badArguments(String option, String value, String expected) {
        walk(option, value).refusedWith(expected);
        assertThat(dir.resolve("out/walk.mp4")).doesNotExist();
    }

    @Test
    void unwritableFolder() throws IOException {
        Path file = Files.writeString(dir.resolve("file"), "kept");
        CliRun.of(
                        new Walk(),
                        "--model",
                        model.toString(),
                        "--out",
                        file.resolve("sub").toString())
                .refusedWith("output folder", "cannot be written");
        assertThat(file).hasContent("kept");
    }

    @Test
    void evaluationWithoutAName() {
        CliRun.of(new Evaluate()).refusedWith("speed", "follow", "endurance");
    }

    @Test
    void aBadInputLeavesAnEarlierWalkIntact() throws IOException {
        Path video = Files.createDirectories(dir.resolve("out")).resolve("walk.mp4");
        Files.writeString(video, "earlier");
        walk("--model", dir.resolve("none").toString()).refusedWith("none");
        assertThat(video).hasContent("earlier");
    }

    // Model packages

    private CliRun walkWith(Path folder) {
        CliRun run = walk("--model", folder.toString(), "--seconds", "0.5");
        assertThat(dir.resolve("out/walk.mp4")).doesNotExist();
        return run;
    }

    private static final String WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";

    @Test
    void missingPackage() {
        walkWith(dir.resolve("none")).refusedWith("none/model_index.json");
    }

    @Test
    void badJson() throws IOException {
        Path folder = TinyModel.write(dir.resolve("m"));
        Files.writeString(folder.resolve("vae/config.json"), "{\"latent_channels\": ");
        walkWith(folder).refusedWith("vae/config.json");
    }

    @Test
    void unknownConfigurationKey() throws IOException {
        Path folder = TinyModel.write(dir.resolve("m"));
        Files.writeString(folder.resolve("geometry/config.json"), "{\"wings\": 2}");
        walkWith(folder).refusedWith("geometry/config.json", "wings");
    }

    @Test
    void headerLongerThanTheFile() throws IOException {
        Path folder = TinyModel.write(dir.resolve("m"));
        try (RandomAccessFile file =
                new RandomAccessFile(folder.resolve(WEIGHTS).toFile(), "rw")) {
            file.write(new byte[] {0, 0, 0, 1, 0, 0, 0, 0});
        }
        walkWith(folder).refusedWith(WEIGHTS, "header length");
    }

    @Test
    void truncatedWeights() throws IOException {
        Path folder = TinyModel.write(dir.resolve("m"));
        try (RandomAccessFile file =
                new RandomAccessFile(folder.resolve(WEIGHTS).toFile(), "rw")) {
            file.setLength(file.length() - 64);
        }
        walkWith(folder).refusedWith(WEIGHTS);
    }

    @Test
    void wrongShape() throws IOException {
        Map<String, HostTensor> weights = new TreeMap<>(TinyModel.transformer());
        weights.put("proj_out.bias", HostTensor.ofFloats(new float[3], 3));
        walkWith(TinyModel.write(dir.resolve("m"), weights)).refusedWith("proj_out.bias", "[3]");
    }

    @Test
    void missingTensor() throws IOException {
        Map<String, HostTensor> weights = new TreeMap<>(TinyModel.transformer());
        weights.remove("proj_out.bias");
        walkWith(TinyModel.write(dir.resolve("m"), weights)).refusedWith("proj_out.bias");
    }

    @Test
    void notANumberAmongTheWeights() throws IOException {
        Map<String, HostTensor> weights = new TreeMap<>(TinyModel.transformer());
        float[] bias = weights.get("proj_out.bias").toFloatArray();
        bias[1] = Float.NaN;
        weights.put("proj_out.bias", HostTensor.ofFloats(bias, bias.length));
        walkWith(TinyModel.write(dir.resolve("m"), weights)).refusedWith("proj_out.bias", "NaN");
    }

    // Sessions

    private static WorldStart start(long seed) {
        byte[] rgb = new byte[3 * 64 * 32];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i % 251);
        }
        return WorldStart.image(new RgbImage(64, 32, rgb)).seed(seed).script(KeyScript.parse("W*40"));
    }

    @Test
    void twoSessionsOnOneModelDoNotDisturbEachOther() {
        try (WorldModel opened = WorldModel.open(ModelSource.directory(model))) {
            List<RgbImage> alone = images(Play.frames(opened, start(1), 33));
            List<WorldFrame> a = new ArrayList<>();
            List<WorldFrame> b = new ArrayList<>();
            try (WorldSession first = opened.start(start(1));
                    WorldSession second = opened.start(start(2))) {
                for (int chunk = 0; chunk < 8; chunk++) {
                    Play.frames(first, chunk == 0 ? 1 : 4, () -> false, a::add);
                    Play.frames(second, chunk == 0 ? 1 : 4, () -> false, b::add);
                }
            }
            assertThat(images(a)).isEqualTo(alone.subList(0, a.size()));
            assertThat(images(b)).isNotEqualTo(images(a));
        }
    }

    private static List<RgbImage> images(List<WorldFrame> frames) {
        return frames.stream().map(WorldFrame::image).toList();
    }

    @Test
    void useAfterClose() {
        WorldModel opened = WorldModel.open(ModelSource.directory(model));
        WorldSession session = opened.start(start(1));
        session.close();
        session.close();
        Stream.<Runnable>of(
                        () -> session.control(Keys.NONE),
                        () -> session.tap(Keys.NONE),
                        session::frames,
                        session::memory,
                        session::statistics,
                        session::publisher)
                .forEach(use -> assertThatThrownBy(use::run)
                        .isInstanceOf(ResourceClosedException.class)
                        .hasMessage("the world session is closed"));
        assertThatThrownBy(() -> session.next(Duration.ZERO)).isInstanceOf(ResourceClosedException.class);
        opened.close();
        opened.close();
        assertThatThrownBy(() -> opened.start(start(1)))
                .isInstanceOf(ResourceClosedException.class)
                .hasMessage("the world model is closed");
    }
}
