package io.teleworld.cuda.kernel;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** The kernels' sources compiled for the CPU by g++, run as a program on one list of launches at a time. */
final class KernelEmulator {

    private final Path directory;
    private final Path program;

    private KernelEmulator(Path directory, Path program) {
        this.directory = directory;
        this.program = program;
    }

    /** The module's directory, whether Maven or the whole repository's root is where the tests run. */
    static Path module(Path below) {
        Path here = Path.of("").toAbsolutePath();
        return Files.isDirectory(here.resolve("src/main/cuda"))
                ? here.resolve(below)
                : here.resolve("teleworld-backend-cuda").resolve(below);
    }

    /** Whether a program can be started. */
    static boolean has(String command) {
        try {
            Process p = new ProcessBuilder(command, "--version")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return p.waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    static KernelEmulator build(Path directory) {
        Path program = directory.resolve("emulate");
        run(
                directory,
                List.of(
                        "g++",
                        "-std=c++17",
                        "-O1",
                        "-DTW_EMULATE",
                        "-I" + module(Path.of("src/main/cuda")),
                        "-I" + module(Path.of("src/test/cuda")),
                        "-o",
                        program.toString(),
                        module(Path.of("src/test/cuda/emulate_main.cpp")).toString()));
        return new KernelEmulator(directory, program);
    }

    /** The number of parameters of every kernel by name. */
    Map<String, Integer> kernels() {
        Map<String, Integer> all = new TreeMap<>();
        run(directory, List.of(program.toString(), "--list")).lines().forEach(l -> {
            String[] w = l.split(" ");
            all.put(w[0], Integer.valueOf(w[1]));
        });
        return all;
    }

    /** Runs launches; the buffers are replaced by what they hold afterwards. */
    void run(List<KernelLaunch> launches, List<byte[]> buffers) {
        try {
            Path request = directory.resolve("request");
            Path result = directory.resolve("result");
            Files.write(request, request(launches, buffers));
            run(directory, List.of(program.toString(), request.toString(), result.toString()));
            ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(result));
            for (byte[] b : buffers) {
                all.get(b);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] request(List<KernelLaunch> launches, List<byte[]> buffers) {
        long size = 16;
        for (byte[] b : buffers) {
            size += 8 + b.length;
        }
        for (KernelLaunch l : launches) {
            size += 9 * 8 + 3 * 8L * l.arguments().size() + l.function().length();
        }
        ByteBuffer r = ByteBuffer.allocate(Math.toIntExact(size)).order(ByteOrder.LITTLE_ENDIAN);
        r.putLong(buffers.size());
        buffers.forEach(b -> r.putLong(b.length).put(b));
        r.putLong(launches.size());
        for (KernelLaunch l : launches) {
            byte[] name = l.function().getBytes(StandardCharsets.US_ASCII);
            r.putLong(name.length).put(name);
            r.putLong(l.gridX()).putLong(l.gridY()).putLong(l.gridZ());
            r.putLong(l.blockX()).putLong(l.blockY()).putLong(l.blockZ());
            r.putLong(l.sharedBytes()).putLong(l.arguments().size());
            for (KernelLaunch.Argument a : l.arguments()) {
                if (a instanceof KernelLaunch.Buffer b) {
                    r.putLong(0).putLong(b.buffer()).putLong(b.byteOffset());
                } else if (a instanceof KernelLaunch.Int i) {
                    r.putLong(1).putLong(i.value()).putLong(0);
                } else if (a instanceof KernelLaunch.Float f) {
                    r.putLong(1).putLong(Float.floatToRawIntBits(f.value())).putLong(0);
                } else if (a instanceof KernelLaunch.Long n) {
                    r.putLong(2).putLong(n.value()).putLong(0);
                }
            }
        }
        return r.array();
    }

    /** Standard output of a program that must succeed. */
    static String run(Path directory, List<String> command) {
        try {
            Path log = Files.createTempFile(directory, "out", ".txt");
            Process p = new ProcessBuilder(new ArrayList<>(command))
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            if (!p.waitFor(900, TimeUnit.SECONDS)) {
                p.destroyForcibly();
                throw new IllegalStateException(command + " did not end within 900 s");
            }
            String text = Files.readString(log);
            Files.delete(log);
            if (p.exitValue() != 0) {
                throw new IllegalStateException(command + " ended with " + p.exitValue() + ":\n" + text);
            }
            return text;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
