package io.teleworld.cuda.driver;

import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The CUDA driver API and cuBLASLt through the JavaCPP presets; {@link CudaLibraries} makes it. */
final class PresetsDriver implements CudaDriver {

    private static final Logger LOG = LoggerFactory.getLogger(PresetsDriver.class);

    /** A block may use this much dynamic shared memory without asking for more. */
    private static final int PLAIN_SHARED_BYTES = 48 * 1024;

    /** A {@code cublasLtMatmulAlgo_t} is eight numbers of 64 bits. */
    private static final int ALGORITHM_LONGS = 8;

    /** Views start at multiples of this, see StaticPlan. */
    private static final int ALIGNMENT = 16;

    private final boolean matmuls;
    /** cuBLASLt's handles by device, made at first use and kept as long as the process. */
    private final Map<Integer, cublasLtContext> handles = new ConcurrentHashMap<>();

    /** Where an elapsed time is returned; reading one then makes no object. */
    private final ThreadLocal<float[]> elapsed = ThreadLocal.withInitial(() -> new float[1]);

    /** Initialises the driver. The presets' cudart class must have been loaded. */
    PresetsDriver() {
        check("cuInit", cudart.cuInit(0));
        matmuls = loadCublas();
    }

    private static boolean loadCublas() {
        try {
            Loader.load(cublas.class);
            return true;
        } catch (LinkageError e) {
            LOG.warn("cuBLASLt cannot be loaded ({}); plain kernels compute matrix products", e.getMessage());
            return false;
        }
    }

    private static void check(String call, int status) {
        if (status != cudart.CUDA_SUCCESS) {
            throw CudaStatus.ofDriver(call, status, driverName(status));
        }
    }

    private static String driverName(int status) {
        try (PointerPointer<BytePointer> name = new PointerPointer<>(1)) {
            if (cudart.cuGetErrorName(status, name) != cudart.CUDA_SUCCESS) {
                return "unknown error";
            }
            return name.get(BytePointer.class, 0).getString(StandardCharsets.US_ASCII);
        }
    }

    private static void checkCublas(String call, int status) {
        if (status != cublas.CUBLAS_STATUS_SUCCESS) {
            throw CudaStatus.ofCublas(
                    call, status, cublas.cublasLtGetStatusName(status).getString(StandardCharsets.US_ASCII));
        }
    }

    // ------------------------------------------------------------------------------------------ handles

    private abstract static class Handle implements AutoCloseable {

        private final AtomicBoolean closed = new AtomicBoolean();

        abstract void release();

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                release();
            }
        }
    }

    private static final class PresetsContext extends Handle implements Context {

        private final int ordinal;
        private final CUctx_st context = new CUctx_st();

        PresetsContext(int ordinal) {
            this.ordinal = ordinal;
            check("cuDevicePrimaryCtxRetain", cudart.cuDevicePrimaryCtxRetain(context, ordinal));
        }

        @Override
        public void makeCurrent() {
            check("cuCtxSetCurrent", cudart.cuCtxSetCurrent(context));
        }

        @Override
        void release() {
            check("cuDevicePrimaryCtxRelease", cudart.cuDevicePrimaryCtxRelease(ordinal));
        }
    }

    private static final class PresetsStream extends Handle implements Stream {

        private final CUstream_st stream = new CUstream_st();

        PresetsStream() {
            check("cuStreamCreate", cudart.cuStreamCreate(stream, cudart.CU_STREAM_NON_BLOCKING));
        }

        @Override
        void release() {
            check("cuStreamDestroy", cudart.cuStreamDestroy(stream));
        }
    }

    private static final class PresetsEvent extends Handle implements Event {

        private final CUevent_st event = new CUevent_st();

        PresetsEvent() {
            check("cuEventCreate", cudart.cuEventCreate(event, cudart.CU_EVENT_DEFAULT));
        }

        @Override
        void release() {
            check("cuEventDestroy", cudart.cuEventDestroy(event));
        }
    }

    private static final class PresetsModule extends Handle implements Module {

        private final CUmod_st module = new CUmod_st();

        PresetsModule(byte[] image) {
            // PTX is text that must end with a zero; a cubin does not mind one.
            try (BytePointer bytes = new BytePointer(image.length + 1L)) {
                bytes.put(image, 0, image.length).put(image.length, (byte) 0);
                check("cuModuleLoadData", cudart.cuModuleLoadData(module, bytes));
            }
        }

        @Override
        public Function function(String name) {
            CUfunc_st function = new CUfunc_st();
            check("cuModuleGetFunction of " + name, cudart.cuModuleGetFunction(function, module, name));
            return new PresetsFunction(name, function);
        }

        @Override
        void release() {
            check("cuModuleUnload", cudart.cuModuleUnload(module));
        }
    }

    private record PresetsFunction(String name, CUfunc_st function) implements Function {}

    private static final class PresetsExecutable extends Handle implements Executable {

        private final CUgraphExec_st graph = new CUgraphExec_st();

        @Override
        void release() {
            check("cuGraphExecDestroy", cudart.cuGraphExecDestroy(graph));
        }
    }

    private static final class PresetsPinned extends Handle implements PinnedMemory {

        private final Pointer memory;
        private final ByteBuffer buffer;
        /** Whether the memory is the driver's. */
        private final boolean allocated;

        PresetsPinned(ByteBuffer owned) {
            allocated = false;
            buffer = owned.duplicate().clear().order(ByteOrder.LITTLE_ENDIAN);
            memory = new BytePointer(buffer);
            check(
                    "cuMemHostRegister",
                    cudart.cuMemHostRegister(memory, buffer.capacity(), cudart.CU_MEMHOSTREGISTER_PORTABLE));
        }

        PresetsPinned(long bytes) {
            allocated = true;
            try (PointerPointer<Pointer> out = new PointerPointer<>(1)) {
                check("cuMemHostAlloc", cudart.cuMemHostAlloc(out, bytes, cudart.CU_MEMHOSTALLOC_PORTABLE));
                memory = out.get(0);
            }
            buffer = memory.capacity(bytes).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        }

        @Override
        public ByteBuffer buffer() {
            return buffer;
        }

        @Override
        void release() {
            if (allocated) {
                check("cuMemFreeHost", cudart.cuMemFreeHost(memory));
            } else {
                check("cuMemHostUnregister", cudart.cuMemHostUnregister(memory));
            }
        }
    }

    private static CUstream_st of(Stream stream) {
        return ((PresetsStream) stream).stream;
    }

    // ------------------------------------------------------------------------------------------ devices and memory

    @Override
    public int version() {
        int[] v = new int[1];
        check("cuDriverGetVersion", cudart.cuDriverGetVersion(v));
        return v[0];
    }

    @Override
    public List<DeviceProperties> devices() {
        int[] n = new int[1];
        check("cuDeviceGetCount", cudart.cuDeviceGetCount(n));
        List<DeviceProperties> out = new ArrayList<>();
        for (int i = 0; i < n[0]; i++) {
            out.add(device(i));
        }
        return List.copyOf(out);
    }

    private static DeviceProperties device(int ordinal) {
        int[] device = new int[1];
        check("cuDeviceGet", cudart.cuDeviceGet(device, ordinal));
        byte[] name = new byte[256];
        check("cuDeviceGetName", cudart.cuDeviceGetName(name, name.length, device[0]));
        int length = 0;
        while (length < name.length && name[length] != 0) {
            length++;
        }
        try (SizeTPointer total = new SizeTPointer(1)) {
            check("cuDeviceTotalMem", cudart.cuDeviceTotalMem(total, device[0]));
            return new DeviceProperties(
                    ordinal,
                    new String(name, 0, length, StandardCharsets.UTF_8),
                    attribute(cudart.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device[0]),
                    attribute(cudart.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device[0]),
                    attribute(cudart.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device[0]),
                    total.get(),
                    attribute(cudart.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, device[0]),
                    attribute(cudart.CU_DEVICE_ATTRIBUTE_CLOCK_RATE, device[0]));
        }
    }

    private static int attribute(int attribute, int device) {
        int[] v = new int[1];
        check("cuDeviceGetAttribute " + attribute, cudart.cuDeviceGetAttribute(v, attribute, device));
        return v[0];
    }

    @Override
    public Context open(int ordinal) {
        PresetsContext c = new PresetsContext(ordinal);
        c.makeCurrent();
        return c;
    }

    @Override
    public Memory memory() {
        try (SizeTPointer free = new SizeTPointer(1);
                SizeTPointer total = new SizeTPointer(1)) {
            check("cuMemGetInfo", cudart.cuMemGetInfo(free, total));
            return new Memory(free.get(), total.get());
        }
    }

    @Override
    public long allocate(long bytes) {
        long[] address = new long[1];
        check("cuMemAlloc of " + bytes + " bytes", cudart.cuMemAlloc(address, bytes));
        return address[0];
    }

    @Override
    public void free(long address) {
        check("cuMemFree", cudart.cuMemFree(address));
    }

    @Override
    public PinnedMemory allocatePinned(long bytes) {
        return new PresetsPinned(bytes);
    }

    @Override
    public PinnedMemory pin(ByteBuffer buffer) {
        return new PresetsPinned(buffer);
    }

    // ------------------------------------------------------------------------------------------ streams

    @Override
    public Stream createStream() {
        return new PresetsStream();
    }

    @Override
    public Event createEvent() {
        return new PresetsEvent();
    }

    @Override
    public void synchronize(Stream stream) {
        check("cuStreamSynchronize", cudart.cuStreamSynchronize(of(stream)));
    }

    @Override
    public void record(Event event, Stream stream) {
        check("cuEventRecord", cudart.cuEventRecord(((PresetsEvent) event).event, of(stream)));
    }

    @Override
    public void await(Stream stream, Event event) {
        check("cuStreamWaitEvent", cudart.cuStreamWaitEvent(of(stream), ((PresetsEvent) event).event, 0));
    }

    @Override
    public void synchronize(Event event) {
        check("cuEventSynchronize", cudart.cuEventSynchronize(((PresetsEvent) event).event));
    }

    @Override
    public float elapsedMillis(Event start, Event end) {
        float[] ms = elapsed.get();
        check(
                "cuEventElapsedTime",
                cudart.cuEventElapsedTime(ms, ((PresetsEvent) start).event, ((PresetsEvent) end).event));
        return ms[0];
    }

    @Override
    public void copyToDevice(long to, PinnedMemory from, long fromOffset, long bytes, Stream stream) {
        check(
                "cuMemcpyHtoDAsync",
                cudart.cuMemcpyHtoDAsync(
                        to,
                        ((PresetsPinned) from).memory.getPointer(BytePointer.class, fromOffset),
                        bytes,
                        of(stream)));
    }

    @Override
    public void copyToHost(PinnedMemory to, long toOffset, long from, long bytes, Stream stream) {
        check(
                "cuMemcpyDtoHAsync",
                cudart.cuMemcpyDtoHAsync(
                        ((PresetsPinned) to).memory.getPointer(BytePointer.class, toOffset), from, bytes, of(stream)));
    }

    @Override
    public void copyOnDevice(long to, long from, long bytes, Stream stream) {
        check("cuMemcpyDtoDAsync", cudart.cuMemcpyDtoDAsync(to, from, bytes, of(stream)));
    }

    @Override
    public void clear(long address, long bytes, Stream stream) {
        check("cuMemsetD8Async", cudart.cuMemsetD8Async(address, (byte) 0, bytes, of(stream)));
    }

    // ------------------------------------------------------------------------------------------ kernels

    @Override
    public Module load(byte[] image) {
        return new PresetsModule(image);
    }

    @Override
    public void launch(
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
        PresetsFunction f = (PresetsFunction) function;
        if (sharedBytes > PLAIN_SHARED_BYTES) {
            check(
                    "cuFuncSetAttribute of " + f.name(),
                    cudart.cuFuncSetAttribute(
                            f.function(), cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes));
        }
        int n = arguments.size();
        // CUDA copies the values when it is called, so they may go right afterwards.
        try (BytePointer values = new BytePointer(Math.max(1, 8L * n));
                PointerPointer<Pointer> parameters = new PointerPointer<>(Math.max(1, n))) {
            for (int i = 0; i < n; i++) {
                Number a = arguments.get(i);
                BytePointer place = values.getPointer(8L * i);
                if (a instanceof Integer v) {
                    place.putInt(v);
                } else if (a instanceof Float v) {
                    place.putFloat(v);
                } else if (a instanceof Long v) {
                    place.putLong(v);
                } else {
                    throw new IllegalArgumentException("argument " + i + " of " + f.name() + " is a "
                            + a.getClass().getSimpleName() + "; allowed are Long, Integer and Float");
                }
                parameters.put(i, place);
            }
            check(
                    "cuLaunchKernel of " + f.name(),
                    cudart.cuLaunchKernel(
                            f.function(),
                            gridX,
                            gridY,
                            gridZ,
                            blockX,
                            blockY,
                            blockZ,
                            sharedBytes,
                            of(stream),
                            parameters,
                            (PointerPointer<?>) null));
        }
    }

    // ------------------------------------------------------------------------------------------ captured graphs

    @Override
    public void beginCapture(Stream stream) {
        check(
                "cuStreamBeginCapture",
                cudart.cuStreamBeginCapture(of(stream), cudart.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    }

    @Override
    public Executable endCapture(Stream stream) {
        CUgraph_st graph = new CUgraph_st();
        check("cuStreamEndCapture", cudart.cuStreamEndCapture(of(stream), graph));
        try {
            PresetsExecutable out = new PresetsExecutable();
            check("cuGraphInstantiate", cudart.cuGraphInstantiate(out.graph, graph, 0));
            return out;
        } finally {
            check("cuGraphDestroy", cudart.cuGraphDestroy(graph));
        }
    }

    @Override
    public void abandonCapture(Stream stream) {
        CUgraph_st graph = new CUgraph_st();
        int status = cudart.cuStreamEndCapture(of(stream), graph);
        if (status == cudart.CUDA_SUCCESS && !graph.isNull()) {
            status = cudart.cuGraphDestroy(graph);
        }
        if (status != cudart.CUDA_SUCCESS) {
            LOG.debug("an abandoned capture ended with {}", driverName(status));
        }
    }

    @Override
    public void launch(Executable executable, Stream stream) {
        check("cuGraphLaunch", cudart.cuGraphLaunch(((PresetsExecutable) executable).graph, of(stream)));
    }

    // ------------------------------------------------------------------------------------------ matrix products

    @Override
    public boolean hasMatmul() {
        return matmuls;
    }

    private void requireMatmul() {
        if (!matmuls) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, "cuBLASLt could not be loaded");
        }
    }

    private cublasLtContext handle() {
        int[] device = new int[1];
        check("cuCtxGetDevice", cudart.cuCtxGetDevice(device));
        return handles.computeIfAbsent(device[0], d -> {
            cublasLtContext handle = new cublasLtContext();
            checkCublas("cublasLtCreate", cublas.cublasLtCreate(handle));
            return handle;
        });
    }

    @Override
    public Matmul createMatmul(MatmulShape shape, long workspaceBytes) {
        return matmul(shape, workspaceBytes, m -> m.set(m.propose(1).get(0)));
    }

    @Override
    public Matmul createMatmul(MatmulShape shape, long workspaceBytes, byte[] algorithm) {
        return matmul(shape, workspaceBytes, m -> m.setChecked(algorithm));
    }

    private PresetsMatmul matmul(MatmulShape shape, long workspaceBytes, Consumer<PresetsMatmul> choice) {
        requireMatmul();
        PresetsMatmul m = new PresetsMatmul(handle(), shape, workspaceBytes);
        try {
            m.describe();
            choice.accept(m);
            return m;
        } catch (RuntimeException e) {
            m.close();
            throw e;
        }
    }

    @Override
    public long matmulVersion() {
        requireMatmul();
        return cublas.cublasLtGetVersion();
    }

    @Override
    public List<byte[]> matmulAlgorithms(MatmulShape shape, long workspaceBytes, int most) {
        List<byte[]> out = new ArrayList<>();
        matmul(shape, workspaceBytes, m -> out.addAll(m.propose(most))).close();
        return out;
    }

    @Override
    public void matmul(Matmul matmul, MatmulMemory memory, Stream stream) {
        ((PresetsMatmul) matmul).run(memory, of(stream));
    }

    private static int type(DType dtype) {
        return switch (dtype) {
            case F32 -> cudart.CUDA_R_32F;
            case F16 -> cudart.CUDA_R_16F;
            case BF16 -> cudart.CUDA_R_16BF;
            case F8_E4M3 -> cudart.CUDA_R_8F_E4M3;
            default ->
                throw new IllegalArgumentException(
                        "matrix products of " + dtype + "; allowed are F32, F16, BF16, F8_E4M3");
        };
    }

    /**
     * A row-major product as cuBLASLt sees it: row-major [r,c] is column-major [c,r], so Dᵀ = Bᵀ·Aᵀ with cuBLAS's first
     * operand our B.
     */
    private static final class PresetsMatmul extends Handle implements Matmul {

        private final cublasLtContext handle;
        private final MatmulShape shape;
        private final long workspaceBytes;
        private final cublasLtMatmulDescOpaque_t description;
        private final List<cublasLtMatrixLayoutOpaque_t> layouts = new ArrayList<>();
        private final cublasLtMatmulAlgo_t chosen = new cublasLtMatmulAlgo_t(1);
        private final FloatPointer one = new FloatPointer(1f);
        private final FloatPointer zero = new FloatPointer(0f);

        PresetsMatmul(cublasLtContext handle, MatmulShape shape, long workspaceBytes) {
            this.handle = handle;
            this.shape = shape;
            this.workspaceBytes = workspaceBytes;
            try (PointerPointer<Pointer> out = new PointerPointer<>(1)) {
                checkCublas(
                        "cublasLtMatmulDescCreate",
                        cublas.cublasLtMatmulDescCreate(out, cublas.CUBLAS_COMPUTE_32F, cudart.CUDA_R_32F));
                description = new cublasLtMatmulDescOpaque_t(out.get(0));
            }
        }

        /** Says what is multiplied; once, before an algorithm is set. */
        void describe() {
            attribute(
                    cublas.CUBLASLT_MATMUL_DESC_TRANSA, shape.transposedB() ? cublas.CUBLAS_OP_T : cublas.CUBLAS_OP_N);
            attribute(cublas.CUBLASLT_MATMUL_DESC_TRANSB, cublas.CUBLAS_OP_N);
            if (shape.epilogue() == Epilogue.BIAS) {
                attribute(cublas.CUBLASLT_MATMUL_DESC_EPILOGUE, cublas.CUBLASLT_EPILOGUE_BIAS);
                attribute(cublas.CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type(shape.result()));
                if (shape.batch() > 1) {
                    pointer(cublas.CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, shape.strideBias());
                }
            }
            int in = type(shape.operands());
            if (shape.operands() == DType.F8_E4M3) {
                // Our B is cuBLAS's first operand; each of its columns there is a row here.
                attribute(cublas.CUBLASLT_MATMUL_DESC_A_SCALE_MODE, cublas.CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F);
                attribute(cublas.CUBLASLT_MATMUL_DESC_B_SCALE_MODE, cublas.CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F);
            }
            if (shape.transposedB()) {
                layouts.add(layout(in, shape.k(), shape.n(), shape.strideB()));
            } else {
                layouts.add(layout(in, shape.n(), shape.k(), shape.strideB()));
            }
            layouts.add(layout(in, shape.k(), shape.m(), shape.strideA()));
            layouts.add(layout(type(shape.result()), shape.n(), shape.m(), shape.strideD()));
        }

        /** The heuristic's algorithms, the best first; at least one. */
        List<byte[]> propose(int most) {
            try (PointerPointer<Pointer> out = new PointerPointer<>(1);
                    cublasLtMatmulHeuristicResult_t proposals = new cublasLtMatmulHeuristicResult_t(most);
                    IntPointer found = new IntPointer(1)) {
                checkCublas("cublasLtMatmulPreferenceCreate", cublas.cublasLtMatmulPreferenceCreate(out));
                cublasLtMatmulPreferenceOpaque_t preference = new cublasLtMatmulPreferenceOpaque_t(out.get(0));
                try {
                    prefer(preference, cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspaceBytes, 8);
                    int size = shape.operands().byteSize();
                    prefer(
                            preference,
                            cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                            align(shape.strideB() * size),
                            4);
                    prefer(
                            preference,
                            cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            align(shape.strideA() * size),
                            4);
                    long d = align(shape.strideD() * shape.result().byteSize());
                    prefer(preference, cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, d, 4);
                    prefer(preference, cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, d, 4);
                    int status = cublas.cublasLtMatmulAlgoGetHeuristic(
                            handle,
                            description,
                            layouts.get(0),
                            layouts.get(1),
                            layouts.get(2),
                            layouts.get(2),
                            preference,
                            most,
                            proposals,
                            found);
                    checkCublas("cublasLtMatmulAlgoGetHeuristic for " + shape, status);
                    List<byte[]> algorithms = new ArrayList<>();
                    for (int i = 0; i < found.get(); i++) {
                        cublasLtMatmulHeuristicResult_t p = proposals.getPointer(i);
                        if (p.state() == cublas.CUBLAS_STATUS_SUCCESS) {
                            algorithms.add(bytes(p.algo()));
                        }
                    }
                    if (algorithms.isEmpty()) {
                        throw new TeleWorldException(
                                TeleWorldException.Category.BACKEND, "cuBLASLt has no algorithm for " + shape);
                    }
                    return algorithms;
                } finally {
                    checkCublas("cublasLtMatmulPreferenceDestroy", cublas.cublasLtMatmulPreferenceDestroy(preference));
                }
            }
        }

        /** An algorithm is plain data, good for the same version of the library. */
        private static byte[] bytes(cublasLtMatmulAlgo_t algorithm) {
            ByteBuffer b = ByteBuffer.allocate(ALGORITHM_LONGS * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < ALGORITHM_LONGS; i++) {
                b.putLong(algorithm.data(i));
            }
            return b.array();
        }

        void set(byte[] algorithm) {
            if (algorithm.length != ALGORITHM_LONGS * Long.BYTES) {
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "an algorithm of " + algorithm.length + " bytes for " + shape + "; it must have "
                                + ALGORITHM_LONGS * Long.BYTES);
            }
            ByteBuffer b = ByteBuffer.wrap(algorithm).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < ALGORITHM_LONGS; i++) {
                chosen.data(i, b.getLong());
            }
        }

        /** Takes an algorithm from elsewhere if cuBLASLt says that it fits. */
        void setChecked(byte[] algorithm) {
            set(algorithm);
            try (cublasLtMatmulHeuristicResult_t result = new cublasLtMatmulHeuristicResult_t(1)) {
                checkCublas(
                        "cublasLtMatmulAlgoCheck for " + shape,
                        cublas.cublasLtMatmulAlgoCheck(
                                handle,
                                description,
                                layouts.get(0),
                                layouts.get(1),
                                layouts.get(2),
                                layouts.get(2),
                                chosen,
                                result));
                if (result.workspaceSize() > workspaceBytes) {
                    throw new TeleWorldException(
                            TeleWorldException.Category.BACKEND,
                            "an algorithm for " + shape + " needs " + result.workspaceSize()
                                    + " bytes of scratch memory; there are " + workspaceBytes);
                }
            }
        }

        /** The alignment in bytes that every matrix of a batch has. */
        private static long align(long strideBytes) {
            return strideBytes == 0 ? ALIGNMENT : Math.min(ALIGNMENT, Long.lowestOneBit(strideBytes));
        }

        private static void prefer(cublasLtMatmulPreferenceOpaque_t p, int attribute, long value, int bytes) {
            // Little-endian, so the first four bytes of a long are the int.
            try (LongPointer v = new LongPointer(new long[] {value})) {
                checkCublas(
                        "cublasLtMatmulPreferenceSetAttribute",
                        cublas.cublasLtMatmulPreferenceSetAttribute(p, attribute, v, bytes));
            }
        }

        private void attribute(int attribute, int value) {
            try (IntPointer v = new IntPointer(new int[] {value})) {
                checkCublas(
                        "cublasLtMatmulDescSetAttribute",
                        cublas.cublasLtMatmulDescSetAttribute(description, attribute, v, 4));
            }
        }

        private cublasLtMatrixLayoutOpaque_t layout(int type, long rows, long columns, long stride) {
            try (PointerPointer<Pointer> out = new PointerPointer<>(1)) {
                checkCublas(
                        "cublasLtMatrixLayoutCreate",
                        cublas.cublasLtMatrixLayoutCreate(out, type, rows, columns, rows));
                cublasLtMatrixLayoutOpaque_t layout = new cublasLtMatrixLayoutOpaque_t(out.get(0));
                if (shape.batch() > 1) {
                    try (IntPointer batch = new IntPointer(new int[] {shape.batch()});
                            LongPointer offset = new LongPointer(new long[] {stride})) {
                        checkCublas(
                                "cublasLtMatrixLayoutSetAttribute",
                                cublas.cublasLtMatrixLayoutSetAttribute(
                                        layout, cublas.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, batch, 4));
                        checkCublas(
                                "cublasLtMatrixLayoutSetAttribute",
                                cublas.cublasLtMatrixLayoutSetAttribute(
                                        layout, cublas.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, offset, 8));
                    }
                }
                return layout;
            }
        }

        private void pointer(int attribute, @Nullable Long addressOrStride) {
            if (addressOrStride != null) {
                try (LongPointer v = new LongPointer(new long[] {addressOrStride})) {
                    checkCublas(
                            "cublasLtMatmulDescSetAttribute",
                            cublas.cublasLtMatmulDescSetAttribute(description, attribute, v, 8));
                }
            }
        }

        void run(MatmulMemory memory, CUstream_st stream) {
            pointer(cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER, memory.bias());
            pointer(cublas.CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, memory.scaleB());
            pointer(cublas.CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, memory.scaleA());
            Pointer result = new Address(memory.d());
            checkCublas(
                    "cublasLtMatmul",
                    cublas.cublasLtMatmul(
                            handle,
                            description,
                            one,
                            new Address(memory.b()),
                            layouts.get(0),
                            new Address(memory.a()),
                            layouts.get(1),
                            zero,
                            result,
                            layouts.get(2),
                            result,
                            layouts.get(2),
                            chosen,
                            new Address(memory.workspace()),
                            workspaceBytes,
                            stream));
        }

        @Override
        void release() {
            for (cublasLtMatrixLayoutOpaque_t layout : layouts) {
                checkCublas("cublasLtMatrixLayoutDestroy", cublas.cublasLtMatrixLayoutDestroy(layout));
            }
            checkCublas("cublasLtMatmulDescDestroy", cublas.cublasLtMatmulDescDestroy(description));
            chosen.close();
            one.close();
            zero.close();
        }
    }

    /** A device address where the presets want a pointer; never read by Java. */
    private static final class Address extends Pointer {
        Address(long address) {
            this.address = address;
        }
    }
}
