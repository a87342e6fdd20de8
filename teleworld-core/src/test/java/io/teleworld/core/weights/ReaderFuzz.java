package io.teleworld.core.weights;

import com.sun.management.ThreadMXBean;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.HostTensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.regex.Pattern;

/**
 * Feeds spoilt files to the readers. Every file must be read or refused with {@link ModelFormatException}, soon, and
 * without more heap than a small multiple of its size.
 *
 * <p>As a program: {@code ReaderFuzz SECONDS [SEED [TARGET]]} runs every reader that long and prints what it found.
 */
final class ReaderFuzz {

    /** A reader and files that it accepts. */
    enum Target {
        SAFETENSORS,
        TORCH_ARCHIVE,
        PICKLE,
        CONFIG_JSON,
        INDEX_JSON;

        /** How a configuration complains: key or keys, then the value. */
        private static final Pattern RANGE = Pattern.compile("[a-z_]+ is ");

        List<byte[]> seeds() throws IOException {
            return switch (this) {
                case SAFETENSORS -> safetensorsSeeds();
                case TORCH_ARCHIVE ->
                    List.of(
                            resource("state.pt"),
                            resource("protocol4.pt"),
                            resource("evil.pt"),
                            TorchWriter.bytes(Map.of("w", W, "l", List.of(W, 3, "x"))),
                            TorchWriter.zip(
                                    Map.of("a/data.pkl", pickle(resource("alone.pt")), "a/data/0", new byte[96]),
                                    true));
                case PICKLE ->
                    List.of(
                            pickle(resource("state.pt")),
                            pickle(resource("protocol4.pt")),
                            pickle(resource("evil.pt")),
                            pickle(TorchWriter.bytes(Map.of("w", W, "l", List.of(W, 3, "x")))));
                case CONFIG_JSON ->
                    List.of(
                            JsonConfig.write(VideoTransformerConfig.wanImageToVideo14b())
                                    .getBytes(StandardCharsets.UTF_8),
                            "{\"num_layers\": 1e3, \"patch_size\": [1, [2], {\"a\": null}]}"
                                    .getBytes(StandardCharsets.UTF_8));
                case INDEX_JSON ->
                    List.of("{\"metadata\":{\"total_size\":9},\"weight_map\":{\"a\":\"m.safetensors\",\"b\":\"../m\"}}"
                            .getBytes(StandardCharsets.UTF_8));
            };
        }

        boolean namesKeys(String message) {
            return switch (this) {
                case SAFETENSORS, TORCH_ARCHIVE, PICKLE -> false;
                case CONFIG_JSON ->
                    message.contains("key '")
                            || message.contains("is not a JSON object")
                            || RANGE.matcher(message).find();
                case INDEX_JSON -> message.contains("weight_map") || message.contains("cannot be read");
            };
        }

        void read(byte[] bytes) throws IOException {
            switch (this) {
                case SAFETENSORS -> readAll(Safetensors.of("fuzz", bytes));
                case TORCH_ARCHIVE -> readAll(TorchFile.of("fuzz", bytes));
                case PICKLE -> readAll(TorchFile.of("fuzz", TorchWriter.archive(bytes, Storages.OF_STATE)));
                case CONFIG_JSON ->
                    JsonConfig.read("fuzz", new ByteArrayInputStream(bytes), VideoTransformerConfig.wan13b());
                case INDEX_JSON -> ModelPackage.weights(index(bytes), "t");
            }
        }
    }

    private static final HostTensor W = HostTensor.ofFloats(new float[] {1.5f, -2, 0.25f, 4, 0, -0.5f}, 2, 3);
    private static final long[] EDGES = {
        0,
        1,
        -1,
        127,
        128,
        255,
        0x7FFF,
        0xFFFF,
        Integer.MAX_VALUE,
        Integer.MIN_VALUE,
        0xFFFFFFFFL,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        1L << 40
    };
    private static final List<String> WORDS = List.of(
            "\"shape\"",
            "[",
            "]",
            "{",
            "}",
            "-1",
            "1e999",
            "9223372036854775807",
            "\"..\"",
            "null",
            "\"__metadata__\"",
            "ccollections\nOrderedDict\n",
            "ctorch\nFloatStorage\n",
            "(",
            ")",
            "t",
            "R",
            "Q",
            "h\0",
            "q\0",
            "}",
            "u.",
            "PK\1\2");

    /** The storages to which the seeds of pickles point. */
    private static final class Storages {
        static final Map<String, byte[]> OF_STATE = read();

        private static Map<String, byte[]> read() {
            try {
                Map<String, byte[]> out = new LinkedHashMap<>();
                ZipDirectory zip = ZipDirectory.read(ByteSource.memory("seed", resource("state.pt")));
                for (Map.Entry<String, ZipDirectory.Entry> e : zip.entries().entrySet()) {
                    if (e.getKey().startsWith("state/data/")) {
                        out.put(e.getKey().substring("state/data/".length()), bytes(zip.read(e.getValue())));
                    }
                }
                return out;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private ReaderFuzz() {}

    private static byte[] bytes(ByteBuffer b) {
        byte[] out = new byte[b.remaining()];
        b.get(out);
        return out;
    }

    private static List<byte[]> safetensorsSeeds() {
        List<byte[]> out = new ArrayList<>();
        for (String header : List.of(
                "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                        + "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[8,12]}}",
                "{}")) {
            byte[] json = header.getBytes(StandardCharsets.UTF_8);
            int data = header.length() > 2 ? 12 : 0;
            out.add(ByteBuffer.allocate(8 + json.length + data)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(json.length)
                    .put(json)
                    .array());
        }
        return out;
    }

    private static void readAll(TensorFile file) {
        for (String name : file.names()) {
            HostTensor t = file.tensor(name);
            if (t.dtype() != file.dtype(name) || !Arrays.equals(t.shape(), file.shape(name))) {
                throw new IllegalStateException(name + " is " + t + ", unlike its description");
            }
        }
    }

    private static ModelFiles index(byte[] json) {
        return new ModelFiles() {
            @Override
            public String description() {
                return "fuzz";
            }

            @Override
            public InputStream open(String path) throws IOException {
                if (path.endsWith(".index.json")) {
                    return new ByteArrayInputStream(json);
                }
                if (path.equals("t/m.safetensors")) {
                    return new ByteArrayInputStream(safetensorsSeeds().get(0));
                }
                if (path.contains("..") || !path.startsWith("t/")) {
                    throw new IllegalStateException(path + " leaves the folder");
                }
                throw new IOException(path + " is not there");
            }

            @Override
            public boolean exists(String path) {
                return path.equals("t/model.safetensors.index.json");
            }
        };
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(ReaderFuzz.class.getResourceAsStream(name), name)) {
            return in.readAllBytes();
        }
    }

    private static byte[] pickle(byte[] archive) throws IOException {
        ZipDirectory zip = ZipDirectory.read(ByteSource.memory("seed", archive));
        for (Map.Entry<String, ZipDirectory.Entry> e : zip.entries().entrySet()) {
            if (e.getKey().endsWith("/data.pkl")) {
                return bytes(zip.read(e.getValue()));
            }
        }
        throw new IllegalArgumentException("no pickle in the seed");
    }

    static byte[] spoil(List<byte[]> seeds, SplittableRandom r) {
        byte[] b = seeds.get(r.nextInt(seeds.size())).clone();
        for (int n = r.nextInt(1, 6); n > 0; n--) {
            int at = r.nextInt(b.length + 1);
            switch (r.nextInt(8)) {
                case 0 -> {
                    if (at < b.length) {
                        b[at] ^= (byte) (1 << r.nextInt(8));
                    }
                }
                case 1 -> {
                    if (at < b.length) {
                        b[at] = (byte) r.nextInt();
                    }
                }
                case 2 -> {
                    long v = EDGES[r.nextInt(EDGES.length)];
                    int size = 1 << r.nextInt(4);
                    for (int i = 0; i < size && at + i < b.length; i++) {
                        b[at + i] = (byte) (v >>> 8 * i);
                    }
                }
                case 3 -> b = joined(b, 0, at, new byte[0], at + r.nextInt(8));
                case 4 -> {
                    int to = Math.min(b.length, at + r.nextInt(64));
                    byte[] part = Arrays.copyOfRange(b, at, to);
                    b = joined(b, 0, at, repeated(part, r.nextInt(1, 20)), at);
                }
                case 5 ->
                    b = joined(b, 0, at, WORDS.get(r.nextInt(WORDS.size())).getBytes(StandardCharsets.ISO_8859_1), at);
                case 6 -> {
                    byte[] other = seeds.get(r.nextInt(seeds.size()));
                    int from = r.nextInt(other.length + 1);
                    b = joined(b, 0, at, Arrays.copyOfRange(other, from, other.length), b.length);
                }
                default -> {
                    if (r.nextInt(4) == 0) {
                        b = Arrays.copyOf(b, at);
                    } else {
                        byte[] digits =
                                Long.toString(EDGES[r.nextInt(EDGES.length)]).getBytes(StandardCharsets.US_ASCII);
                        b = joined(b, 0, at, digits, at + r.nextInt(3));
                    }
                }
            }
        }
        return b;
    }

    private static byte[] repeated(byte[] part, int times) {
        byte[] out = new byte[part.length * times];
        for (int i = 0; i < times; i++) {
            System.arraycopy(part, 0, out, i * part.length, part.length);
        }
        return out;
    }

    private static byte[] joined(byte[] b, int from, int to, byte[] middle, int rest) {
        int tail = Math.max(0, b.length - rest);
        byte[] out = new byte[to - from + middle.length + tail];
        System.arraycopy(b, from, out, 0, to - from);
        System.arraycopy(middle, 0, out, to - from, middle.length);
        System.arraycopy(b, b.length - tail, out, out.length - tail, tail);
        return out;
    }

    /** What a run of one reader found. */
    static final class Outcome {
        final Map<String, byte[]> failures = new LinkedHashMap<>();
        long warmUps;
        long files;
        long accepted;
        long slowestNanos;
        long mostHeap;

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "%d files, %d read, %d refused, %d failures; slowest %.0f ms, most heap %d KiB",
                    files,
                    accepted,
                    files - accepted - failures.size(),
                    failures.size(),
                    slowestNanos / 1e6,
                    mostHeap / 1024);
        }
    }

    /** Runs one reader on spoilt files until a number or a time is reached. */
    static Outcome run(Target target, long seed, long most, long nanos) throws IOException {
        ThreadMXBean heap = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        SplittableRandom r = new SplittableRandom(seed);
        List<byte[]> seeds = target.seeds();
        Outcome out = new Outcome();
        // The first files load classes, which is not counted.
        for (int i = 0; i < 20; i++) {
            byte[] file = i < seeds.size() ? seeds.get(i) : spoil(seeds, r);
            try {
                target.read(file);
            } catch (IOException | RuntimeException e) {
                out.warmUps++;
            }
        }
        long end = System.nanoTime() + nanos;
        while (out.files < most && System.nanoTime() - end < 0) {
            byte[] file = spoil(seeds, r);
            long start = System.nanoTime();
            long used = attempt(target, file, out, heap);
            long time = System.nanoTime() - start;
            out.files++;
            // What does not grow with the file: messages, tables of the JSON reader, stack traces. Code that runs for
            // the
            // first time loads classes too, so a second reading decides.
            long allowed = (1 << 20) + 400L * file.length;
            if (used > allowed) {
                used = attempt(target, file, new Outcome(), heap);
                if (used > allowed) {
                    out.failures.putIfAbsent(used + " bytes of heap for " + file.length, file);
                }
            }
            out.slowestNanos = Math.max(out.slowestNanos, time);
            out.mostHeap = Math.max(out.mostHeap, used);
        }
        return out;
    }

    /** Reads one file and tells how much heap that took. */
    private static long attempt(Target target, byte[] file, Outcome out, ThreadMXBean heap) {
        long before = heap.getCurrentThreadAllocatedBytes();
        try {
            target.read(file);
            out.accepted++;
        } catch (ModelFormatException expected) {
            String message = String.valueOf(expected.getMessage());
            if (!message.startsWith("fuzz")) {
                out.failures.putIfAbsent("does not name the file: " + message, file);
            }
            // What is wrong with a value of well-formed JSON is told by its key.
            if (!message.contains("offset ") && !target.namesKeys(message)) {
                out.failures.putIfAbsent("does not name the place: " + message, file);
            }
        } catch (IOException | RuntimeException | StackOverflowError | OutOfMemoryError e) {
            out.failures.putIfAbsent(e.toString(), file);
        }
        return heap.getCurrentThreadAllocatedBytes() - before;
    }

    /** See the class. */
    public static void main(String[] args) throws InterruptedException {
        long seconds = Long.parseLong(args[0]);
        long seed = args.length > 1 ? Long.parseLong(args[1]) : 1;
        List<Thread> threads = new ArrayList<>();
        for (Target t : args.length > 2 ? new Target[] {Target.valueOf(args[2])} : Target.values()) {
            Thread thread = new Thread(() -> {
                try {
                    Outcome o = run(t, seed, Long.MAX_VALUE, seconds * 1_000_000_000L);
                    synchronized (ReaderFuzz.class) {
                        System.out.println(t + ": " + o);
                        o.failures.forEach((k, v) -> System.out.println(
                                "  " + k + "\n  " + Base64.getEncoder().encodeToString(v)));
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread t : threads) {
            t.join();
        }
    }
}
