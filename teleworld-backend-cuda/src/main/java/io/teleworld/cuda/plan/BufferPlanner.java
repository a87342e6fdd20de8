package io.teleworld.cuda.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Lays buffers out in one workspace so that those which live at the same time do not overlap: the largest first, each in
 * the smallest gap that holds it. Stateless and thread-safe.
 */
public final class BufferPlanner {

    /** Every buffer starts at a multiple of this many bytes, which suits any vector load and tensor map. */
    public static final int ALIGNMENT = 256;

    private BufferPlanner() {}

    /**
     * One buffer.
     *
     * @param bytes its size, not negative
     * @param first the step that writes it first
     * @param last the last step that reads or writes it, not before {@code first}
     */
    public record Request(long bytes, int first, int last) {

        public Request {
            if (bytes < 0 || first > last) {
                throw new IllegalArgumentException("a buffer of " + bytes + " bytes for steps " + first + " to " + last
                        + "; bytes must not be negative, nor the last step before the first");
            }
        }

        boolean livesWith(Request other) {
            return first <= other.last && other.first <= last;
        }
    }

    /**
     * Where everything lies.
     *
     * @param offsets per request, in its order, in bytes
     * @param bytes the workspace's size
     * @param liveBytes the most that lives at one step, below which no layout can go
     */
    public record Layout(List<Long> offsets, long bytes, long liveBytes) {
        public Layout {
            offsets = List.copyOf(offsets);
        }
    }

    /** Lays buffers out. */
    public static Layout plan(List<Request> requests) {
        List<Integer> largestFirst = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            largestFirst.add(i);
        }
        largestFirst.sort(
                Comparator.<Integer>comparingLong(i -> -requests.get(i).bytes())
                        .thenComparing(i -> requests.get(i).first()));
        long[] offsets = new long[requests.size()];
        List<Integer> byOffset = new ArrayList<>();
        long total = 0;
        for (int i : largestFirst) {
            Request r = requests.get(i);
            long size = align(r.bytes());
            offsets[i] = size == 0 ? 0 : bestGap(requests, offsets, byOffset, r, size);
            if (size > 0) {
                insert(offsets, byOffset, i);
                total = Math.max(total, offsets[i] + size);
            }
        }
        List<Long> out = new ArrayList<>();
        for (long o : offsets) {
            out.add(o);
        }
        return new Layout(out, total, live(requests));
    }

    private static long bestGap(List<Request> requests, long[] offsets, List<Integer> byOffset, Request r, long size) {
        long end = 0;
        long best = -1;
        long bestSize = Long.MAX_VALUE;
        for (int j : byOffset) {
            Request other = requests.get(j);
            if (!r.livesWith(other)) {
                continue;
            }
            long gap = offsets[j] - end;
            if (gap >= size && gap < bestSize) {
                best = end;
                bestSize = gap;
            }
            end = Math.max(end, offsets[j] + align(other.bytes()));
        }
        return best >= 0 ? best : end;
    }

    private static void insert(long[] offsets, List<Integer> byOffset, int i) {
        int low = 0;
        int high = byOffset.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (offsets[byOffset.get(middle)] <= offsets[i]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        byOffset.add(low, i);
    }

    private static long live(List<Request> requests) {
        int first = requests.stream().mapToInt(Request::first).min().orElse(0);
        int last = requests.stream().mapToInt(Request::last).max().orElse(-1);
        long[] change = new long[last - first + 2];
        for (Request r : requests) {
            change[r.first() - first] += align(r.bytes());
            change[r.last() - first + 1] -= align(r.bytes());
        }
        long now = 0;
        long most = 0;
        for (long c : change) {
            now += c;
            most = Math.max(most, now);
        }
        return most;
    }

    /** The next multiple of {@link #ALIGNMENT}. */
    public static long align(long bytes) {
        return Math.addExact(bytes, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
