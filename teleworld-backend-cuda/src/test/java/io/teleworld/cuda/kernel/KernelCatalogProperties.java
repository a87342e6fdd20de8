package io.teleworld.cuda.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import java.util.List;
import java.util.stream.LongStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** Launch parameters cover what they must and stay within the device's limits; strides mean what they say. */
class KernelCatalogProperties {

    @Provide
    Arbitrary<long[]> shapes() {
        return Arbitraries.longs()
                .between(1, 300)
                .array(long[].class)
                .ofMinSize(1)
                .ofMaxSize(5)
                .filter(s -> product(s) < 40_000_000);
    }

    @Property(tries = 300)
    void elementWiseGridsCoverEachElementOnce(@ForAll("shapes") long[] shape, @ForAll DType dtype) {
        TensorType t = new TensorType(dtype, Shape.of(shape));
        KernelChoice choice = KernelCatalog.choose(new Op.Relu(), List.of(t), List.of(t), List.of(0), List.of(1));
        if (dtype != DType.F32 && dtype != DType.BF16 && dtype != DType.F16) {
            assertThat(choice).isInstanceOf(KernelChoice.Unsupported.class);
            return;
        }
        KernelLaunch l = ((KernelChoice.Kernels) choice).launches().get(0);
        long n = product(shape);
        long perBlock = l.blockX() * (16L / dtype.byteSize());
        assertThat(l.gridX() * perBlock).isGreaterThanOrEqualTo(n);
        assertThat((l.gridX() - 1) * perBlock).isLessThan(n);
        assertThat(l.arguments()).contains(new KernelLaunch.Int((int) n));
    }

    @Property(tries = 300)
    void rowKernelsHaveOneBlockPerRowWithinTheLimits(@ForAll("shapes") long[] shape) {
        TensorType x = new TensorType(DType.BF16, Shape.of(shape));
        long width = shape[shape.length - 1];
        TensorType scale = new TensorType(DType.BF16, Shape.of(width));
        KernelLaunch l = ((KernelChoice.Kernels) KernelCatalog.choose(
                        new Op.RMSNormalization(1e-6), List.of(x, scale), List.of(x), List.of(0, 1), List.of(2)))
                .launches()
                .get(0);
        assertThat((long) l.gridX()).isEqualTo(product(shape) / width);
        assertThat(l.blockX() % 32).isZero();
        assertThat(l.blockX()).isLessThanOrEqualTo(KernelLaunch.MAX_THREADS);
    }

    @Property(tries = 300)
    void attentionBlocksCoverEachQueryAndValueOnce(
            @ForAll @IntRange(min = 1, max = 40_000) int queries,
            @ForAll @IntRange(min = 1, max = 40_000) int keys,
            @ForAll @IntRange(min = 1, max = 40) int heads,
            @ForAll @IntRange(min = 1, max = 48) int eighths,
            @ForAll @IntRange(min = 1, max = 48) int valueEighths) {
        FlashShape s = new FlashShape(1, queries, keys, heads, 8 * eighths, 8 * valueEighths);
        KernelLaunch l = FusedKernels.flash(0, 1, 2, 3, s, 0.1);
        assertThat(l.gridX() * FlashShape.QUERY_BLOCK).isGreaterThanOrEqualTo(queries);
        assertThat((l.gridX() - 1) * FlashShape.QUERY_BLOCK).isLessThan(queries);
        assertThat(s.tileWidth()).isGreaterThanOrEqualTo(8 * Math.max(eighths, valueEighths));
        int values = Math.min(s.tileWidth(), 128);
        assertThat(s.parts() * values).isGreaterThanOrEqualTo(8 * valueEighths);
        assertThat((s.parts() - 1) * values).isLessThan(8 * valueEighths);
        assertThat(l.gridY()).isEqualTo(heads * s.parts());
        assertThat(l.sharedBytes()).isLessThanOrEqualTo(KernelLaunch.MAX_SHARED_BYTES);
    }

    @Property(tries = 200)
    void longKeysGoToProductsOfWarpgroups(
            @ForAll @IntRange(min = 1, max = 500) int keys,
            @ForAll @IntRange(min = 1, max = 16) int eighths,
            @ForAll FlashShape.Mask kind) {
        int width = 8 * eighths;
        TensorType q = new TensorType(DType.BF16, Shape.of(2, 30, 3L * width));
        TensorType k = new TensorType(DType.BF16, Shape.of(2, keys, 3L * width));
        TensorType mask =
                new TensorType(kind == FlashShape.Mask.HIDES ? DType.BOOL : DType.BF16, Shape.of(2, 1, 30, keys));
        boolean masked = kind != FlashShape.Mask.NONE;
        KernelLaunch l = ((KernelChoice.Kernels) KernelCatalog.choose(
                        new Op.Attention(3, 0.1),
                        masked ? List.of(q, k, k, mask) : List.of(q, k, k),
                        List.of(q),
                        masked ? List.of(0, 1, 1, 2) : List.of(0, 1, 1),
                        List.of(3)))
                .launches()
                .get(0);
        String suffix = masked ? kind == FlashShape.Mask.HIDES ? "_masked" : "_added" : "";
        assertThat(l.function())
                .isEqualTo("tw_flash_" + (keys > 64 ? "group_" : "") + (width <= 64 ? 64 : 128) + suffix);
        assertThat(l.blockX()).isEqualTo(keys > 64 ? 384 : 256);
        assertThat(l.sharedBytes()).isLessThanOrEqualTo(KernelLaunch.MAX_SHARED_BYTES);
        // Whatever takes the launch of a warpgroup without wgmma finds room for its own tiles.
        int tile = width <= 64 ? 64 : 128;
        assertThat(l.sharedBytes()).isGreaterThanOrEqualTo((128 + 4 * 64) * tile * 2);
        assertThat(l.arguments()).contains(new KernelLaunch.Int(masked ? 30 : 0), new KernelLaunch.Int(width));
    }

    @Property(tries = 300)
    void transposedCopiesVisitEachElementOnce(
            @ForAll @IntRange(min = 1, max = 4) int a,
            @ForAll @IntRange(min = 1, max = 5) int b,
            @ForAll @IntRange(min = 1, max = 6) int c,
            @ForAll @IntRange(min = 0, max = 2) int turn) {
        long[] in = {a, b, c};
        List<Integer> permutation = List.of(turn, (turn + 1) % 3, (turn + 2) % 3);
        long[] out = permutation.stream().mapToLong(k -> in[k]).toArray();
        long[] own = Strides.dense(in);
        long[][] s = Strides.collapse(
                out, permutation.stream().mapToLong(k -> own[k]).toArray(), Strides.dense(out));
        int n = a * b * c;
        boolean[] from = new boolean[n];
        boolean[] to = new boolean[n];
        for (int i = 0; i < n; i++) {
            int rest = i;
            int f = 0;
            int t = 0;
            for (int k = Strides.RANK - 1; k >= 0; k--) {
                int at = (int) (rest % s[0][k]);
                rest /= (int) s[0][k];
                f += at * (int) s[1][k];
                t += at * (int) s[2][k];
            }
            assertThat(from[f] || to[t]).isFalse();
            from[f] = true;
            to[t] = true;
        }
        assertThat(product(s[0])).isEqualTo(n);
    }

    private static long product(long[] s) {
        return LongStream.of(s).reduce(1, (x, y) -> x * y);
    }
}
