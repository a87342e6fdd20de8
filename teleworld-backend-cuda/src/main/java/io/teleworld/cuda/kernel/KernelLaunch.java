package io.teleworld.cuda.kernel;

import java.util.List;
import java.util.Objects;

/**
 * One launch of one kernel, with a plan's buffer numbers in place of addresses. Immutable.
 *
 * @param function the kernel's name in its module
 * @param gridX blocks along x, at least 1
 * @param gridY blocks along y, 1 to 65535
 * @param gridZ blocks along z, 1 to 65535
 * @param blockX threads of a block along x
 * @param blockY threads of a block along y
 * @param blockZ threads of a block along z
 * @param sharedBytes dynamic shared memory of a block; above 48 KiB the function's limit must be raised first
 * @param arguments in the kernel's order
 */
public record KernelLaunch(
        String function,
        int gridX,
        int gridY,
        int gridZ,
        int blockX,
        int blockY,
        int blockZ,
        int sharedBytes,
        List<Argument> arguments) {

    /** The most threads of a block. */
    public static final int MAX_THREADS = 1024;

    /** The most dynamic shared memory of a block on compute capability 9.0. */
    public static final int MAX_SHARED_BYTES = 227 * 1024;

    /** The most blocks along y and z. */
    public static final int MAX_GRID_YZ = 65_535;

    public KernelLaunch {
        Objects.requireNonNull(function, "function");
        arguments = List.copyOf(arguments);
        if (gridX < 1 || gridY < 1 || gridZ < 1 || gridY > MAX_GRID_YZ || gridZ > MAX_GRID_YZ) {
            throw new IllegalArgumentException("grid of " + function + " is " + gridX + "×" + gridY + "×" + gridZ
                    + "; allowed is 1 to 2147483647 × 1 to 65535 × 1 to 65535");
        }
        long threads = (long) blockX * blockY * blockZ;
        if (blockX < 1 || blockY < 1 || blockZ < 1 || blockZ > 64 || threads > MAX_THREADS) {
            throw new IllegalArgumentException("block of " + function + " is " + blockX + "×" + blockY + "×" + blockZ
                    + "; at most " + MAX_THREADS + " threads, 64 along z");
        }
        if (sharedBytes < 0 || sharedBytes > MAX_SHARED_BYTES) {
            throw new IllegalArgumentException("shared memory of " + function + " is " + sharedBytes
                    + " bytes; allowed is 0 to " + MAX_SHARED_BYTES);
        }
    }

    /** What a kernel is given. */
    public sealed interface Argument {}

    /**
     * An address, 8 bytes.
     *
     * @param buffer the plan's number of the buffer, or {@link #NONE} for a null pointer
     * @param byteOffset added to where the buffer begins
     */
    public record Buffer(int buffer, long byteOffset) implements Argument {
        /** The number that stands for a null pointer. */
        public static final int NONE = -1;
    }

    /** A 32-bit integer. */
    public record Int(int value) implements Argument {}

    /** A 64-bit integer. */
    @SuppressWarnings("JavaLangClash") // the name says the width
    public record Long(long value) implements Argument {}

    /** A 32-bit float. */
    @SuppressWarnings("JavaLangClash") // the name says the width
    public record Float(float value) implements Argument {}
}
