package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.plan.WeightLayout;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/** Brings parameters and constants to the device in the element types of a layout, through one pinned buffer. */
final class WeightUpload {

    private static final long STAGING_BYTES = 16L << 20;

    private WeightUpload() {}

    /** Fills memory that is as large as the layout; for calls within {@link CudaDevice#call}. */
    static void upload(CudaDevice device, WeightLayout layout, Graph graph, Weights weights, long address) {
        if (layout.bytes() == 0) {
            return;
        }
        Map<Value, String> names = new HashMap<>();
        graph.parameters().forEach((name, v) -> names.put(v, name));
        try (CudaDriver.PinnedMemory staging =
                device.driver().allocatePinned(Math.min(STAGING_BYTES, layout.bytes()))) {
            for (WeightLayout.Entry e : layout.entries()) {
                String name = names.get(e.value());
                HostTensor from = name != null ? weights.get(name) : constant(graph, e.value());
                if (e.dtype() == DType.F8_E4M3) {
                    quantise(device, staging, e, from, address);
                } else {
                    upload(device, staging, e, from, address);
                }
            }
        }
    }

    private static HostTensor constant(Graph graph, Value v) {
        var c = graph.constants().get(v);
        if (c == null) {
            throw new IllegalStateException(v + " is neither a parameter nor a constant");
        }
        return c.tensor();
    }

    private static void upload(
            CudaDevice device, CudaDriver.PinnedMemory staging, WeightLayout.Entry e, HostTensor from, long address) {
        ByteBuffer source = from.hostBuffer();
        ByteBuffer to = staging.buffer();
        int size = e.dtype().byteSize();
        int perChunk = to.capacity() / size;
        long count = from.elementCount();
        for (long at = 0; at < count; at += perChunk) {
            int n = (int) Math.min(perChunk, count - at);
            convert(source, from.dtype(), Math.toIntExact(at), to, e.dtype(), n);
            device.driver()
                    .copyToDevice(address + e.offset() + at * size, staging, 0, (long) n * size, device.stream());
            device.driver().synchronize(device.stream());
        }
    }

    /** Brings a matrix as E4M3 with one scale per output channel, which is a row of it. */
    private static void quantise(
            CudaDevice device, CudaDriver.PinnedMemory staging, WeightLayout.Entry e, HostTensor from, long address) {
        int channels = Math.toIntExact(from.shape()[0]);
        int width = Math.toIntExact(from.shape()[1]);
        ByteBuffer to = staging.buffer();
        float[] scales = new float[channels];
        float[] row = new float[width];
        byte[] codes = new byte[width];
        // The codes of rows at a time, as many as the buffer holds, or parts of one long row.
        int filled = 0;
        long sent = e.offset();
        for (int c = 0; c < channels; c++) {
            for (int i = 0; i < width; i++) {
                row[i] = element(from.hostBuffer(), from.dtype(), c * width + i);
            }
            scales[c] = RowQuantisation.quantise(row, codes);
            for (int at = 0; at < width; ) {
                int n = Math.min(width - at, to.capacity() - filled);
                to.put(filled, codes, at, n);
                at += n;
                filled += n;
                if (filled == to.capacity()) {
                    send(device, staging, address + sent, filled);
                    sent += filled;
                    filled = 0;
                }
            }
        }
        send(device, staging, address + sent, filled);
        int perChunk = to.capacity() / 4;
        for (int c = 0; c < channels; c += perChunk) {
            int n = Math.min(perChunk, channels - c);
            for (int i = 0; i < n; i++) {
                to.putFloat(4 * i, scales[c + i]);
            }
            send(device, staging, address + e.scaleOffset() + 4L * c, 4 * n);
        }
    }

    private static void send(CudaDevice device, CudaDriver.PinnedMemory staging, long to, int bytes) {
        if (bytes > 0) {
            device.driver().copyToDevice(to, staging, 0, bytes, device.stream());
            device.driver().synchronize(device.stream());
        }
    }

    private static float element(ByteBuffer from, DType dtype, int index) {
        return switch (dtype) {
            case F32 -> from.getFloat(4 * index);
            case F16 -> FloatFormats.f16ToFloat(from.getShort(2 * index));
            case BF16 -> FloatFormats.bf16ToFloat(from.getShort(2 * index));
            default -> throw new IllegalStateException("weights of " + dtype);
        };
    }

    private static void convert(ByteBuffer from, DType source, int first, ByteBuffer to, DType target, int count) {
        if (source == target) {
            int size = source.byteSize();
            to.put(0, from, first * size, count * size);
            return;
        }
        for (int i = 0; i < count; i++) {
            float v = element(from, source, first + i);
            switch (target) {
                case F32 -> to.putFloat(4 * i, v);
                case F16 -> to.putShort(2 * i, FloatFormats.floatToF16(v));
                case BF16 -> to.putShort(2 * i, FloatFormats.floatToBf16(v));
                default -> throw new IllegalStateException("weights as " + target);
            }
        }
    }
}
