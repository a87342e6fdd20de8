package io.teleworld.onnx;

import io.teleworld.error.TeleWorldException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * Direct buffers that are used again, so that a long run neither clears nor collects one per result. Thread-safe.
 *
 * <p>Keeps up to {@value #KEPT_BYTES} bytes that nobody uses; more is left to the garbage collector.
 */
final class BufferPool {

    private static final long KEPT_BYTES = 256L << 20;

    /** Cache line and the widest vector register. */
    private static final int ALIGNMENT = 64;

    private final Map<Integer, Deque<ByteBuffer>> free = new HashMap<>();
    private long freeBytes;

    /**
     * A little-endian direct buffer of exactly this size, aligned to cache lines, with any content.
     *
     * @throws TeleWorldException of category RESOURCE if there is no memory, or a tensor exceeds 2 GiB
     */
    ByteBuffer acquire(long bytes) {
        if (bytes > Integer.MAX_VALUE - ALIGNMENT) {
            throw new TeleWorldException(
                    TeleWorldException.Category.RESOURCE,
                    "a tensor of " + bytes + " bytes is too large for runtime onnx; at most 2 GiB");
        }
        int size = (int) bytes;
        synchronized (this) {
            Deque<ByteBuffer> d = free.get(size);
            ByteBuffer b = d == null ? null : d.pollLast();
            if (b != null) {
                freeBytes -= size;
                return b;
            }
        }
        try {
            // an empty tensor still needs an address
            int padded = (Math.max(size, 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            ByteBuffer aligned = ByteBuffer.allocateDirect(padded + ALIGNMENT).alignedSlice(ALIGNMENT);
            return aligned.limit(size).slice().order(ByteOrder.LITTLE_ENDIAN);
        } catch (OutOfMemoryError e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.RESOURCE,
                    "no direct memory for " + bytes + " bytes; allow more with -XX:MaxDirectMemorySize",
                    e);
        }
    }

    /** As {@link #acquire}, filled with zeros. */
    ByteBuffer acquireZeroed(long bytes) {
        ByteBuffer b = acquire(bytes);
        clear(b);
        return b;
    }

    /** Gives a buffer of {@link #acquire} back; the caller must not use it any more. */
    synchronized void release(ByteBuffer buffer) {
        int size = buffer.capacity();
        if (freeBytes + size <= KEPT_BYTES) {
            free.computeIfAbsent(size, s -> new ArrayDeque<>()).addLast(buffer);
            freeBytes += size;
        }
    }

    static void clear(ByteBuffer b) {
        int n = b.capacity();
        int i = 0;
        for (; i + Long.BYTES <= n; i += Long.BYTES) {
            b.putLong(i, 0);
        }
        for (; i < n; i++) {
            b.put(i, (byte) 0);
        }
    }
}
