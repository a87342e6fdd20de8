package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.teleworld.cuda.driver.DeviceProperties;
import io.teleworld.cuda.driver.RuntimeCompiler;
import io.teleworld.cuda.kernel.KernelLibrary;
import io.teleworld.error.TeleWorldException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelModulesTest {

    @Test
    void readsTheFileThatIsNamed(@TempDir Path folder) throws Exception {
        Path file = Files.write(folder.resolve("kernels.cubin"), new byte[] {1, 2, 3});
        assertThat(KernelModules.read(file.toString()).image()).containsExactly(1, 2, 3);
    }

    @Test
    void namesAFileThatCannotBeRead(@TempDir Path folder) {
        String missing = folder.resolve("none.cubin").toString();
        assertThatThrownBy(() -> KernelModules.read(missing))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("none.cubin");
    }

    @Test
    void withoutAFileTheJarsKernelsAreTaken() {
        // An ELF or the magic number of fat binaries, 0xBA55ED50.
        assertThat(KernelModules.find(device(9, 0)).image()).startsWith(0x50, 0xED, 0x55, 0xBA);
    }

    @Test
    void anOldDeviceIsRefused(@TempDir Path folder) {
        assertThatThrownBy(() -> KernelModules.compiled(device(8, 0), folder))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("8.0")
                .hasMessageContaining("9.0");
    }

    @Test
    void headersOfTheToolkitAreOnlyNeededWhereTheyAreIncluded() {
        assertThat(KernelModules.includeFolder(Set.of())).isEmpty();
        assertThatThrownBy(() -> KernelModules.includeFolder(Set.of("no_such_header.h")))
                .hasMessageContaining("no_such_header.h")
                .hasMessageContaining("teleworld.cuda.include");
    }

    /** Compiling takes no device; where NVRTC is missing there is nothing to test. */
    @Test
    void nvrtcCompilesTheSourcesOnceAndKeepsThem(@TempDir Path folder) throws Exception {
        assumeThat(RuntimeCompiler.get().reason()).isEmpty();
        assumeThat(KernelLibrary.digest()).isPresent();
        byte[] made = KernelModules.compiled(device(9, 0), folder).image();
        assertThat(made).startsWith(0x7f, 'E', 'L', 'F');
        assertThat(new String(made, StandardCharsets.ISO_8859_1)).contains("tw_flash_128", "tw_rgb_f32");
        Path kept;
        try (var files = Files.list(folder)) {
            kept = files.findFirst().orElseThrow();
        }
        assertThat(kept.getFileName().toString())
                .contains(KernelLibrary.digest().orElseThrow().substring(0, 16), "sm_90a")
                .contains("nvrtc" + RuntimeCompiler.get().version());
        long written = Files.getLastModifiedTime(kept).toMillis();
        assertThat(KernelModules.compiled(device(9, 0), folder).image()).isEqualTo(made);
        assertThat(Files.getLastModifiedTime(kept).toMillis()).isEqualTo(written);
    }

    @Test
    void whatDoesNotCompileIsReportedWithNvrtcsLog() {
        assumeThat(RuntimeCompiler.get().reason()).isEmpty();
        assertThatThrownBy(() -> RuntimeCompiler.get()
                        .compile(
                                "wrong.cu",
                                "#include \"part.cuh\"\nextern \"C\" __global__ void k() { nonsense(); }",
                                Map.of("part.cuh", "static const int x = 1;"),
                                KernelLibrary.options(90)))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("wrong.cu(2)")
                .hasMessageContaining("nonsense");
    }

    private static DeviceProperties device(int major, int minor) {
        return new DeviceProperties(0, "test", major, minor, 132, 1L << 36, 1 << 17, 0);
    }
}
