package io.teleworld.cuda;

import io.teleworld.cuda.plan.KernelSource;

/** Kernels that a device can run. Immutable. */
final class CudaKernels {

    private final KernelSource source;
    private final byte[] image;

    /**
     * Kernels.
     *
     * @param source which launches compute which operator
     * @param image the module that has their functions: a cubin, a fat binary or PTX; copied
     */
    CudaKernels(KernelSource source, byte[] image) {
        this.source = source;
        this.image = image.clone();
    }

    KernelSource source() {
        return source;
    }

    /** A copy of the module. */
    byte[] image() {
        return image.clone();
    }
}
