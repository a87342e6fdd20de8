package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import org.junit.jupiter.api.Test;

class CudaRuntimeProviderTest {

    @Test
    void isFoundByNameAndSaysWhatIsMissing() {
        var provider = RuntimeRegistry.load(getClass().getClassLoader()).get("cuda");
        assertThat(provider).isInstanceOf(CudaRuntimeProvider.class);
        Availability a = provider.probe();
        if (a instanceof Availability.Unavailable u) {
            assertThat(u.reason()).isNotBlank();
            assertThatThrownBy(() -> provider.create(new RuntimeOptions("cuda:0", 0)))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessage(u.reason())
                    .extracting(e -> ((TeleWorldException) e).category())
                    .isEqualTo(TeleWorldException.Category.BACKEND);
        } else {
            assertThatThrownBy(() -> provider.create(new RuntimeOptions("tpu:9", 0)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("cuda:0");
        }
    }
}
