package io.teleworld.testkit;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/** A result of the interpreter, counted while it lives. */
final class ReferenceTensor implements Tensor {

    private final HostTensor host;
    private final AtomicLong live;
    private final AtomicBoolean closed = new AtomicBoolean();

    ReferenceTensor(HostTensor host, AtomicLong live) {
        this.host = host;
        this.live = live;
        live.incrementAndGet();
    }

    @Override
    public DType dtype() {
        return host.dtype();
    }

    @Override
    public long[] shape() {
        return host.shape();
    }

    @Override
    public ByteBuffer hostBuffer() {
        return host.hostBuffer();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            host.close();
            live.decrementAndGet();
        }
    }

    @Override
    public String toString() {
        return host.toString();
    }
}
