package io.teleworld.cuda.kernel;

import java.util.ArrayList;
import java.util.List;

/** Puts a launch together. Not thread-safe. */
final class LaunchBuilder {

    /** Threads of a block of the kernels that work element by element. */
    static final int THREADS = 256;

    private final String function;
    private final List<KernelLaunch.Argument> arguments = new ArrayList<>();

    LaunchBuilder(String function) {
        this.function = function;
    }

    LaunchBuilder buffer(int buffer) {
        return buffer(buffer, 0);
    }

    LaunchBuilder buffer(int buffer, long byteOffset) {
        arguments.add(new KernelLaunch.Buffer(buffer, byteOffset));
        return this;
    }

    /** 32-bit integers. */
    LaunchBuilder ints(long... values) {
        for (long v : values) {
            if (v != (int) v) {
                throw new NoKernelException("extent or stride " + v + " of " + function + " exceeds 32 bits");
            }
            arguments.add(new KernelLaunch.Int((int) v));
        }
        return this;
    }

    LaunchBuilder floats(double... values) {
        for (double v : values) {
            arguments.add(new KernelLaunch.Float((float) v));
        }
        return this;
    }

    /** Enough blocks of {@link #THREADS} threads for so many elements, some per thread. */
    KernelLaunch over(long elements, int perThread) {
        long threads = (elements + perThread - 1) / perThread;
        return grid((threads + THREADS - 1) / THREADS, 1, 1, THREADS, 0);
    }

    KernelLaunch grid(long x, long y, long z, int threads, long sharedBytes) {
        if (x > Integer.MAX_VALUE || y > KernelLaunch.MAX_GRID_YZ || z > KernelLaunch.MAX_GRID_YZ) {
            throw new NoKernelException("grid of " + function + " would be " + x + "×" + y + "×" + z);
        }
        if (sharedBytes > KernelLaunch.MAX_SHARED_BYTES) {
            throw new NoKernelException(function + " would need " + sharedBytes + " bytes of shared memory");
        }
        return new KernelLaunch(function, (int) x, (int) y, (int) z, threads, 1, 1, (int) sharedBytes, arguments);
    }
}
