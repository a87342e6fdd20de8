package io.teleworld.worlds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.geometry.Intrinsics;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardTest {

    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(44, 24, Math.toRadians(75));

    private static Path write(Path folder, boolean compress, int clips) {
        WorldPool pool = new WorldPool(null, 1, MapSplit.TRAIN);
        ClipSource.Worker worker = new ClipSource(pool, CAMERA, 5, 11, 2).worker();
        try (ShardWriter writer = new ShardWriter(folder, "t", 2, compress)) {
            for (int i = 0; i < clips; i++) {
                Clip clip = worker.clip(i * 8L);
                writer.write(clip, 32, pool.world(clip.world()).instances());
            }
        }
        return folder;
    }

    @Test
    void whatIsWrittenIsRead(@TempDir Path folder) {
        ShardReader plain = ShardReader.open(write(folder.resolve("a"), false, 3));
        ShardReader packed = ShardReader.open(write(folder.resolve("b"), true, 3));
        assertThat(plain.size()).isEqualTo(3);
        assertThat(packed.size()).isEqualTo(3);
        ClipSource.Worker worker = new ClipSource(new WorldPool(null, 1, MapSplit.TRAIN), CAMERA, 5, 11, 2).worker();
        for (int i = 2; i >= 0; i--) {
            Clip clip = worker.clip(i * 8L);
            for (ShardReader reader : new ShardReader[] {plain, packed}) {
                ShardSample s = reader.get(i);
                assertThat(s.trajectory()).isEqualTo(clip.trajectory());
                assertThat(s.world()).isEqualTo(clip.world());
                assertThat(s.unitsPerMetre()).isEqualTo(32);
                assertThat(s.frames()).isEqualTo(ByteBuffer.wrap(clip.rgb()));
                float[] depth = s.depth();
                ByteBuffer labels = s.labels();
                for (int j = 0; j < depth.length; j++) {
                    float z = clip.depth()[j];
                    if (Float.isInfinite(z)) {
                        assertThat(depth[j]).isInfinite();
                    } else {
                        assertThat(Math.abs(depth[j] - z)).isLessThan(1e-4f * z);
                    }
                    int label = labels.get(j) & 255;
                    assertThat(Math.min(label, 2)).isEqualTo(Math.min(clip.label()[j], 2));
                    assertThat(label - 2).isLessThan(s.instances().size());
                }
            }
        }
        int seen = 0;
        for (ShardSample s : plain) {
            assertThat(s.key()).isEqualTo(String.format("%08d", seen++));
        }
        assertThatThrownBy(() -> plain.get(3)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void equalClipsGiveEqualBytes(@TempDir Path folder) throws IOException {
        Path a = write(folder.resolve("a"), true, 3);
        Path b = write(folder.resolve("b"), true, 3);
        assertThat(a.resolve("t-000001.tar")).exists();
        for (String file : new String[] {"t-000000.tar", "t-000001.tar"}) {
            assertThat(Files.mismatch(a.resolve(file), b.resolve(file))).isEqualTo(-1);
        }
    }

    @Test
    void truncatedAndForeignShards(@TempDir Path folder) throws IOException {
        Path shard = write(folder.resolve("a"), false, 2).resolve("t-000000.tar");
        byte[] whole = Files.readAllBytes(shard);
        for (double share : new double[] {0, 0.1, 0.5, 0.9}) {
            Path cut = Files.write(folder.resolve("cut.tar"), Arrays.copyOf(whole, (int) (whole.length * share)));
            assertThatThrownBy(() -> ShardReader.open(cut))
                    .isInstanceOf(WorldFormatException.class)
                    .hasMessageContaining("truncated");
        }
        byte[] text = new byte[4096];
        Arrays.fill(text, (byte) 'x');
        Path foreign = Files.write(folder.resolve("foreign.tar"), text);
        assertThatThrownBy(() -> ShardReader.open(foreign))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("no tar file");
        assertThatThrownBy(() -> ShardReader.open(folder.resolve("none.tar")))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("no shard at");
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertThatThrownBy(() -> ShardReader.open(empty))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("no shards");
    }

    @Test
    void recorderDoesNotDependOnThreads(@TempDir Path folder) throws IOException {
        for (int threads = 1; threads <= 2; threads++) {
            String[] args = {
                "--out",
                folder.resolve("t" + threads).toString(),
                "--clips",
                "4",
                "--frames",
                "5",
                "--size",
                "24x44",
                "--worlds",
                "rooms",
                "--split",
                "heldout",
                "--seed",
                "9",
                "--threads",
                String.valueOf(threads),
                "--zlib"
            };
            assertThat(RecordShards.run(args, quiet())).isZero();
        }
        assertThat(Files.mismatch(folder.resolve("t1/heldout-000000.tar"), folder.resolve("t2/heldout-000000.tar")))
                .isEqualTo(-1);
    }

    private static PrintStream quiet() {
        return new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
    }

    @Test
    void recorderNamesWhatIsWrong(@TempDir Path folder) {
        String out = folder.resolve("o").toString();
        String[][] bad = {
            {},
            {"--out"},
            {"--out", out, "--clips", "0"},
            {"--out", out, "--clips", "x"},
            {"--out", out, "--size", "96"},
            {"--out", out, "--worlds", "moon"},
            {"--out", out, "--split", "all"},
            {"--colour", "red"}
        };
        for (String[] args : bad) {
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            int code = RecordShards.run(args, new PrintStream(said, true, StandardCharsets.UTF_8));
            assertThat(code).isEqualTo(2);
            assertThat(said.toString(StandardCharsets.UTF_8).trim().lines()).hasSize(1);
        }
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        int code = RecordShards.run(
                new String[] {"--out", out, "--wad-dir", folder.toString()},
                new PrintStream(said, true, StandardCharsets.UTF_8));
        assertThat(code).isEqualTo(1);
        assertThat(said.toString(StandardCharsets.UTF_8)).contains("no freedoom1.wad");
    }

    @Property(tries = 200)
    void depthCodeIsFine(@ForAll @DoubleRange(min = 0.5, max = 60000) double z) {
        assertThat(Math.abs(DepthCode.decode(DepthCode.encode((float) z)) - z)).isLessThan(1e-4 * z);
    }

    @Test
    void depthCodeOfSky() {
        assertThat(DepthCode.decode(DepthCode.encode(Float.POSITIVE_INFINITY))).isInfinite();
        assertThat((int) DepthCode.encode(Float.NaN)).isZero();
        assertThat((int) DepthCode.encode(0)).isEqualTo(1);
        assertThat((int) DepthCode.encode(1e9f)).isEqualTo(65535);
    }
}
