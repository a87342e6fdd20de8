package io.teleworld.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.error.TeleWorldException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CudaLibrariesTest {

    @Test
    void sayWhatIsMissingOrFindADevice() {
        CudaLibraries found = CudaLibraries.get();
        assertThat(found).isSameAs(CudaLibraries.get());
        if (found.driver().isPresent()) {
            assertThat(found.devices()).isNotEmpty();
            assertThat(found.reason()).isEmpty();
        } else {
            assertThat(found.devices()).isEmpty();
            assertThat(found.reason()).isNotBlank().doesNotContain("\n").contains("CUDA");
        }
    }

    @Test
    void memoryThatRanOutIsAResource() {
        assertThat(CudaStatus.ofDriver("cuMemAlloc", 2, "CUDA_ERROR_OUT_OF_MEMORY"))
                .isNotInstanceOf(DeviceLostException.class)
                .hasMessageContaining("cuMemAlloc")
                .extracting(TeleWorldException::category)
                .isEqualTo(TeleWorldException.Category.RESOURCE);
        assertThat(CudaStatus.ofCublas("cublasLtCreate", 3, "CUBLAS_STATUS_ALLOC_FAILED")
                        .category())
                .isEqualTo(TeleWorldException.Category.RESOURCE);
    }

    @ParameterizedTest
    @ValueSource(ints = {700, 719, 214, 999})
    void aLostDeviceIsNotRetriable(int status) {
        TeleWorldException e = CudaStatus.ofDriver("cuGraphLaunch", status, "CUDA_ERROR");
        assertThat(e).isInstanceOf(DeviceLostException.class).hasMessageContaining("cuGraphLaunch");
        assertThat(e.retriable()).isFalse();
    }

    @Test
    void otherStatusesAreTheBackends() {
        TeleWorldException e = CudaStatus.ofDriver("cuModuleLoadData", 209, "CUDA_ERROR_NO_BINARY_FOR_GPU");
        assertThat(e).isNotInstanceOf(DeviceLostException.class);
        assertThat(e.category()).isEqualTo(TeleWorldException.Category.BACKEND);
    }
}
