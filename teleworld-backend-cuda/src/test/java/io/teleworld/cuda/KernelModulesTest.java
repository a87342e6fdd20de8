package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import java.nio.file.Files;
import java.nio.file.Path;
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
        assertThat(KernelModules.read(null).image()).startsWith(0x50, 0xED, 0x55, 0xBA);
    }
}
