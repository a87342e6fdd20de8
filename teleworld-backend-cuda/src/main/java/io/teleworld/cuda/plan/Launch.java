package io.teleworld.cuda.plan;

import java.util.List;

/**
 * One launch of one kernel, with buffers of a plan in place of addresses. Immutable.
 *
 * @param function the kernel's name in its module
 * @param gridX blocks along x
 * @param gridY blocks along y
 * @param gridZ blocks along z
 * @param blockX threads of a block along x
 * @param blockY threads of a block along y
 * @param blockZ threads of a block along z
 * @param sharedBytes dynamic shared memory of a block
 * @param arguments in the kernel's order
 */
public record Launch(
        String function,
        int gridX,
        int gridY,
        int gridZ,
        int blockX,
        int blockY,
        int blockZ,
        int sharedBytes,
        List<Argument> arguments) {

    public Launch {
        arguments = List.copyOf(arguments);
    }

    /** What a kernel is given. */
    public sealed interface Argument {}

    /**
     * An address.
     *
     * @param buffer the plan's number of the buffer
     * @param byteOffset added to where the buffer begins
     */
    public record Address(int buffer, long byteOffset) implements Argument {}

    /**
     * A number.
     *
     * @param value an {@link Integer}, {@link Long} or {@link Float}
     */
    public record Scalar(Number value) implements Argument {
        public Scalar {
            if (!(value instanceof Integer) && !(value instanceof Long) && !(value instanceof Float)) {
                throw new IllegalArgumentException(
                        "argument " + value + "; allowed are numbers of type Integer, Long and Float");
            }
        }
    }
}
