package io.teleworld.cuda.driver;

import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A driver without a device: it records calls, keeps device memory in host memory, does copies and matrix products, and
 * runs kernels that a test gives it a body for. It refuses addresses outside live allocations, overlapping copies, closed
 * handles and calls without a current context, and can be told to fail at a call. Fresh memory is full of NaN.
 */
public final class RecordingDriver implements CudaDriver {

    /** What a kernel of a given name does. */
    public interface Body {
        void run(RecordingDriver driver, List<? extends Number> arguments);
    }

    /** What a copy, a kernel or a product takes on this device. */
    public static final double WORK_MILLIS = 0.25;

    private static final long FIRST_ADDRESS = 0x7f00_0000_0000L;

    private final List<String> calls = new ArrayList<>();
    private final TreeMap<Long, ByteBuffer> allocations = new TreeMap<>();
    private final Map<String, Body> kernels = new HashMap<>();
    private final long totalBytes;
    private final boolean matmuls;
    private long usedBytes;
    private long next = FIRST_ADDRESS;
    private long pinnedBytes;
    private int openHandles;
    private boolean current;
    private boolean idle;
    private boolean refusesBatches;
    private double deviceMillis;
    private List<Double> algorithmMillis = List.of(0.0);
    private String name = "recording device";
    private long hostNanos;
    private int failAt = -1;
    private @Nullable Supplier<? extends RuntimeException> failure;

    public RecordingDriver(long totalBytes, boolean matmuls) {
        this.totalBytes = totalBytes;
        this.matmuls = matmuls;
    }

    // ------------------------------------------------------------------------------------------ for the test

    /** The calls so far, by name. */
    public synchronized List<String> calls() {
        return List.copyOf(calls);
    }

    public synchronized void forgetCalls() {
        calls.clear();
    }

    public synchronized long count(String call) {
        return calls.stream().filter(c -> c.startsWith(call)).count();
    }

    /** Device bytes, pinned bytes and handles that were never given back. */
    public synchronized String leaks() {
        return usedBytes + " bytes, " + pinnedBytes + " pinned, " + openHandles + " handles";
    }

    public synchronized long usedBytes() {
        return usedBytes;
    }

    /** The n-th call from now, counted from 0, throws; and every later one if the device is lost. */
    public synchronized void failAt(int n, Supplier<? extends RuntimeException> exception) {
        failAt = n;
        failure = exception;
    }

    public synchronized void define(String kernel, Body body) {
        kernels.put(kernel, body);
    }

    /** The host's clock: a microsecond per call to the driver, 5 ms per wait for a stream. */
    public synchronized long nanoTime() {
        return hostNanos;
    }

    /** Algorithms of products by what each takes longer than other work, in the heuristic's order. */
    public synchronized void algorithms(Double... millis) {
        algorithmMillis = List.of(millis);
    }

    public synchronized void rename(String device) {
        name = device;
    }

    /** From now on a batch of products is refused, as a library without an algorithm for it does. */
    public synchronized void refuseBatches() {
        refusesBatches = true;
    }

    /** From now on calls are not recorded and captured work is not done, so that nothing is allocated for it. */
    public synchronized void idle() {
        idle = true;
    }

    /** Device memory, positioned at the address and limited to {@code bytes}. */
    public synchronized ByteBuffer view(long address, long bytes) {
        Map.Entry<Long, ByteBuffer> e = allocations.floorEntry(address);
        if (e == null || address + bytes > e.getKey() + e.getValue().capacity()) {
            throw new IllegalStateException(
                    "access to " + bytes + " bytes at " + Long.toHexString(address) + " outside live memory");
        }
        return e.getValue()
                .slice(Math.toIntExact(address - e.getKey()), Math.toIntExact(bytes))
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    private void call(String name) {
        hostNanos += 1000;
        if (!idle) {
            calls.add(name);
        }
        RuntimeException lost = null;
        if (failure != null && failAt-- <= 0) {
            lost = failure.get();
            if (!(lost instanceof DeviceLostException)) {
                failure = null;
            }
        }
        if (lost != null) {
            throw lost;
        }
    }

    private void deviceCall(String name) {
        call(name);
        if (!current) {
            throw new IllegalStateException(name + " without a current context");
        }
    }

    // ------------------------------------------------------------------------------------------ handles

    private class Handle implements AutoCloseable {
        private final String kind;
        private boolean closed;

        Handle(String kind) {
            this.kind = kind;
            openHandles++;
        }

        void requireOpen() {
            if (closed) {
                throw new IllegalStateException(kind + " is closed");
            }
        }

        @Override
        public void close() {
            synchronized (RecordingDriver.this) {
                if (!closed) {
                    closed = true;
                    openHandles--;
                    call("close " + kind);
                }
            }
        }
    }

    private final class FakeContext extends Handle implements Context {
        FakeContext() {
            super("context");
        }

        @Override
        public void makeCurrent() {
            synchronized (RecordingDriver.this) {
                requireOpen();
                call("makeCurrent");
                current = true;
            }
        }
    }

    private final class FakeStream extends Handle implements Stream {
        private @Nullable List<Runnable> captured;

        FakeStream() {
            super("stream");
        }

        void submit(Runnable work) {
            requireOpen();
            if (captured != null) {
                captured.add(work);
            } else {
                deviceMillis += WORK_MILLIS;
                work.run();
            }
        }
    }

    private final class FakeEvent extends Handle implements Event {
        private boolean recorded;
        private double at;

        FakeEvent() {
            super("event");
        }
    }

    private final class FakeModule extends Handle implements Module {
        FakeModule() {
            super("module");
        }

        @Override
        public Function function(String name) {
            synchronized (RecordingDriver.this) {
                requireOpen();
                call("function " + name);
                return new FakeFunction(name, this);
            }
        }
    }

    private record FakeFunction(String name, FakeModule module) implements Function {}

    private final class FakeExecutable extends Handle implements Executable {
        private final List<Runnable> work;

        FakeExecutable(List<Runnable> work) {
            super("executable");
            this.work = work;
        }
    }

    private final class FakePinned extends Handle implements PinnedMemory {
        private final ByteBuffer buffer;

        FakePinned(ByteBuffer owned) {
            super("pinned");
            if (!owned.isDirect() || owned.alignmentOffset(0, 4096) != 0 || owned.capacity() % 4096 != 0) {
                throw new IllegalArgumentException("only whole pages of direct memory can be pinned");
            }
            buffer = owned.duplicate().clear().order(ByteOrder.LITTLE_ENDIAN);
            pinnedBytes += buffer.capacity();
        }

        FakePinned(long bytes) {
            super("pinned");
            buffer = ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
            fill(buffer);
            pinnedBytes += bytes;
        }

        @Override
        public ByteBuffer buffer() {
            requireOpen();
            return buffer;
        }

        @Override
        public void close() {
            synchronized (RecordingDriver.this) {
                if (!((Handle) this).closed) {
                    pinnedBytes -= buffer.capacity();
                }
                super.close();
            }
        }
    }

    private final class FakeMatmul extends Handle implements Matmul {
        private final MatmulShape shape;
        private final int algorithm;

        FakeMatmul(MatmulShape shape, int algorithm) {
            super("matmul");
            this.shape = shape;
            this.algorithm = algorithm;
        }
    }

    private static void fill(ByteBuffer b) {
        for (int i = 0; i < b.capacity(); i++) {
            b.put(i, (byte) 0xff);
        }
    }

    // ------------------------------------------------------------------------------------------ devices and memory

    @Override
    public int version() {
        return 13010;
    }

    @Override
    public List<DeviceProperties> devices() {
        return List.of(new DeviceProperties(0, name, 9, 0, 132, totalBytes, 227 * 1024, 1_980_000));
    }

    @Override
    public synchronized Context open(int ordinal) {
        call("open");
        FakeContext c = new FakeContext();
        c.makeCurrent();
        return c;
    }

    @Override
    public synchronized Memory memory() {
        deviceCall("memory");
        return new Memory(totalBytes - usedBytes, totalBytes);
    }

    @Override
    public synchronized long allocate(long bytes) {
        deviceCall("allocate");
        if (bytes < 1) {
            throw new IllegalArgumentException("allocation of " + bytes + " bytes");
        }
        if (usedBytes + bytes > totalBytes) {
            throw CudaStatus.ofDriver("cuMemAlloc", CudaStatus.OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY");
        }
        ByteBuffer b = ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
        fill(b);
        long address = next;
        allocations.put(address, b);
        // A gap, so that running over one allocation never lands in the next.
        next += (bytes + 4096 + 255) / 256 * 256;
        usedBytes += bytes;
        return address;
    }

    @Override
    public synchronized void free(long address) {
        deviceCall("free");
        ByteBuffer b = allocations.remove(address);
        if (b == null) {
            throw new IllegalStateException("free of " + Long.toHexString(address) + ", which is not allocated");
        }
        usedBytes -= b.capacity();
    }

    @Override
    public synchronized PinnedMemory allocatePinned(long bytes) {
        deviceCall("allocatePinned");
        return new FakePinned(bytes);
    }

    @Override
    public synchronized PinnedMemory pin(ByteBuffer buffer) {
        deviceCall("pin");
        return new FakePinned(buffer);
    }

    // ------------------------------------------------------------------------------------------ streams

    @Override
    public synchronized Stream createStream() {
        deviceCall("createStream");
        return new FakeStream();
    }

    @Override
    public synchronized Event createEvent() {
        deviceCall("createEvent");
        return new FakeEvent();
    }

    @Override
    public synchronized void synchronize(Stream stream) {
        deviceCall("synchronize");
        hostNanos += 5_000_000;
        FakeStream s = (FakeStream) stream;
        s.requireOpen();
        if (s.captured != null) {
            throw new IllegalStateException("synchronize during a capture");
        }
    }

    @Override
    public synchronized void record(Event event, Stream stream) {
        deviceCall("record");
        FakeEvent e = (FakeEvent) event;
        e.requireOpen();
        e.recorded = true;
        e.at = deviceMillis;
    }

    @Override
    public synchronized void await(Stream stream, Event event) {
        deviceCall("await");
        if (!((FakeEvent) event).recorded) {
            throw new IllegalStateException("wait for an event that was never recorded");
        }
    }

    @Override
    public synchronized void synchronize(Event event) {
        deviceCall("synchronizeEvent");
    }

    @Override
    public synchronized float elapsedMillis(Event start, Event end) {
        deviceCall("elapsedMillis");
        FakeEvent from = (FakeEvent) start;
        FakeEvent to = (FakeEvent) end;
        if (!from.recorded || !to.recorded) {
            throw new IllegalStateException("time of an event that was never recorded");
        }
        return (float) (to.at - from.at);
    }

    @Override
    public synchronized void copyToDevice(long to, PinnedMemory from, long fromOffset, long bytes, Stream stream) {
        deviceCall("copyToDevice");
        ((FakeStream) stream).submit(() -> {
            ByteBuffer source = from.buffer();
            view(to, bytes).put(0, source, Math.toIntExact(fromOffset), Math.toIntExact(bytes));
        });
    }

    @Override
    public synchronized void copyToHost(PinnedMemory to, long toOffset, long from, long bytes, Stream stream) {
        deviceCall("copyToHost");
        ((FakeStream) stream)
                .submit(() -> to.buffer().put(Math.toIntExact(toOffset), view(from, bytes), 0, Math.toIntExact(bytes)));
    }

    @Override
    public synchronized void copyOnDevice(long to, long from, long bytes, Stream stream) {
        deviceCall("copyOnDevice");
        if (to < from + bytes && from < to + bytes) {
            throw new IllegalStateException("copy within overlapping memory");
        }
        ((FakeStream) stream).submit(() -> view(to, bytes).put(0, view(from, bytes), 0, Math.toIntExact(bytes)));
    }

    @Override
    public synchronized void clear(long address, long bytes, Stream stream) {
        deviceCall("clear");
        ((FakeStream) stream).submit(() -> {
            ByteBuffer b = view(address, bytes);
            for (int i = 0; i < bytes; i++) {
                b.put(i, (byte) 0);
            }
        });
    }

    // ------------------------------------------------------------------------------------------ kernels

    @Override
    public synchronized Module load(byte[] image) {
        deviceCall("load");
        return new FakeModule();
    }

    @Override
    public synchronized void launch(
            Function function,
            int gridX,
            int gridY,
            int gridZ,
            int blockX,
            int blockY,
            int blockZ,
            int sharedBytes,
            List<? extends Number> arguments,
            Stream stream) {
        FakeFunction f = (FakeFunction) function;
        deviceCall("launch " + f.name());
        f.module().requireOpen();
        if (gridX < 1
                || gridY < 1
                || gridZ < 1
                || gridY > 65535
                || gridZ > 65535
                || blockX < 1
                || blockY < 1
                || blockZ < 1
                || (long) blockX * blockY * blockZ > 1024
                || sharedBytes > 227 * 1024) {
            throw new IllegalStateException("launch of " + f.name() + " with grid " + gridX + "," + gridY + "," + gridZ
                    + " block " + blockX + "," + blockY + "," + blockZ + " and " + sharedBytes + " shared bytes");
        }
        for (Number a : arguments) {
            if (a instanceof Long v && v >= FIRST_ADDRESS) {
                view(v, 0);
            }
        }
        List<Number> copy = List.copyOf(arguments);
        Body body = kernels.get(f.name());
        ((FakeStream) stream).submit(() -> {
            if (body != null) {
                body.run(this, copy);
            }
        });
    }

    // ------------------------------------------------------------------------------------------ captured graphs

    @Override
    public synchronized void beginCapture(Stream stream) {
        deviceCall("beginCapture");
        FakeStream s = (FakeStream) stream;
        if (s.captured != null) {
            throw new IllegalStateException("two captures at once");
        }
        s.captured = new ArrayList<>();
    }

    @Override
    public synchronized Executable endCapture(Stream stream) {
        FakeStream s = (FakeStream) stream;
        List<Runnable> work = s.captured;
        if (work == null) {
            throw new IllegalStateException("no capture");
        }
        // As in CUDA, a capture that ends with a failure has ended.
        s.captured = null;
        deviceCall("endCapture");
        return new FakeExecutable(work);
    }

    @Override
    public synchronized void abandonCapture(Stream stream) {
        ((FakeStream) stream).captured = null;
    }

    @Override
    public synchronized void launch(Executable executable, Stream stream) {
        deviceCall("launchGraph");
        FakeExecutable e = (FakeExecutable) executable;
        e.requireOpen();
        if (!idle) {
            e.work.forEach(((FakeStream) stream)::submit);
        }
    }

    // ------------------------------------------------------------------------------------------ matrix products

    @Override
    public boolean hasMatmul() {
        return matmuls;
    }

    @Override
    public synchronized Matmul createMatmul(MatmulShape shape, long workspaceBytes) {
        deviceCall("createMatmul");
        if (!matmuls) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, "no matrix products");
        }
        if (refusesBatches && shape.batch() > 1) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, "no algorithm for a batch");
        }
        return new FakeMatmul(shape, 0);
    }

    @Override
    public synchronized Matmul createMatmul(MatmulShape shape, long workspaceBytes, byte[] algorithm) {
        deviceCall("createMatmul with " + algorithm[0]);
        if (algorithm.length != 1 || algorithm[0] < 0 || algorithm[0] >= algorithmMillis.size()) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, "unknown algorithm");
        }
        return new FakeMatmul(shape, algorithm[0]);
    }

    @Override
    public long matmulVersion() {
        return 130100;
    }

    @Override
    public synchronized List<byte[]> matmulAlgorithms(MatmulShape shape, long workspaceBytes, int most) {
        deviceCall("matmulAlgorithms");
        List<byte[]> out = new ArrayList<>();
        for (int i = 0; i < Math.min(most, algorithmMillis.size()); i++) {
            out.add(new byte[] {(byte) i});
        }
        return out;
    }

    @Override
    public synchronized void matmul(Matmul matmul, MatmulMemory memory, Stream stream) {
        deviceCall("matmul");
        FakeMatmul m = (FakeMatmul) matmul;
        m.requireOpen();
        if (memory.a() % 16 != 0 || memory.b() % 16 != 0 || memory.d() % 16 != 0) {
            throw new IllegalStateException("misaligned matrix product");
        }
        if ((memory.bias() != null) != (m.shape.epilogue() == Epilogue.BIAS)) {
            throw new IllegalStateException("bias does not fit the epilogue");
        }
        boolean scaled = m.shape.operands() == DType.F8_E4M3;
        if ((memory.scaleA() != null) != scaled || (memory.scaleB() != null) != scaled) {
            throw new IllegalStateException("scales do not fit the operands");
        }
        ((FakeStream) stream).submit(() -> {
            deviceMillis += algorithmMillis.get(m.algorithm);
            multiply(m.shape, memory);
        });
    }

    private void multiply(MatmulShape s, MatmulMemory m) {
        Long bias = m.bias();
        Long scaleA = m.scaleA();
        Long scaleB = m.scaleB();
        for (long batch = 0; batch < s.batch(); batch++) {
            for (long i = 0; i < s.m(); i++) {
                for (long j = 0; j < s.n(); j++) {
                    double sum = 0;
                    for (long k = 0; k < s.k(); k++) {
                        long inB = s.transposedB() ? j * s.k() + k : k * s.n() + j;
                        sum += element(s.operands(), m.a(), batch * s.strideA() + i * s.k() + k)
                                * element(s.operands(), m.b(), batch * s.strideB() + inB);
                    }
                    if (scaleA != null && scaleB != null) {
                        sum *= element(DType.F32, scaleA, i) * element(DType.F32, scaleB, j);
                    }
                    sum += bias == null ? 0 : element(s.result(), bias, batch * s.strideBias() + j);
                    store(s.result(), m.d(), batch * s.strideD() + i * s.n() + j, sum);
                }
            }
        }
    }

    private double element(DType type, long base, long index) {
        ByteBuffer v = view(base + index * type.byteSize(), type.byteSize());
        return switch (type) {
            case F32 -> v.getFloat(0);
            case F16 -> FloatFormats.f16ToFloat(v.getShort(0));
            case BF16 -> FloatFormats.bf16ToFloat(v.getShort(0));
            case F8_E4M3 -> FloatFormats.f8e4m3ToFloat(v.get(0));
            default -> throw new IllegalStateException("product of " + type);
        };
    }

    private void store(DType type, long base, long index, double value) {
        ByteBuffer v = view(base + index * type.byteSize(), type.byteSize());
        switch (type) {
            case F32 -> v.putFloat(0, (float) value);
            case F16 -> v.putShort(0, FloatFormats.floatToF16((float) value));
            case BF16 -> v.putShort(0, FloatFormats.floatToBf16((float) value));
            default -> throw new IllegalStateException("product of " + type);
        }
    }
}
