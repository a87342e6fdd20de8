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
    void saysWhatToDoWithoutOne(@TempDir Path folder) {
        assertThatThrownBy(() -> KernelModules.read(null))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("nvcc")
                .hasMessageContaining(KernelModules.PROPERTY);
        String missing = folder.resolve("none.cubin").toString();
        assertThatThrownBy(() -> KernelModules.read(missing))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("none.cubin");
    }
}
