package io.teleworld.cuda.driver;

/**
 * What a CUDA device says about itself. Immutable.
 *
 * @param ordinal the driver's number of the device, from 0
 * @param name the product's name, for example {@code NVIDIA H100 80GB HBM3}
 * @param computeMajor major compute capability
 * @param computeMinor minor compute capability
 * @param multiprocessors streaming multiprocessors
 * @param totalBytes global memory in bytes
 * @param sharedBytesPerBlock shared memory in bytes that a block may opt in to
 * @param clockKilohertz peak clock of the multiprocessors in kHz; 0 if the driver does not say
 */
public record DeviceProperties(
        int ordinal,
        String name,
        int computeMajor,
        int computeMinor,
        int multiprocessors,
        long totalBytes,
        int sharedBytesPerBlock,
        int clockKilohertz) {

    /** The architecture as compilers write it, for example {@code sm_90}. */
    public String architecture() {
        return "sm_" + computeMajor + computeMinor;
    }
}
