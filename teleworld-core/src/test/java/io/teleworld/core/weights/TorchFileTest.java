package io.teleworld.core.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TorchFileTest {

    @TempDir
    Path dir = Path.of("");

    // ------------------------------------------------------------------------------------------ files of PyTorch 2.13

    @ParameterizedTest
    @ValueSource(strings = {"state.pt", "protocol4.pt"})
    void aFileOfPyTorchIsRead(String name) throws IOException {
        Path onDisk = Files.write(dir.resolve(name), resource(name));
        for (TorchFile f : List.of(TorchFile.of(name, resource(name)), TorchFile.open(onDisk))) {
            assertThat(f.names())
                    .containsExactlyInAnyOrder(
                            "generator.weight",
                            "generator.bias",
                            "kinds.f64",
                            "kinds.f16",
                            "kinds.bf16",
                            "kinds.i64",
                            "kinds.i32",
                            "kinds.i8",
                            "kinds.u8",
                            "kinds.bool",
                            "kinds.scalar",
                            "kinds.empty",
                            "views.0",
                            "views.1",
                            "views.2",
                            "parameter",
                            "fp8");
            assertThat(f.tensor("generator.weight").toFloatArray()).containsExactly(-1, -0.5f, 0, 0.5f, 1, 1.5f);
            assertThat(f.shape("generator.weight")).containsExactly(2, 3);
            assertThat(f.tensor("generator.bias").toFloatArray()).containsExactly(-1, -0.5f);
            assertThat(f.tensor("parameter").toFloatArray()).containsExactly(-1, -0.5f, 0);
            for (DType type : List.of(DType.F64, DType.F16, DType.BF16)) {
                HostTensor t = f.tensor("kinds." + type.name().toLowerCase(java.util.Locale.ROOT));
                assertThat(t.dtype()).isEqualTo(type);
                assertThat(Conversions.convert(t, DType.F32).toFloatArray()).containsExactly(-1, -0.5f, 0, 0.5f);
            }
            assertThat(Conversions.convert(f.tensor("fp8"), DType.F32).toFloatArray())
                    .containsExactly(-1, -0.5f, 0, 0.5f);
            assertThat(f.tensor("kinds.i64").hostBuffer().getLong(16)).isEqualTo(1L << 40);
            assertThat(f.tensor("kinds.i32").hostBuffer().getInt(4)).isEqualTo(-8);
            assertThat(f.tensor("kinds.i8").hostBuffer().get(0)).isEqualTo((byte) -1);
            assertThat(f.tensor("kinds.u8").hostBuffer().get(0)).isEqualTo((byte) 250);
            assertThat(f.dtype("kinds.bool")).isEqualTo(DType.BOOL);
            assertThat(f.tensor("kinds.scalar").shape()).isEmpty();
            assertThat(f.tensor("kinds.scalar").toFloatArray()).containsExactly(2.5f);
            assertThat(f.shape("kinds.empty")).containsExactly(0, 3);
            assertThat(f.tensor("views.0").toFloatArray()).containsExactly(4, 5, 6, 7);
            assertThat(f.tensor("views.1").toFloatArray())
                    .containsExactly(
                            0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20, 3, 9, 15, 21, 4, 10, 16, 22, 5, 11, 17, 23);
            assertThat(f.shape("views.1")).containsExactly(6, 4);
            assertThat(f.tensor("views.2").toFloatArray()).containsExactly(1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22);
            assertThatThrownBy(() -> f.tensor("step")).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aTensorMayStandAlone() throws IOException {
        TorchFile f = TorchFile.of("alone.pt", resource("alone.pt"));
        assertThat(f.names()).containsExactly(TorchFile.ALONE);
        assertThat(f.tensor(TorchFile.ALONE).toFloatArray()).hasSize(24).contains(23);
    }

    @Test
    void codeInAFileOfPyTorchIsRefused() {
        assertThatThrownBy(() -> TorchFile.of("evil.pt", resource("evil.pt")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageMatching("evil.pt: offset \\d+: the file wants to load 'posix.system'.*");
    }

    @Test
    void theFormatOfOldIsRefused() {
        assertThatThrownBy(() -> TorchFile.of("legacy.pt", resource("legacy.pt")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("before PyTorch 1.6");
    }

    // ------------------------------------------------------------------------------------------ own files

    @Test
    void whatTheWriterWritesIsRead() throws IOException {
        HostTensor large = HostTensor.ofFloats(new float[10_000], 100, 100);
        large.mutableBuffer().putFloat(4 * 9_999, 7);
        Path file = dir.resolve("w.pt");
        TorchWriter.write(file, Map.of("a", List.of(large), "b", Map.of("c.d", W, "n", 3, "t", "text")));
        TorchFile f = TorchFile.open(file);
        assertThat(f.names()).containsExactly("a.0", "b.c.d");
        assertThat(f.tensor("a.0").toFloatArray()).isEqualTo(large.toFloatArray());
        assertThat(f.tensor("b.c.d").toFloatArray()).isEqualTo(W.toFloatArray());
        assertThat(WeightFiles.of("w", List.of(f)).get("b.c.d").shape()).containsExactly(2, 3);
    }

    @Test
    void compressedEntriesAreRead() {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("x/data.pkl", tensorOps("FloatStorage", "0", 2, 0, "K\u0002", "K\u0001"));
        entries.put("x/data/0", new byte[] {0, 0, -128, 63, 0, 0, 0, 64});
        TorchFile f = TorchFile.of("z", TorchWriter.zip(entries, true));
        assertThat(f.tensor(TorchFile.ALONE).toFloatArray()).containsExactly(1, 2);
    }

    @Test
    void aDamagedCompressedEntryIsNamedWithItsPlace() {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("x/data.pkl", tensorOps("FloatStorage", "0", 2, 0, "K\u0002", "K\u0001"));
        byte[] good = TorchWriter.zip(entries, true);
        int data = 30 + "x/data.pkl".length() + le(good).getShort(28);
        bad(with(good, data, 1, 0xFF), "offset " + data + ": entry x/data.pkl is damaged");
        int declared = le(good).getInt(good.length - 6) + 24;
        bad(with(good, declared, 4, le(good).getInt(declared) + 1), "does not expand to the");
    }

    // ------------------------------------------------------------------------------------------ hostile pickles

    @Test
    void nothingButTensorsAndContainersIsBuilt() {
        for (String global : List.of(
                "os\nsystem",
                "builtins\neval",
                "builtins\ngetattr",
                "torch\nload",
                "torch._utils\n_rebuild_sparse_tensor",
                "numpy.core.multiarray\n_reconstruct",
                "argparse\nNamespace",
                "collections\ndefaultdict",
                "java.lang.Runtime\nexec")) {
            refused(ops("c" + global + "\n(K\u0001tR."), "wants to load '" + global.replace('\n', '.') + "'");
        }
        refused(ops("cos\n" + "x".repeat(2000) + "\n."), "no end");
        for (String op :
                List.of("o.", "ios\nsystem\n", "\u0081.", "P1\n.", "B\0\0\0\0.", "I1\n.", "F1.5\n.", "S'x'\n.")) {
            refused(ops(op), "refused");
        }
        refused(ops("(K\u0001K\u0002tK\u0003R."), "arguments");
        refused(ops("K\u0001(tR."), "no function");
        refused(ops("ccollections\nOrderedDict\n(K\u0001tR."), "OrderedDict has 1 arguments");
        refused(ops("](K\u0001K\u0002tb."), "notes");
        refused(ops("}K\u0001b."), "notes");
    }

    @Test
    void pointersOfTensorsAreChecked() {
        byte[] storage = new byte[16];
        accepted(tensorOps("FloatStorage", "0", 4, 0, "K\u0004", "K\u0001"), storage);
        accepted(tensorOps("FloatStorage", "0", 4, 3, "K\u0001", "K\u0063"), storage);
        refused(tensorOps("FloatStorage", "0", 4, 1, "K\u0004", "K\u0001"), storage, "element 4", "which has 4");
        refused(tensorOps("FloatStorage", "0", 4, 5, "K\0", "K\u0001"), storage, "which has 4");
        refused(tensorOps("FloatStorage", "0", 4, -1, "K\u0004", "K\u0001"), storage, "offset", "at least 0");
        refused(tensorOps("FloatStorage", "0", 4, 0, "J\377\377\377\377", "K\u0001"), storage, "shape");
        refused(tensorOps("FloatStorage", "0", 4, 0, "K\u0004", "J\377\377\377\377"), storage, "strides");
        refused(tensorOps("FloatStorage", "0", 4, 0, "K\u0004", "K\u0002"), storage, "element 6");
        refused(tensorOps("FloatStorage", "0", 4, 0, "K\u0005", "K\0"), storage, "5 elements");
        refused(tensorOps("FloatStorage", "0", 4, 0, "J\377\377\377\177", "K\0"), storage, "elements");
        String huge = "\u008a\u0008\377\377\377\377\377\377\377\177";
        refused(tensorOps("FloatStorage", "0", 4, 0, huge + huge, "K\0K\0"), storage, "too large");
        refused(tensorOps("FloatStorage", "0", 4, 0, "K\u0002", huge), storage, "element");
        refused(tensorOps("FloatStorage", "0", 4, 0, "K\u0004", "K\u0001K\u0001"), storage, "strides");
        refused(tensorOps("FloatStorage", "0", 5, 0, "K\u0004", "K\u0001"), storage, "should have 20 bytes", "has 16");
        refused(tensorOps("FloatStorage", "1", 4, 0, "K\u0004", "K\u0001"), storage, "data/1", "missing");
        refused(tensorOps("FloatStorage", "../0", 4, 0, "K\u0004", "K\u0001"), storage, "no plain name");
        refused(tensorOps("ShortStorage", "0", 4, 0, "K\u0004", "K\u0001"), storage, "torch.ShortStorage");
        refused(ops("(X\u0007\0\0\0storagetQ."), "storage");
        refused(ops("K\u0001Q."), "storage");
    }

    @Test
    void bombsEnd() {
        // Ten lists, each holding the one before ten times: 10^10 entries in 300 bytes.
        StringBuilder laughs = new StringBuilder("]q\0");
        for (char i = 1; i <= 10; i++) {
            laughs.append("0](")
                    .append(("h" + (char) (i - 1)).repeat(10))
                    .append("eq")
                    .append(i);
        }
        refused(ops(laughs + "."), "never end");
        refused(ops("]q\0h\0a."), "nested");
        refused(ops("]".repeat(100_000) + "a".repeat(99_999) + "."), "nested");
        refused(ops("(".repeat(100_000)), "too early");
        refused(ops("}(" + "K\u0001" + "K\u0002" + "K\u0003" + "u."), "no value");
        refused(ops("}(](K\u0001eK\u0002u."), "neither text nor a whole number");
        refused(ops("X\377\377\377\177."), "text of 2147483647 bytes");
        refused(ops("X\377\377\377\377."), "text of 4294967295 bytes");
        refused(ops("\u008d\377\377\377\377\377\377\377\377."), "text of -1 bytes");
        refused(ops("h\u0005."), "remembered");
        refused(ops("a."), "missing");
        refused(ops("K\u0001K\u0002."), "unused");
        refused(ops("K"), "too early");
        refused(new byte[] {(byte) 0x80, 9, '.'}, "protocol 9");
        refused(new byte[0], "too early");
    }

    // ------------------------------------------------------------------------------------------ hostile archives

    @Test
    void archivesThatDeceiveAreRefused() {
        byte[] good = TorchWriter.bytes(Map.of("w", W));
        assertThat(TorchFile.of("x.pt", good).names()).containsExactly("w");
        bad(new byte[10], "smallest zip");
        bad(java.util.Arrays.copyOf(good, good.length - 1), "truncated");
        bad(java.util.Arrays.copyOf(good, good.length / 2), "truncated");
        for (String name : List.of("../x", "/etc/x", "a/../../x", "a\\b", "c:x", "./x", "a\nb", "")) {
            bad(TorchWriter.zip(Map.of(name, new byte[1]), false), "no plain path");
        }
        bad(TorchWriter.zip(Map.of("y", new byte[1]), false), "0 entries NAME/data.pkl");
        Map<String, byte[]> two = Map.of("a/data.pkl", new byte[1], "b/data.pkl", new byte[1]);
        bad(TorchWriter.zip(two, false), "2 entries NAME/data.pkl");
        bad(TorchWriter.zip(Map.of("a/data.pkl", new byte[10_000_000]), true), "would expand to 10000000");
        Map<String, byte[]> big =
                Map.of("a/data.pkl", ops("N."), "a/byteorder", "big".getBytes(StandardCharsets.UTF_8));
        bad(TorchWriter.zip(big, false), "byte order is 'big'");
        int end = good.length - 22;
        bad(with(good, end + 16, 4, 0x7FFFFFFF), "does not fit");
        bad(with(good, end + 12, 4, 0x7FFFFFFF), "does not fit");
        bad(with(good, end + 10, 2, 0xFFF0), "cannot hold");
        bad(with(good, end + 10, 2, 0xFFFF), "zip64");
        int central = le(good).getInt(end + 16);
        bad(with(good, central, 4, 0), "entry is missing");
        bad(with(good, central + 8, 2, 1), "encrypted");
        bad(with(good, central + 10, 2, 12), "method 12");
        bad(with(good, central + 20, 4, 1), "is stored, yet");
        bad(with(good, central + 28, 2, 0xFFFF), "beyond the directory");
        bad(with(good, central + 42, 4, central + 1), "outside of the file's data");
        bad(with(good, central + 42, 4, 1), "header of entry");
        bad(with(with(good, central + 20, 4, central), central + 24, 4, central), "ends outside");
        bad(with(good, 30, 1, 'z'), "another name");
        // The second entry points at the first one's data.
        byte[] entries = TorchWriter.zip(Map.of("same", new byte[8]), false);
        int c = le(entries).getInt(entries.length - 6);
        ByteArrayOutputStream twice = new ByteArrayOutputStream();
        twice.write(entries, 0, entries.length - 22);
        twice.write(entries, c, entries.length - 22 - c);
        twice.write(entries, entries.length - 22, 22);
        byte[] t = twice.toByteArray();
        t = with(with(t, t.length - 10, 4, 2 * (entries.length - 22 - c)), t.length - 12, 2, 2);
        bad(t, "occurs twice");
    }

    @Test
    void archivesBeyondFourGigabytesHaveAnotherDirectory() {
        byte[] good = TorchWriter.bytes(Map.of("w", W));
        int end = good.length - 22;
        ByteBuffer b = ByteBuffer.allocate(good.length + 76).order(ByteOrder.LITTLE_ENDIAN);
        b.put(good, 0, end);
        b.putInt(0x06064b50).putLong(44).putInt(0).putInt(0).putInt(0);
        b.putLong(4).putLong(4);
        b.putLong(le(good).getInt(end + 12)).putLong(le(good).getInt(end + 16));
        b.putInt(0x07064b50).putInt(0).putLong(end).putInt(1);
        b.putInt(0x06054b50)
                .putInt(0)
                .putShort((short) -1)
                .putShort((short) -1)
                .putInt(-1)
                .putInt(-1);
        byte[] large = b.array();
        assertThat(TorchFile.of("x.pt", large).tensor("w").toFloatArray()).isEqualTo(W.toFloatArray());
        bad(with(large, end + 56 + 8, 4, end + 1), "zip64");
        bad(with(large, end + 56 + 12, 4, -1), "zip64");
        bad(with(large, end + 52, 4, -1), "does not fit");
        bad(with(large, end + 36, 4, -1), "cannot hold");
    }

    @Property(tries = 1000, shrinking = ShrinkingMode.OFF)
    void aSpoiltFileIsReadOrRefused(@ForAll @IntRange(max = Integer.MAX_VALUE) int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        byte[] bytes =
                seed % 2 == 0 ? TorchWriter.bytes(Map.of("w", W, "l", List.of(W, 3, "x"))) : resourceOr("state.pt");
        for (int i = random.nextInt(1, 5); i > 0; i--) {
            int at = random.nextInt(bytes.length);
            bytes[at] = (byte) (random.nextBoolean() ? random.nextInt() : bytes[at] ^ 1 << random.nextInt(8));
        }
        byte[] spoilt = random.nextInt(8) == 0 ? java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
        try {
            TorchFile f = TorchFile.of("spoilt", spoilt);
            for (String name : f.names()) {
                assertThat(f.tensor(name).hostBuffer().remaining()).isLessThanOrEqualTo(17 * spoilt.length);
            }
        } catch (ModelFormatException expected) {
            assertThat(expected).hasMessageStartingWith("spoilt: ");
        }
    }

    // ------------------------------------------------------------------------------------------ helpers

    private static final HostTensor W = HostTensor.ofFloats(new float[] {1.5f, -2, 0.25f, 4, 0, -0.5f}, 2, 3);

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(TorchFileTest.class.getResourceAsStream(name), name)) {
            return in.readAllBytes();
        }
    }

    private static byte[] resourceOr(String name) {
        try {
            return resource(name);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** The rebuilding of one tensor; characters are bytes. */
    private static byte[] tensorOps(String type, String key, int count, int offset, String shape, String strides) {
        return ops("ctorch._utils\n_rebuild_tensor_v2\n((X\u0007\0\0\0storagectorch\n" + type + "\nX"
                + (char) key.length()
                + "\0\0\0" + key + "X\u0003\0\0\0cpuJ" + i32(count) + "tQJ" + i32(offset) + "(" + shape + "t(" + strides
                + "t\u0089ccollections\nOrderedDict\n)RtR.");
    }

    private static String i32(int v) {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < 4; i++) {
            s.append((char) (v >>> 8 * i & 0xFF));
        }
        return s.toString();
    }

    private static byte[] ops(String latin1) {
        byte[] body = latin1.getBytes(StandardCharsets.ISO_8859_1);
        return ByteBuffer.allocate(2 + body.length)
                .put((byte) 0x80)
                .put((byte) 2)
                .put(body)
                .array();
    }

    private static void accepted(byte[] pickle, byte[] storage) {
        TorchFile f = TorchFile.of("x.pt", TorchWriter.archive(pickle, Map.of("0", storage)));
        f.names().forEach(f::tensor);
    }

    private static void refused(byte[] pickle, String... inMessage) {
        refused(pickle, new byte[16], inMessage);
    }

    private static void refused(byte[] pickle, byte[] storage, String... inMessage) {
        byte[] file = TorchWriter.archive(pickle, Map.of("0", storage));
        bad(file, inMessage);
    }

    private static void bad(byte[] file, String... inMessage) {
        Assertions.assertTimeout(
                Duration.ofSeconds(10),
                () -> assertThatThrownBy(() -> TorchFile.of("x.pt", file))
                        .isInstanceOf(ModelFormatException.class)
                        .hasMessageStartingWith("x.pt: ")
                        .hasMessageContainingAll(inMessage));
    }

    private static byte[] with(byte[] file, int at, int length, int value) {
        byte[] out = file.clone();
        for (int i = 0; i < length; i++) {
            out[at + i] = (byte) (value >>> 8 * i);
        }
        return out;
    }

    private static ByteBuffer le(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
