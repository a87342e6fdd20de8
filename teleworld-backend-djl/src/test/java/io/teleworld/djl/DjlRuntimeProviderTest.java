package io.teleworld.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DjlRuntimeProviderTest {

    /** Runs in a process of its own: says whether the runtime is there. */
    static final class Probe {

        private Probe() {}

        public static void main(String[] args) {
            Availability a = new DjlRuntimeProvider().probe();
            System.out.println(a instanceof Availability.Unavailable u ? "unavailable: " + u.reason() : "available");
            try {
                new DjlRuntimeProvider().create(RuntimeOptions.cpu()).close();
                System.out.println("created");
            } catch (TeleWorldException e) {
                System.out.println(e.category() + ": " + e.getMessage());
            }
            System.out.println("tracking off: " + System.getProperty("OPT_OUT_TRACKING"));
        }
    }

    @Test
    void isFoundByName() {
        var provider = RuntimeRegistry.load(getClass().getClassLoader()).get("djl");
        assertThat(provider.probe()).isInstanceOf(Availability.Available.class);
        assertThatThrownBy(() -> provider.create(new RuntimeOptions("tpu:9", 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("tpu:9")
                .hasMessageContaining("cpu");
    }

    @Test
    void withoutItsNativeLibraryItIsUnavailableAndDownloadsNothing(@TempDir Path cache) throws Exception {
        String classPath = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.contains("pytorch-native"))
                .collect(Collectors.joining(File.pathSeparator));
        String output = probe(cache, classPath);
        assertThat(output)
                .contains("unavailable: ", "BACKEND: ", "tracking off: true")
                .doesNotContain("created");
        try (var files = Files.walk(cache)) {
            assertThat(files.filter(f -> f.toString().contains("torch_cpu"))).isEmpty();
        }
    }

    private static String probe(Path cache, String classPath) throws IOException, InterruptedException {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Path log = cache.resolve("log.txt");
        ProcessBuilder command = new ProcessBuilder(
                        java.toString(),
                        "-Xmx128m",
                        "-cp",
                        classPath,
                        "-DDJL_CACHE_DIR=" + cache,
                        Probe.class.getName())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        command.environment().keySet().removeIf(k -> k.startsWith("PYTORCH_") || k.startsWith("DJL_"));
        Process process = command.start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        String output = Files.readString(log, StandardCharsets.UTF_8);
        assertThat(process.exitValue()).as(output).isZero();
        return output;
    }

    /** DJL ends the process when it meets bf16; the runtime must take and give such tensors all the same. */
    @Test
    void bf16TensorsPassThrough() {
        GraphBuilder b = new GraphBuilder("bf16");
        var x = b.input("x", DType.BF16, Dim.symbol("n"));
        b.output("same", x);
        b.output("wide", b.cast(x, DType.F32));
        b.output("narrow", b.cast(b.tanh(b.cast(x, DType.F32)), DType.BF16));
        HostTensor in = HostTensor.zeros(DType.BF16, 2);
        in.mutableBuffer().putShort(0, FloatFormats.floatToBf16(0.5f)).putShort(2, FloatFormats.floatToBf16(-3f));
        try (TensorRuntime runtime = new DjlRuntimeProvider().create(new RuntimeOptions("cpu", 1));
                Scope scope = Scope.root("test");
                Program p = runtime.compile(b.build(), Weights.of(Map.of()), Precision.FP32)) {
            Map<String, Tensor> out = p.run(Map.of("x", in), p.newState(scope), RunOptions.DEFAULT, scope);
            assertThat(out.get("wide").toFloatArray()).containsExactly(0.5f, -3f);
            assertThat(out.get("same").dtype()).isEqualTo(DType.BF16);
            assertThat(out.get("same").hostBuffer()).isEqualTo(in.hostBuffer());
            float tanh = FloatFormats.bf16ToFloat(out.get("narrow").hostBuffer().getShort(0));
            assertThat(tanh).isCloseTo((float) Math.tanh(0.5), org.assertj.core.data.Offset.offset(4e-3f));
        }
    }
}
