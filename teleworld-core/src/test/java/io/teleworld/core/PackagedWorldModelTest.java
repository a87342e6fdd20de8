package io.teleworld.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.FrameChunk;
import io.teleworld.KeyScript;
import io.teleworld.ModelOptions;
import io.teleworld.ModelSource;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.model.ModelPackageWriter;
import io.teleworld.core.model.ModelPackageWriter.Storage;
import io.teleworld.core.plan.FrameChainPlanner;
import io.teleworld.core.plan.WholeSegmentPlanner;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A package with random weights, from its files to frames, on the plain-Java runtime. */
@Timeout(60)
class PackagedWorldModelTest {

    @TempDir
    private static Path folder = Path.of(".");

    private static final ModelOptions REFERENCE = ModelOptions.DEFAULT.withRuntimes("reference");

    private static final KeyScript SCRIPT = KeyScript.parse("W*8, RIGHT+W*30");

    @BeforeAll
    static void write() throws IOException {
        TinyModel.write(folder);
    }

    private static WorldModel open() {
        return WorldModel.open(ModelSource.directory(folder), REFERENCE);
    }

    private static RgbImage picture() {
        byte[] rgb = new byte[3 * 40 * 30];
        new Random(3).nextBytes(rgb);
        return new RgbImage(40, 30, rgb);
    }

    private static List<RgbImage> read(WorldSession session, int count) {
        List<RgbImage> images = new ArrayList<>();
        Iterator<FrameChunk> chunks = session.frames().iterator();
        while (images.size() < count) {
            chunks.next().frames().forEach(f -> images.add(f.image()));
        }
        return images;
    }

    @Test
    void theWholeLoopRunsAndIsRepeatable() {
        try (WorldModel model = open()) {
            assertThat(model.description().name()).isEqualTo("tiny");
            assertThat(model.description().intrinsics().width()).isEqualTo(32);
            WorldStart start = WorldStart.image(picture()).seed(7).script(SCRIPT);
            List<RgbImage> first;
            try (WorldSession session = model.start(start)) {
                first = read(session, 37);
                assertThat(first.get(0)).isEqualTo(picture().fit(32, 16));
                assertThat(session.memory().pointCount()).isPositive();
                assertThat(session.statistics().stages().get("RECONSTRUCT")).isNotNull();
            }
            try (WorldSession session = model.start(start)) {
                assertThat(read(session, 37)).isEqualTo(first);
            }
            try (WorldSession session = model.start(start.seed(8))) {
                List<RgbImage> other = read(session, 37);
                assertThat(other.get(0)).isEqualTo(first.get(0));
                assertThat(other).isNotEqualTo(first);
            }
        }
    }

    @Test
    void superResolutionEnlargesWhatIsShownAndChangesNothingElse() throws IOException {
        Path large = TinyModel.writeWithSuperResolution(folder.resolve("large"));
        WorldStart start = WorldStart.image(picture()).seed(7).script(SCRIPT);
        List<RgbImage> without;
        long points;
        // One task at a time, so that the memory is at the same stage whenever the same frames were read.
        ModelOptions single = REFERENCE.withThreads(1);
        try (WorldModel model = WorldModel.open(ModelSource.directory(folder), single);
                WorldSession session = model.start(start)) {
            assertThat(model.description().scale()).isEqualTo(1);
            without = read(session, 13);
            points = session.memory().pointCount();
        }
        try (WorldModel model = WorldModel.open(ModelSource.directory(large), single)) {
            assertThat(model.description().outputWidth()).isEqualTo(64);
            assertThat(model.description().outputHeight()).isEqualTo(32);
            List<RgbImage> first;
            try (WorldSession session = model.start(start)) {
                first = read(session, 13);
                assertThat(first).allMatch(f -> f.width() == 64 && f.height() == 32);
                assertThat(session.memory().pointCount()).isEqualTo(points);
                assertThat(session.statistics().stages().get("UPSCALE")).isNotNull();
            }
            // The stream that the first session gave back begins anew.
            try (WorldSession session = model.start(start)) {
                assertThat(read(session, 13)).isEqualTo(first);
            }
            try (WorldSession session = model.start(start.superResolution(false))) {
                assertThat(read(session, 13)).isEqualTo(without);
            }
        }
    }

    @Test
    void superResolutionThatDoesNotFitThePicturesIsRefused() throws IOException {
        Path large = TinyModel.writeWithSuperResolution(folder.resolve("misfit"));
        Path config = large.resolve("super_resolution/config.json");
        Files.writeString(config, Files.readString(config).replace("\"num_layers\" : 2", "\"num_layers\" : 3"));
        assertThatThrownBy(() -> WorldModel.open(ModelSource.directory(large), REFERENCE))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("super_resolution");
    }

    @Test
    void aModelThatDoesNotFitIsRefusedWithBothNumbers() {
        assertThatThrownBy(() -> PackagedWorldModel.open(ModelSource.directory(folder), REFERENCE, 1 << 10))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageMatching("model tiny needs about 0.0[0-9] GiB of memory .* but 0.00 GiB are available");
    }

    @Test
    void sessionsOfOneModelAreIndependentAndEndWithIt() {
        WorldStart start = WorldStart.image(picture()).seed(7).script(SCRIPT);
        WorldModel model = open();
        List<RgbImage> alone;
        try (WorldSession session = model.start(start)) {
            alone = read(session, 25);
        }
        WorldSession a = model.start(start);
        WorldSession b = model.start(start.seed(1));
        List<RgbImage> together = new ArrayList<>();
        Iterator<FrameChunk> fromA = a.frames().iterator();
        Iterator<FrameChunk> fromB = b.frames().iterator();
        while (together.size() < 25) {
            fromB.next();
            for (WorldFrame f : fromA.next().frames()) {
                together.add(f.image());
            }
        }
        assertThat(together).isEqualTo(alone);
        model.close();
        model.close();
        assertThatThrownBy(a::statistics).isInstanceOf(ResourceClosedException.class);
        assertThatThrownBy(() -> model.start(start))
                .isInstanceOf(ResourceClosedException.class)
                .hasMessage("the world model is closed");
        assertThat(fromB.hasNext()).isFalse();
    }

    @Test
    void otherPlannersRunOnTheSameModel() {
        try (WorldModel model = open()) {
            WorldStart start = WorldStart.image(picture());
            try (WorldSession session = model.start(start.planner(new FrameChainPlanner()))) {
                assertThat(read(session, 25)).hasSize(25);
            }
            try (WorldSession session = model.start(start.lookahead(1))) {
                assertThat(read(session, 25)).hasSize(25);
            }
            try (WorldSession session = model.start(start.planner(new WholeSegmentPlanner(30)))) {
                assertThatThrownBy(() -> read(session, 25))
                        .isInstanceOf(TeleWorldException.class)
                        .hasMessageContaining("30 cached frames");
            }
        }
    }

    private static void refused(Path broken, String... words) {
        assertThatThrownBy(() -> WorldModel.open(ModelSource.directory(broken), REFERENCE)
                        .close())
                .isInstanceOfSatisfying(ModelFormatException.class, e -> {
                    assertThat(e.getMessage()).contains(words).doesNotContain("\n");
                    assertThat(e.category()).isEqualTo(TeleWorldException.Category.USER);
                });
    }

    @Test
    void aMissingPackageIsNamed(@TempDir Path empty) {
        refused(empty, empty.toString(), "model_index.json");
        refused(empty.resolve("nowhere"), "nowhere");
        assertThatThrownBy(() -> WorldModel.open(ModelSource.bundled("no-such-model"), REFERENCE))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("no-such-model");
    }

    @Test
    void badJsonIsNamed(@TempDir Path broken) throws IOException {
        TinyModel.write(broken);
        Files.writeString(broken.resolve("transformer/config.json"), "{\"num_layers\": ");
        refused(broken, "transformer/config.json");
    }

    @Test
    void aCutWeightFileIsNamed(@TempDir Path broken) throws IOException {
        TinyModel.write(broken);
        Path weights;
        try (var files = Files.list(broken.resolve("vae"))) {
            weights = files.filter(f -> f.toString().endsWith(".safetensors"))
                    .findFirst()
                    .orElseThrow();
        }
        byte[] header = java.nio.ByteBuffer.allocate(8)
                .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                .putLong(1_000_000)
                .array();
        Files.write(weights, header);
        refused(broken, weights.getFileName().toString());
    }

    @Test
    void aMissingTensorIsNamed(@TempDir Path broken) throws IOException {
        TinyModel.write(broken);
        Map<String, HostTensor> weights = TinyModel.geometryWeights();
        weights.remove("stem.bias");
        new ModelPackageWriter(broken, Map.of()).geometry(TinyModel.GEOMETRY, weights, Storage.F32);
        refused(broken, "geometry", "missing", "stem.bias");
    }

    @Test
    void aWrongShapeIsNamed(@TempDir Path broken) throws IOException {
        TinyModel.write(broken);
        Map<String, HostTensor> weights = TinyModel.geometryWeights();
        weights.put("stem.bias", HostTensor.ofFloats(new float[9], 9));
        new ModelPackageWriter(broken, Map.of()).geometry(TinyModel.GEOMETRY, weights, Storage.F32);
        refused(broken, "geometry", "stem.bias", "[9]");
    }

    @Test
    void nanWeightsAreNamed(@TempDir Path broken) throws IOException {
        TinyModel.write(broken);
        Map<String, HostTensor> weights = TinyModel.geometryWeights();
        weights.put("stem.bias", HostTensor.ofFloats(new float[] {0, 1, Float.NaN, 3}, 4));
        new ModelPackageWriter(broken, Map.of()).geometry(TinyModel.GEOMETRY, weights, Storage.F32);
        refused(broken, "stem.bias", "NaN");
    }

    @Test
    void anUnknownRuntimeListsTheKnownOnes() {
        assertThatThrownBy(() ->
                        WorldModel.open(ModelSource.directory(folder), ModelOptions.DEFAULT.withRuntimes("abacus")))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("abacus")
                .hasMessageContaining("reference");
    }
}
