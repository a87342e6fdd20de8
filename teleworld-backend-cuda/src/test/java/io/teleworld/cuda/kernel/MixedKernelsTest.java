package io.teleworld.cuda.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.assertj.core.data.Offset;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernels between fp32 and narrow types on the CPU, against plain loops. */
class MixedKernelsTest {

    @TempDir
    static @Nullable Path directory;

    private static @Nullable KernelEmulator emulator;

    private final SplittableRandom random = new SplittableRandom();

    @BeforeAll
    static void compile() {
        Assumptions.assumeTrue(KernelEmulator.has("g++"), "no g++");
        if (directory != null) {
            emulator = KernelEmulator.build(directory);
        }
    }

    private double[] draw(int n) {
        double[] d = new double[n];
        Arrays.setAll(d, i -> (float) random.nextDouble(-1.5, 1.5));
        return d;
    }

    private static TensorType type(DType dtype, long... shape) {
        return new TensorType(dtype, Shape.of(shape));
    }

    private static double[] stored(DType dtype, double[] v) {
        return EmulatedKernelsTest.numbers(dtype, ByteBuffer.wrap(EmulatedKernelsTest.bytes(dtype, v)));
    }

    private static byte[] poison(long bytes) {
        byte[] b = new byte[Math.toIntExact(bytes)];
        Arrays.fill(b, (byte) 0xa5);
        return b;
    }

    private static List<byte[]> run(KernelLaunch launch, List<byte[]> buffers) {
        KernelEmulator e = emulator;
        if (e == null) {
            throw new IllegalStateException("not built");
        }
        e.run(List.of(launch), buffers);
        return buffers;
    }

    private double[] compute(Op op, List<TensorType> in, TensorType out, List<double[]> values) {
        List<byte[]> buffers = new ArrayList<>();
        List<Integer> numbers = new ArrayList<>();
        for (int i = 0; i < in.size(); i++) {
            numbers.add(i);
            buffers.add(EmulatedKernelsTest.bytes(in.get(i).dtype(), values.get(i)));
        }
        assertThat(MixedKernels.takes(op, in, List.of(out))).isTrue();
        buffers.add(poison(out.shape().elementCount().known() * out.dtype().byteSize()));
        run(MixedKernels.choose(op, in, List.of(out), numbers, List.of(in.size())), buffers);
        return EmulatedKernelsTest.numbers(out.dtype(), ByteBuffer.wrap(buffers.get(in.size())));
    }

    private static double[] normed(double[] x, int row, int width, boolean centred, double epsilon) {
        double mean = 0;
        for (int i = 0; centred && i < width; i++) {
            mean += x[row * width + i] / width;
        }
        double square = 0;
        for (int i = 0; i < width; i++) {
            square += (x[row * width + i] - mean) * (x[row * width + i] - mean) / width;
        }
        double[] y = new double[width];
        for (int i = 0; i < width; i++) {
            y[i] = (x[row * width + i] - mean) / Math.sqrt(square + epsilon);
        }
        return y;
    }

    private static void assertClose(double[] actual, double[] expected, double tolerance) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i])
                    .as("element %d", i)
                    .isCloseTo(expected[i], Offset.offset(tolerance * (1 + Math.abs(expected[i]))));
        }
    }

    @Test
    void normsWriteTheNarrowTypeFromF32() {
        for (DType narrow : List.of(DType.BF16, DType.F16)) {
            for (int width : new int[] {1, 7, 64, 520, 2056}) {
                int rows = 1 + random.nextInt(4);
                double[] x = draw(rows * width);
                double[] scale = draw(width);
                double[] bias = draw(width);
                TensorType t = type(DType.F32, rows, width);
                TensorType w = type(DType.F32, width);
                double[] layer = compute(
                        new Op.LayerNormalization(1e-5),
                        List.of(t, w, w),
                        type(narrow, rows, width),
                        List.of(x, scale, bias));
                double[] rms = compute(
                        new Op.RMSNormalization(1e-5), List.of(t, w), type(narrow, rows, width), List.of(x, scale));
                double[] layerWanted = new double[x.length];
                double[] rmsWanted = new double[x.length];
                for (int r = 0; r < rows; r++) {
                    double[] a = normed(x, r, width, true, 1e-5);
                    double[] b = normed(x, r, width, false, 1e-5);
                    for (int i = 0; i < width; i++) {
                        layerWanted[r * width + i] = a[i] * scale[i] + bias[i];
                        rmsWanted[r * width + i] = b[i] * scale[i];
                    }
                }
                assertClose(layer, layerWanted, 1e-2);
                assertClose(rms, rmsWanted, 1e-2);
            }
        }
    }

    @Test
    void modulatedNormsWriteTheNarrowTypeOrE4m3FromF32() {
        for (int width : new int[] {5, 64, 2056}) {
            int frames = 1 + random.nextInt(3);
            int tokens = 1 + random.nextInt(3);
            boolean shared = random.nextBoolean();
            double[] x = draw(frames * tokens * width);
            double[] shift = draw(frames * width);
            double[] scale = draw(shared ? width : frames * width);
            TensorType t = type(DType.F32, 1, frames, tokens, width);
            TensorType per = type(DType.F32, 1, frames, 1, width);
            TensorType all = shared ? type(DType.F32, width) : per;
            Op.ModulatedLayerNorm op = new Op.ModulatedLayerNorm(1e-6);
            double[] wanted = new double[x.length];
            for (int r = 0; r < frames * tokens; r++) {
                double[] a = normed(x, r, width, true, 1e-6);
                int f = r / tokens;
                for (int i = 0; i < width; i++) {
                    wanted[r * width + i] = a[i] * (1 + scale[(shared ? 0 : f * width) + i]) + shift[f * width + i];
                }
            }
            assertClose(
                    compute(
                            op,
                            List.of(t, per, all),
                            type(DType.BF16, 1, frames, tokens, width),
                            List.of(x, shift, scale)),
                    wanted,
                    1e-2);
            assertThat(MixedKernels.quantises(op, List.of(t, per, all))).isEqualTo(width % 8 == 0);
            if (width % 8 == 0) {
                List<byte[]> buffers = run(
                        MixedKernels.quantisedModulatedLayerNorm(op, List.of(t, per, all), List.of(0, 1, 2), 3, 4),
                        List.of(
                                EmulatedKernelsTest.bytes(DType.F32, x),
                                EmulatedKernelsTest.bytes(DType.F32, shift),
                                EmulatedKernelsTest.bytes(DType.F32, scale),
                                poison(x.length),
                                poison(4L * frames * tokens)));
                assertQuantised(buffers.get(3), buffers.get(4), wanted, width);
            }
        }
    }

    /** Each row's largest magnitude is 448, and no number is further off than half a step of e4m3. */
    private static void assertQuantised(byte[] codes, byte[] scales, double[] wanted, int width) {
        double[] q = EmulatedKernelsTest.numbers(DType.F8_E4M3, ByteBuffer.wrap(codes));
        double[] s = EmulatedKernelsTest.numbers(DType.F32, ByteBuffer.wrap(scales));
        for (int r = 0; r < s.length; r++) {
            double top = 0;
            for (int i = 0; i < width; i++) {
                double w = wanted[r * width + i];
                top = Math.max(top, Math.abs(w));
                double step = Math.max(Math.abs(w) / 16, s[r] * 0x1p-10);
                assertThat(q[r * width + i] * s[r]).isCloseTo(w, Offset.offset(step * 1.001 + 1e-6));
            }
            assertThat(s[r]).isCloseTo(top / 448, Offset.offset(1e-5));
        }
    }

    @Test
    void rowsAreQuantisedWithOneScaleEach() {
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            int rows = 3;
            int width = 8 * (1 + random.nextInt(300));
            double[] x = stored(dtype, draw(rows * width));
            Arrays.fill(x, 0, width, 0);
            List<byte[]> buffers = run(
                    MixedKernels.quantiseRows(dtype, 0, 1, 2, rows, width),
                    List.of(EmulatedKernelsTest.bytes(dtype, x), poison(x.length), poison(4 * rows)));
            double[] scales = EmulatedKernelsTest.numbers(DType.F32, ByteBuffer.wrap(buffers.get(2)));
            assertThat(scales[0]).isEqualTo(1);
            assertQuantised(
                    Arrays.copyOfRange(buffers.get(1), width, rows * width),
                    Arrays.copyOfRange(buffers.get(2), 4, 4 * rows),
                    Arrays.copyOfRange(x, width, rows * width),
                    width);
        }
    }

    @Test
    void sumsTakeNarrowTermsIntoF32() {
        for (DType narrow : List.of(DType.BF16, DType.F16)) {
            for (int width : new int[] {3, 8, 136}) {
                int frames = 1 + random.nextInt(3);
                int tokens = 1 + random.nextInt(5);
                int n = frames * tokens * width;
                double[] x = draw(n);
                double[] u = stored(narrow, draw(n));
                double[] v = stored(narrow, draw(n));
                double[] gate = draw(frames * width);
                TensorType wide = type(DType.F32, frames, tokens, width);
                TensorType small = type(narrow, frames, tokens, width);
                double[] gated = new double[n];
                double[] sum = new double[n];
                double[] both = new double[n];
                for (int i = 0; i < n; i++) {
                    gated[i] = x[i] + u[i] * gate[i / (tokens * width) * width + i % width];
                    sum[i] = x[i] + u[i];
                    both[i] = u[i] + v[i];
                }
                TensorType g = type(DType.F32, frames, 1, width);
                assertClose(
                        compute(new Op.GatedResidual(), List.of(wide, small, g), wide, List.of(x, u, gate)),
                        gated,
                        1e-6);
                assertClose(compute(new Op.Add(), List.of(wide, small), wide, List.of(x, u)), sum, 1e-6);
                assertClose(compute(new Op.Add(), List.of(small, wide), wide, List.of(u, x)), sum, 1e-6);
                assertClose(compute(new Op.Add(), List.of(small, small), wide, List.of(u, v)), both, 1e-6);
            }
        }
    }

    @Test
    void otherMixturesAreRefusedByName() {
        TensorType wide = type(DType.F32, 2, 8);
        TensorType narrow = type(DType.BF16, 2, 8);
        assertThatThrownBy(() -> MixedKernels.choose(
                        new Op.GatedResidual(),
                        List.of(narrow, wide, wide),
                        List.of(wide),
                        List.of(0, 1, 2),
                        List.of(3)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("GatedResidual");
        assertThat(MixedKernels.takes(new Op.Mul(), List.of(wide, narrow), List.of(wide)))
                .isFalse();
    }
}
