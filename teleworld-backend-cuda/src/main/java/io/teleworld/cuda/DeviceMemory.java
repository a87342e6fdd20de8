package io.teleworld.cuda;

import java.util.concurrent.atomic.AtomicBoolean;

/** One allocation on the device; closing is idempotent. */
final class DeviceMemory implements AutoCloseable {

    private final CudaDevice device;
    private final long address;
    private final long bytes;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Takes an address over; {@code bytes} may be 0, for which nothing is freed. */
    DeviceMemory(CudaDevice device, long address, long bytes) {
        this.device = device;
        this.address = address;
        this.bytes = bytes;
    }

    long address() {
        return address;
    }

    long bytes() {
        return bytes;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true) && bytes > 0) {
            device.free(address);
        }
    }
}
