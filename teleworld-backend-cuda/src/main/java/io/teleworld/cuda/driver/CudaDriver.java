package io.teleworld.cuda.driver;

import io.teleworld.tensor.DType;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the engine asks of CUDA: devices, memory, streams, events, kernels, captured graphs and matrix products.
 *
 * <p>Thread-safe, except that one stream, event or matrix product is for one thread at a time. Device memory is
 * addressed by the driver's own 64-bit numbers. Every handle belongs to the context that was current when it was made;
 * {@link Context#makeCurrent} must have been called on the thread first.
 *
 * <p>Every method throws {@link io.teleworld.error.TeleWorldException} with the name of the failed call: of category
 * RESOURCE when memory ran out, else BACKEND; {@link DeviceLostException} when the device cannot be used any more by
 * this process. Addresses and sizes are trusted; nothing but the driver checks them.
 */
public interface CudaDriver {

    /** One device opened for this process. */
    interface Context extends AutoCloseable {
        /** Makes the calls of this thread go to this device. */
        void makeCurrent();

        @Override
        void close();
    }

    /** Work in order. */
    interface Stream extends AutoCloseable {
        @Override
        void close();
    }

    /** A point in a stream. */
    interface Event extends AutoCloseable {
        @Override
        void close();
    }

    /** Loaded kernels. */
    interface Module extends AutoCloseable {
        /**
         * A kernel by its name.
         *
         * @throws io.teleworld.error.TeleWorldException of category BACKEND if there is none
         */
        Function function(String name);

        @Override
        void close();
    }

    /** One kernel; lives as long as its module. */
    interface Function {}

    /** Captured work that can be launched again and again. */
    interface Executable extends AutoCloseable {
        @Override
        void close();
    }

    /** Host memory that the device copies from and to without a detour. */
    interface PinnedMemory extends AutoCloseable {
        /** All of it, little-endian; must not be used after {@link #close}. */
        ByteBuffer buffer();

        @Override
        void close();
    }

    /** A matrix product whose algorithm is chosen. */
    interface Matmul extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Memory of the current device.
     *
     * @param freeBytes what an allocation may still take
     * @param totalBytes all there is
     */
    record Memory(long freeBytes, long totalBytes) {}

    /** What is done to a product before it is stored. */
    enum Epilogue {
        /** Nothing. */
        NONE,
        /** A vector of N in the result's element type is added to every row. */
        BIAS
    }

    /**
     * Row-major products D[i] = A[i]·B[i] with fp32 sums, i = 0 … batch − 1.
     *
     * @param m rows of A and D
     * @param n columns of D
     * @param k columns of A
     * @param batch how many products, at least 1
     * @param strideA elements from one A to the next; 0 to use one A for all
     * @param strideB elements from one B to the next; 0 to use one B for all
     * @param strideD elements from one D to the next
     * @param strideBias elements from one bias to the next; 0 to use one for all
     * @param transposedB whether B is stored as [n,k] rather than [k,n]
     * @param operands element type of A and B: F32, F16, BF16; or F8_E4M3, whose n and k are multiples of 16, of one
     *     product with a transposed B, and where each row of A and of the stored B has a factor
     * @param result element type of D and of the bias: that of the operands, or F32; BF16 for F8_E4M3
     * @param epilogue what follows
     */
    record MatmulShape(
            long m,
            long n,
            long k,
            int batch,
            long strideA,
            long strideB,
            long strideD,
            long strideBias,
            boolean transposedB,
            DType operands,
            DType result,
            Epilogue epilogue) {

        public MatmulShape {
            if (m < 1 || n < 1 || k < 1 || batch < 1) {
                throw new IllegalArgumentException("matrix product of m " + m + ", n " + n + ", k " + k + ", batch "
                        + batch + "; each must be at least 1");
            }
            if (operands == DType.F8_E4M3
                    && (n % 16 != 0 || k % 16 != 0 || batch != 1 || !transposedB || result != DType.BF16)) {
                throw new IllegalArgumentException("fp8 product of n " + n + ", k " + k + ", batch " + batch + " to "
                        + result + "; n and k must be multiples of 16, one product, B transposed, BF16");
            }
        }

        /** The same product once. */
        public MatmulShape single() {
            return new MatmulShape(m, n, k, 1, 0, 0, 0, 0, transposedB, operands, result, epilogue);
        }

        /** Floating-point operations, a multiplication and an addition being two. */
        public long flops() {
            return 2 * m * n * k * batch;
        }
    }

    // ------------------------------------------------------------------------------------------ devices and memory

    /** The driver's version as it says it: 13010 is 13.1. */
    int version();

    /** The devices of this machine; empty if there are none. */
    List<DeviceProperties> devices();

    /** Opens a device and makes it current. */
    Context open(int ordinal);

    /** Memory of the current device at this moment. */
    Memory memory();

    /** Takes device memory, aligned to 256 bytes or better; {@code bytes} is at least 1. */
    long allocate(long bytes);

    /** Gives back what {@link #allocate} gave. */
    void free(long address);

    /** Takes pinned host memory; {@code bytes} is at least 1. */
    PinnedMemory allocatePinned(long bytes);

    /**
     * Pins memory that Java owns until {@link PinnedMemory#close}, which leaves the memory as it is.
     *
     * @param buffer direct, whole pages of 4096 bytes that nothing else has pinned; all of it is pinned, whatever its
     *     position
     */
    PinnedMemory pin(ByteBuffer buffer);

    // ------------------------------------------------------------------------------------------ streams

    /** A new stream that does not wait for the default stream. */
    Stream createStream();

    /** A new event that can measure time. */
    Event createEvent();

    /** Waits until all work of a stream is done, and reports its first failure. */
    void synchronize(Stream stream);

    /** Marks this point of a stream. */
    void record(Event event, Stream stream);

    /** Makes a stream wait for an event. */
    void await(Stream stream, Event event);

    /** Waits until an event is reached. */
    void synchronize(Event event);

    /** Milliseconds between two events that were reached. */
    float elapsedMillis(Event start, Event end);

    /** Copies from pinned memory to the device. */
    void copyToDevice(long to, PinnedMemory from, long fromOffset, long bytes, Stream stream);

    /** Copies from the device to pinned memory. */
    void copyToHost(PinnedMemory to, long toOffset, long from, long bytes, Stream stream);

    /** Copies between places of the device that do not overlap. */
    void copyOnDevice(long to, long from, long bytes, Stream stream);

    /** Sets bytes to zero. */
    void clear(long address, long bytes, Stream stream);

    // ------------------------------------------------------------------------------------------ kernels

    /** Loads a cubin, a fat binary or PTX (which the driver compiles). */
    Module load(byte[] image);

    /**
     * Launches a kernel.
     *
     * @param sharedBytes dynamic shared memory of a block
     * @param arguments in the kernel's order; {@link Long} for 64-bit values and addresses, {@link Integer}, {@link Float}
     */
    void launch(
            Function function,
            int gridX,
            int gridY,
            int gridZ,
            int blockX,
            int blockY,
            int blockZ,
            int sharedBytes,
            List<? extends Number> arguments,
            Stream stream);

    // ------------------------------------------------------------------------------------------ captured graphs

    /** From now on the stream's work is written down instead of done. */
    void beginCapture(Stream stream);

    /** Ends the capture and makes the work launchable. */
    Executable endCapture(Stream stream);

    /** Ends a capture whose work is not wanted; never throws. */
    void abandonCapture(Stream stream);

    /** Does captured work once. Makes no Java object. */
    void launch(Executable executable, Stream stream);

    // ------------------------------------------------------------------------------------------ matrix products

    /** Whether {@link #createMatmul} can work: cuBLASLt could be loaded. */
    boolean hasMatmul();

    /**
     * Chooses an algorithm.
     *
     * @param workspaceBytes the scratch memory that {@link #matmul} will give it
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if no algorithm fits; names the shape
     */
    Matmul createMatmul(MatmulShape shape, long workspaceBytes);

    /** cuBLASLt's version as it says it: 130100 is 13.1.0. Algorithms are good for one version. */
    long matmulVersion();

    /**
     * Algorithms that may suit, the heuristic's best first.
     *
     * @param most how many at most
     * @return at least one, each in bytes that {@link #createMatmul(MatmulShape, long, byte[])} takes, in another process
     *     with the same device and versions, too
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if no algorithm fits; names the shape
     */
    List<byte[]> matmulAlgorithms(MatmulShape shape, long workspaceBytes, int most);

    /**
     * A product with a given algorithm.
     *
     * @param algorithm of {@link #matmulAlgorithms}
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if the algorithm does not fit the shape
     */
    Matmul createMatmul(MatmulShape shape, long workspaceBytes, byte[] algorithm);

    /**
     * What a product reads and writes; addresses are aligned to 16 bytes.
     *
     * @param a left operand
     * @param b right operand
     * @param scaleA factors of the rows of A, F32, for operands in F8_E4M3; else null
     * @param scaleB factors of the rows of the stored B, F32, for operands in F8_E4M3; else null
     * @param bias null without {@link Epilogue#BIAS}
     * @param d result
     * @param workspace scratch memory
     */
    record MatmulMemory(
            long a,
            long b,
            @Nullable Long scaleA,
            @Nullable Long scaleB,
            @Nullable Long bias,
            long d,
            long workspace) {

        /** What the i-th product of a batch reads and writes; of operands without factors. */
        public MatmulMemory at(MatmulShape shape, int i) {
            int size = shape.operands().byteSize();
            int resultSize = shape.result().byteSize();
            return new MatmulMemory(
                    a + i * shape.strideA() * size,
                    b + i * shape.strideB() * size,
                    scaleA,
                    scaleB,
                    bias == null ? null : Long.valueOf(bias + i * shape.strideBias() * resultSize),
                    d + i * shape.strideD() * resultSize,
                    workspace);
        }
    }

    /** Runs a product. */
    void matmul(Matmul matmul, MatmulMemory memory, Stream stream);
}
