package io.teleworld.training.torch;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A boolean attention mask as a few groups of queries that see the same keys. Masks over the tokens of frames are of
 * that kind, and leaving out the hidden keys then costs less than hiding them. Immutable.
 *
 * @param rowSizes lengths of runs of queries with equal visibility, in order
 * @param columnSizes lengths of runs of keys that are visible to the same queries, in order
 * @param groups together all row runs
 */
@SuppressWarnings("ArrayRecordComponent") // internal, never compared
record VisibilityBlocks(long[] rowSizes, long[] columnSizes, List<Group> groups) {

    /** More groups than this are too small to be worth their copies. */
    private static final int MOST_GROUPS = 40;
    /** The share of visible pairs above which hiding is as good. */
    private static final double MOST_VISIBLE = 0.85;

    /**
     * Queries that see the same keys.
     *
     * @param rows indices of row runs
     * @param columns indices of column runs, not empty
     */
    @SuppressWarnings("ArrayRecordComponent") // internal, never compared
    record Group(int[] rows, int[] columns) {}

    /** The groups of a mask on the host [Lq,Lk], or null where there are none worth it. */
    static @Nullable VisibilityBlocks of(Tensor mask) {
        if (mask.dim() != 2 || mask.is_cuda()) {
            return null;
        }
        int lq = Math.toIntExact(mask.size(0));
        int lk = Math.toIntExact(mask.size(1));
        if (lq == 0 || lk == 0) {
            return null;
        }
        byte[] bits = new byte[Math.multiplyExact(lq, lk)];
        try (PointerScope s = new PointerScope()) {
            Tensor dense = mask.contiguous();
            ByteBuffer b =
                    new BytePointer(dense.data_ptr()).capacity(bits.length).asByteBuffer();
            b.get(bits);
        }
        return of(bits, lq, lk);
    }

    static @Nullable VisibilityBlocks of(byte[] bits, int lq, int lk) {
        List<Integer> starts = new ArrayList<>();
        Map<ByteBuffer, List<Integer>> byPattern = new LinkedHashMap<>();
        for (int i = 0; i < lq; i++) {
            if (i > 0 && Arrays.equals(bits, i * lk, (i + 1) * lk, bits, (i - 1) * lk, i * lk)) {
                continue;
            }
            byPattern
                    .computeIfAbsent(ByteBuffer.wrap(bits, i * lk, lk).slice(), p -> new ArrayList<>())
                    .add(starts.size());
            starts.add(i);
            if (byPattern.size() > MOST_GROUPS) {
                return null;
            }
        }
        long[] rowSizes = sizes(starts, lq);
        TreeSet<Integer> changes = new TreeSet<>(List.of(0));
        for (ByteBuffer p : byPattern.keySet()) {
            for (int j = 1; j < lk; j++) {
                if (p.get(j) != p.get(j - 1)) {
                    changes.add(j);
                }
            }
        }
        List<Integer> columnStarts = new ArrayList<>(changes);
        long[] columnSizes = sizes(columnStarts, lk);
        List<Group> groups = new ArrayList<>();
        long visible = 0;
        for (Map.Entry<ByteBuffer, List<Integer>> e : byPattern.entrySet()) {
            List<Integer> columns = new ArrayList<>();
            long keys = 0;
            for (int c = 0; c < columnStarts.size(); c++) {
                if (e.getKey().get(columnStarts.get(c)) != 0) {
                    columns.add(c);
                    keys += columnSizes[c];
                }
            }
            if (columns.isEmpty()) {
                return null;
            }
            for (int r : e.getValue()) {
                visible += rowSizes[r] * keys;
            }
            groups.add(new Group(ints(e.getValue()), ints(columns)));
        }
        return visible > MOST_VISIBLE * lq * lk ? null : new VisibilityBlocks(rowSizes, columnSizes, groups);
    }

    private static long[] sizes(List<Integer> starts, int end) {
        long[] out = new long[starts.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = (long) (i + 1 < out.length ? starts.get(i + 1) : end) - starts.get(i);
        }
        return out;
    }

    private static int[] ints(List<Integer> values) {
        return values.stream().mapToInt(i -> i).toArray();
    }
}
