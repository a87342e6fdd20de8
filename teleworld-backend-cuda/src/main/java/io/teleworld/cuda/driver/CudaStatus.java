package io.teleworld.cuda.driver;

import io.teleworld.error.TeleWorldException;
import java.util.Set;

/** Turns the numbers that CUDA calls return into exceptions. Stateless. */
final class CudaStatus {

    /** CUDA_ERROR_OUT_OF_MEMORY. */
    static final int OUT_OF_MEMORY = 2;

    /** CUBLAS_STATUS_ALLOC_FAILED. */
    private static final int CUBLAS_ALLOC_FAILED = 3;

    /**
     * After these the context is beyond repair: deinitialised (4), device unavailable (46), ECC (214), illegal address
     * (700), launch timeout (702), context destroyed (709), assertion (710), hardware stack (714), illegal instruction
     * (715), misaligned address (716), invalid address space (717), invalid program counter (718), launch failed (719),
     * tensor memory leak (721), external device (911), unknown (999).
     */
    private static final Set<Integer> LOST =
            Set.of(4, 46, 214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 911, 999);

    private CudaStatus() {}

    /** The exception for a driver call that did not return 0. */
    static TeleWorldException ofDriver(String call, int status, String name) {
        String message = call + " failed: " + name + " (" + status + ")";
        if (status == OUT_OF_MEMORY) {
            return new TeleWorldException(TeleWorldException.Category.RESOURCE, message);
        }
        if (LOST.contains(status)) {
            return new DeviceLostException(message + "; the device is lost to this process");
        }
        return new TeleWorldException(TeleWorldException.Category.BACKEND, message);
    }

    /** The exception for a cuBLASLt call that did not return 0. */
    static TeleWorldException ofCublas(String call, int status, String name) {
        return new TeleWorldException(
                status == CUBLAS_ALLOC_FAILED
                        ? TeleWorldException.Category.RESOURCE
                        : TeleWorldException.Category.BACKEND,
                call + " failed: " + name + " (" + status + ")");
    }
}
