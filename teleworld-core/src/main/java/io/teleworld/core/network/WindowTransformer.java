package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The one-step transformer of super-resolution (FlashVSR, arXiv 2510.12747): Wan's blocks at timestep 1000 whose
 * self-attention sees, per head, only the pairs of windows that a draft of pooled queries and keys ranks highest, and only
 * nearby ones. Stateless; the graphs are immutable. Weights carry the Diffusers names.
 *
 * <p>The draft: q̄ and k̄ are means over a window; softmax of q̄·k̄/√D over the windows within the local range of all
 * visible slabs; of the pairs of a head and slab those are kept that lie strictly above the one of rank pairs+1. A query
 * window without any key window attends to nothing.
 */
public final class WindowTransformer {

    /** The group of the frame caches: one entry per slab, in window order. */
    public static final String CACHE_GROUP = "slabs";

    private static final float TIMESTEP = 1000;
    private static final float HIDDEN = -1e30f;
    private static final int CANDIDATES = 16;
    private static final int ROUNDS = 6;

    /** Which windows the attention computes; what is hidden among them has no weight either way. */
    public enum Attention {
        /** Those within the local range only. */
        NEIGHBOURS,
        /** All, as dense attention with a mask does. */
        EVERYTHING
    }

    private final GraphBuilder b;
    private final SuperResolutionConfig.Transformer config;
    private final String prefix;
    private final Dim batch;
    private final boolean stream;
    private final Dim slabs;
    private final int cacheCapacity;
    private final int h;
    private final int w;
    private final int rows;
    private final int columns;
    private final int windows;
    private final int members;
    private final int d;
    private final int heads;
    private final long[] neighbours;
    private final float[] hidden;
    private final int reach;

    private WindowTransformer(
            GraphBuilder b,
            SuperResolutionConfig.Transformer config,
            String prefix,
            Dim batch,
            Dim slabs,
            int cacheCapacity,
            int h,
            int w,
            Attention attention) {
        List<Integer> window = config.window();
        if (h % window.get(1) != 0 || w % window.get(2) != 0) {
            throw new IllegalArgumentException(
                    "tokens are " + h + "×" + w + " (height × width); they must be multiples of the window " + window);
        }
        this.b = b;
        this.config = config;
        this.prefix = prefix;
        this.batch = batch;
        this.stream = batch.is(1);
        this.slabs = slabs;
        this.cacheCapacity = cacheCapacity;
        this.h = h;
        this.w = w;
        this.rows = h / window.get(1);
        this.columns = w / window.get(2);
        this.windows = rows * columns;
        this.members = window.get(0) * window.get(1) * window.get(2);
        this.d = config.width();
        this.heads = config.numHeads();
        List<long[]> seen = new ArrayList<>();
        for (int q = 0; q < windows; q++) {
            seen.add(attention == Attention.EVERYTHING ? all(windows) : near(q));
        }
        this.reach = seen.stream().mapToInt(s -> s.length).max().orElse(1);
        this.neighbours = new long[windows * reach];
        this.hidden = new float[windows * reach];
        boolean[] local = localMask(rows, columns, config.localRange());
        for (int q = 0; q < windows; q++) {
            long[] s = seen.get(q);
            for (int i = 0; i < reach; i++) {
                int key = i < s.length ? (int) s[i] : 0;
                neighbours[q * reach + i] = key;
                hidden[q * reach + i] = i < s.length && local[q * windows + key] ? 0 : HIDDEN;
            }
        }
    }

    /**
     * The streaming network, for runs of any number of slabs. Inputs {@code noise} [1,C,frames,H,W] where it starts from
     * noise, {@code tokens.i} [1,frames·h·w,width] (added before block i), {@code positions} [frames] (temporal rotary
     * indices) and, with cross-attention, {@code text} [1,text_tokens,textDim]; output {@code velocity} [1,C,frames,H,W].
     * The result of the step is noise − velocity. The slabs of a run see each other and the cached slabs that the run's
     * options name in group {@link #CACHE_GROUP}.
     *
     * @param height rows of a latent
     * @param width columns of a latent
     * @param added how many inputs {@code tokens.i} there are
     * @param cacheCapacitySlabs the most slabs that are cached at a time
     */
    public static Graph graph(
            SuperResolutionConfig.Transformer config,
            int height,
            int width,
            int added,
            int cacheCapacitySlabs,
            Attention attention) {
        GraphBuilder b = new GraphBuilder("window_transformer");
        int p = config.patch();
        Dim slabs = Dim.symbol("slabs");
        Dim frames = slabs.times(config.window().get(0));
        WindowTransformer net = new WindowTransformer(
                b, config, "", Dim.of(1), slabs, cacheCapacitySlabs, height / p, width / p, attention);
        Dim tokens = frames.times((long) net.h * net.w);
        List<Value> low = new ArrayList<>();
        for (int i = 0; i < added; i++) {
            low.add(b.input("tokens." + i, DType.F32, Dim.of(1), tokens, Dim.of(net.d)));
        }
        Integer channels = config.noiseChannels();
        Value noise = channels == null
                ? null
                : b.input("noise", DType.F32, Dim.of(1), Dim.of(channels), frames, Dim.of(height), Dim.of(width));
        Value positions = b.input("positions", DType.F32, frames);
        Integer textDim = config.textDim();
        Value text = textDim == null
                ? null
                : b.input("text", DType.F32, Dim.of(1), Dim.symbol("text_tokens"), Dim.of(textDim));
        b.output("velocity", net.velocity(noise, low, positions, text));
        return b.build();
    }

    /**
     * The velocity [batch,C,frames,H,W]; {@code low} are tokens [batch,slabs·n,width]. In a stream batch is 1; in clips
     * each slab sees itself and the slabs that a stream of one slab per run would still hold.
     */
    static Value apply(
            GraphBuilder b,
            SuperResolutionConfig.Transformer config,
            String prefix,
            Dim batch,
            int slabs,
            int tokenRows,
            int tokenColumns,
            List<Value> low,
            Value positions,
            Attention attention) {
        int capacity = config.cachedSlabs() + 1;
        return new WindowTransformer(
                        b, config, prefix, batch, Dim.of(slabs), capacity, tokenRows, tokenColumns, attention)
                .velocity(null, low, positions, null);
    }

    /**
     * Which windows see which on a grid: entry q·rows·columns + k tells whether window q sees window k.
     *
     * @param range in rows and in columns a window sees so many, from ⌊range/2⌋ before itself on
     */
    public static boolean[] localMask(int rows, int columns, int range) {
        int n = rows * columns;
        boolean[] mask = new boolean[n * n];
        for (int q = 0; q < n; q++) {
            for (int k = 0; k < n; k++) {
                mask[q * n + k] = near(k / columns - q / columns, range) && near(k % columns - q % columns, range);
            }
        }
        return mask;
    }

    private static boolean near(int offset, int range) {
        return offset >= -(range / 2) && offset < range - range / 2;
    }

    /**
     * Where the tokens of a slab come from: at place j of window i, in window order, the token with this index in the order
     * of frames, rows and columns.
     */
    public static long[] partition(List<Integer> window, int tokenRows, int tokenColumns) {
        int wt = window.get(0);
        int wh = window.get(1);
        int ww = window.get(2);
        long[] index = new long[wt * tokenRows * tokenColumns];
        int at = 0;
        for (int r = 0; r < tokenRows; r += wh) {
            for (int c = 0; c < tokenColumns; c += ww) {
                for (int t = 0; t < wt; t++) {
                    for (int y = r; y < r + wh; y++) {
                        for (int x = c; x < c + ww; x++) {
                            index[at++] = ((long) t * tokenRows + y) * tokenColumns + x;
                        }
                    }
                }
            }
        }
        return index;
    }

    private static long[] all(int n) {
        long[] out = new long[n];
        for (int i = 0; i < n; i++) {
            out[i] = i;
        }
        return out;
    }

    private long[] near(int q) {
        boolean[] local = localMask(rows, columns, config.localRange());
        List<Long> out = new ArrayList<>();
        for (int k = 0; k < windows; k++) {
            if (local[q * windows + k]) {
                out.add((long) k);
            }
        }
        return out.stream().mapToLong(Long::longValue).toArray();
    }

    // ------------------------------------------------------------------------------------------ forward

    private Value velocity(@Nullable Value noise, List<Value> low, Value positions, @Nullable Value text) {
        Value x = null;
        if (noise != null) {
            int p = config.patch();
            x = b.conv(
                    noise,
                    b.parameter(
                            prefix + "patch_embedding.weight", d, noise.dim(1).known(), 1, p, p),
                    b.parameter(prefix + "patch_embedding.bias", d),
                    List.of(1, p, p),
                    List.of(0, 0, 0, 0, 0, 0),
                    List.of(1, 1, 1),
                    1);
            x = partitioned(b.reshape(b.transpose(x, 0, 2, 3, 4, 1), batch, tokens(), Dim.of(d)));
        }
        Value temb = timeEmbedding();
        Value modulation =
                b.reshape(linear(b.silu(temb), "condition_embedder.time_proj", 6L * d), Shape.of(1, 1, 6, d));
        Value context = text == null
                ? null
                : linear(
                        b.geluTanh(linear(text, "condition_embedder.text_embedder.linear_1", d)),
                        "condition_embedder.text_embedder.linear_2",
                        d);
        Value[] rotary = rotaryTables(positions);
        for (int i = 0; i < config.numLayers(); i++) {
            if (i < low.size()) {
                Value added = partitioned(low.get(i));
                x = x == null ? added : b.add(x, added);
            }
            if (x == null) {
                throw new IllegalArgumentException("there is neither noise nor a projection before the first block");
            }
            b.push(prefix + "blocks." + i);
            x = block(x, "blocks." + i + ".", modulation, context, rotary);
            b.pop();
        }
        return head(Objects.requireNonNull(x, "tokens"), temb);
    }

    private Dim tokens() {
        return slabs.times((long) windows * members);
    }

    /** [batch,tokens,c] in the order of frames, rows and columns to window order. */
    private Value partitioned(Value x) {
        List<Integer> win = config.window();
        Value y = b.reshape(
                x,
                batch,
                slabs,
                Dim.of(win.get(0)),
                Dim.of(rows),
                Dim.of(win.get(1)),
                Dim.of(columns),
                Dim.of(win.get(2)),
                x.dim(2));
        return b.reshape(b.transpose(y, 0, 1, 3, 5, 2, 4, 6, 7), batch, tokens(), x.dim(2));
    }

    /** The way back, to [batch,frames,h,w,c]. */
    private Value restored(Value x) {
        List<Integer> win = config.window();
        Value y = b.reshape(
                x,
                batch,
                slabs,
                Dim.of(rows),
                Dim.of(columns),
                Dim.of(win.get(0)),
                Dim.of(win.get(1)),
                Dim.of(win.get(2)),
                x.dim(2));
        y = b.transpose(y, 0, 1, 4, 2, 5, 3, 6, 7);
        return b.reshape(y, batch, slabs.times(win.get(0)), Dim.of(h), Dim.of(w), x.dim(2));
    }

    /** Of the one timestep: [1,1,d]. */
    private Value timeEmbedding() {
        int half = config.freqDim() / 2;
        float[] e = new float[2 * half];
        for (int i = 0; i < half; i++) {
            double angle = TIMESTEP * Math.pow(10_000, -(double) i / half);
            e[i] = (float) Math.cos(angle);
            e[half + i] = (float) Math.sin(angle);
        }
        Value x = b.constant(e, 1, 1, e.length);
        x = b.silu(linear(x, "condition_embedder.time_embedder.linear_1", d));
        return linear(x, "condition_embedder.time_embedder.linear_2", d);
    }

    /** cos and sin [1,tokens,D/2] in window order: temporal pairs, then rows, then columns. */
    private Value[] rotaryTables(Value positions) {
        int spatial = 2 * (config.headDim() / 6);
        int temporal = config.headDim() - 2 * spatial;
        int nt = temporal / 2;
        int ns = spatial / 2;
        float[] ft = frequencies(temporal);
        float[] fs = frequencies(spatial);
        int perSlab = windows * members;
        float[] grid = new float[perSlab * 2 * ns];
        long[] frameOf = new long[perSlab];
        long[] index = partition(config.window(), h, w);
        for (int i = 0; i < perSlab; i++) {
            int token = (int) index[i];
            frameOf[i] = token / (h * w);
            for (int k = 0; k < ns; k++) {
                int at = i * 2 * ns + k;
                grid[at] = token / w % h * fs[k];
                grid[at + ns] = token % w * fs[k];
            }
        }
        Dim n = Dim.of(perSlab);
        Value bySlab = b.reshape(positions, slabs, Dim.of(config.window().get(0)));
        Value frame = b.gather(bySlab, b.constant(frameOf, perSlab), 1);
        Value time = b.mul(b.reshape(frame, slabs, n, Dim.of(1)), b.constant(ft, nt));
        Value space = b.expand(b.constant(grid, 1, perSlab, 2L * ns), Shape.of(slabs, n, Dim.of(2L * ns)));
        Value angle = b.reshape(b.concat(-1, time, space), Dim.of(1), tokens(), Dim.of(nt + 2L * ns));
        return new Value[] {b.cos(angle), b.sin(angle)};
    }

    private static float[] frequencies(int axisWidth) {
        float[] f = new float[axisWidth / 2];
        for (int j = 0; j < f.length; j++) {
            f[j] = (float) Math.pow(10_000, -2.0 * j / axisWidth);
        }
        return f;
    }

    private Value block(Value x, String name, Value modulation, @Nullable Value text, Value[] rotary) {
        Value table = b.parameter(prefix + name + "scale_shift_table", 1, 6, d);
        List<Value> m = b.split(b.add(modulation, b.reshape(table, Shape.of(1, 1, 6, d))), 2, 1L, 1L, 1L, 1L, 1L, 1L);
        Value y = sequence(b.modulatedLayerNorm(grouped(x), m.get(0), m.get(1), config.eps()));
        x = sequence(b.gatedResidual(grouped(x), grouped(selfAttention(y, name, rotary)), m.get(2)));
        if (text != null) {
            Value normed = b.layerNorm(
                    x,
                    b.parameter(prefix + name + "norm2.weight", d),
                    b.parameter(prefix + name + "norm2.bias", d),
                    config.eps());
            x = b.add(x, crossAttention(normed, name + "attn2.", text));
        }
        y = sequence(b.modulatedLayerNorm(grouped(x), m.get(3), m.get(4), config.eps()));
        y = linear(b.geluTanh(linear(y, name + "ffn.net.0.proj", config.ffnDim())), name + "ffn.net.2", d);
        return sequence(b.gatedResidual(grouped(x), grouped(y), m.get(5)));
    }

    private Value crossAttention(Value y, String name, Value text) {
        Value q = normed(linear(y, name + "to_q", d), name + "norm_q");
        Value k = normed(linear(text, name + "to_k", d), name + "norm_k");
        Value out = b.attention(q, k, linear(text, name + "to_v", d), null, heads, scale());
        return linear(out, name + "to_out.0", d);
    }

    private Value head(Value x, Value temb) {
        int p = config.patch();
        int c = config.latentChannels();
        List<Value> table = b.split(b.parameter(prefix + "scale_shift_table", 1, 2, d), 1, 1L, 1L);
        Value t = b.reshape(temb, Shape.of(1, 1, 1, d));
        Value shift = b.add(t, b.reshape(table.get(0), Shape.of(1, 1, 1, d)));
        Value scale = b.add(t, b.reshape(table.get(1), Shape.of(1, 1, 1, d)));
        Value y = sequence(b.modulatedLayerNorm(grouped(x), shift, scale, config.eps()));
        y = restored(linear(y, "proj_out", (long) c * p * p));
        Dim frames = y.dim(1);
        // A token's outputs run over patch row, patch column and, fastest, channel.
        y = b.reshape(y, batch, frames, Dim.of(h), Dim.of(w), Dim.of(p), Dim.of(p), Dim.of(c));
        y = b.transpose(y, 0, 6, 1, 2, 4, 3, 5);
        return b.reshape(y, batch, Dim.of(c), frames, Dim.of((long) h * p), Dim.of((long) w * p));
    }

    // ------------------------------------------------------------------------------------------ attention

    private Value selfAttention(Value y, String block, Value[] rotary) {
        String name = block + "attn1.";
        Value q = rotated(linear(y, name + "to_q", d), name + "norm_q", rotary);
        Value k = rotated(linear(y, name + "to_k", d), name + "norm_k", rotary);
        Value v = linear(y, name + "to_v", d);
        Dim perSlab = Dim.of((long) windows * members);
        Shape bySlab = Shape.of(batch, slabs, perSlab, Dim.of(d));
        k = b.reshape(k, bySlab);
        v = b.reshape(v, bySlab);
        Value joined;
        if (stream) {
            // All slabs of a run see the same, so they can take the batch's place.
            k = withCached(prefix + block + "key", k);
            v = withCached(prefix + block + "value", v);
            joined = attended(b.reshape(q, slabs, perSlab, Dim.of(d)), k, v);
        } else {
            List<Value> out = new ArrayList<>();
            Value all = b.reshape(q, bySlab);
            for (int s = 0; s < slabs.known(); s++) {
                int from = Math.max(0, s - config.cachedSlabs());
                Value own = b.reshape(b.slice(all, 1, s, s + 1), batch, perSlab, Dim.of(d));
                out.add(attended(own, b.slice(k, 1, from, s + 1), b.slice(v, 1, from, s + 1)));
            }
            joined = b.concat(1, out);
        }
        return linear(b.reshape(joined, batch, tokens(), Dim.of(d)), name + "to_out.0", d);
    }

    /** The visible cached slabs and behind them the run's own, which are offered to the cache. */
    private Value withCached(String cache, Value own) {
        long perSlab = (long) windows * members;
        State.FrameCache state =
                new State.FrameCache(cache, CACHE_GROUP, DType.F32, Shape.of(perSlab, d), cacheCapacity);
        Dim visible = Dim.symbol(state.visibleSymbol());
        Value earlier = b.reshape(b.readState(state), Dim.of(1), visible, Dim.of(perSlab), Dim.of(d));
        b.writeState(state, b.reshape(own, slabs, Dim.of(perSlab), Dim.of(d)));
        return b.concat(1, earlier, own);
    }

    /** Queries [m,n,d], each m one slab, on keys and values [m or 1,slabs,n,d]; result [m,n,d]. */
    private Value attended(Value q, Value k, Value v) {
        Value near = b.constant(neighbours, windows, reach);
        return b.windowAttention(q, k, v, kept(q, k), near, heads, scale());
    }

    /**
     * Means of what each window may see, per head: x [n,slabs,windows,d] to [n,windows,heads,reach·slabs,D]. Heads are
     * looked up with the windows, so that everything is copied once and in long runs.
     */
    private Value gathered(Value x) {
        Dim seen = x.dim(1);
        Dim nw = Dim.of(windows);
        Dim hd = Dim.of(heads);
        Dim width = Dim.of(config.headDim());
        Value y = b.transpose(b.reshape(x, x.dim(0), seen, nw, hd, width), 0, 2, 3, 1, 4);
        y = b.reshape(y, x.dim(0), nw.times(hd), seen.times(width));
        long[] index = new long[windows * heads * reach];
        int at = 0;
        for (int i = 0; i < windows; i++) {
            for (int head = 0; head < heads; head++) {
                for (int j = 0; j < reach; j++) {
                    index[at++] = neighbours[i * reach + j] * heads + head;
                }
            }
        }
        y = b.gather(y, b.constant(index, index.length), 1);
        return b.reshape(y, x.dim(0), nw, hd, seen.times(reach), width);
    }

    /** Which neighbours each window of queries [m,n,d] keeps: BOOL [m,windows,heads,reach·slabs]. */
    private Value kept(Value queries, Value k) {
        b.push("draft");
        Dim m = queries.dim(0);
        Dim seen = k.dim(1);
        Dim nw = Dim.of(windows);
        Dim nb = Dim.of(reach);
        Dim hd = Dim.of(heads);
        Dim one = Dim.of(1);
        Dim pairs = seen.times(reach);
        Value q = b.reduceMean(b.reshape(queries, m, nw, Dim.of(members), Dim.of(d)), false, 2);
        q = b.reshape(q, m, nw, hd, one, Dim.of(config.headDim()));
        Value means = b.reduceMean(b.reshape(k, k.dim(0), seen, nw, Dim.of(members), Dim.of(d)), false, 3);
        means = gathered(means);
        Value score = b.matMul(b.mul(q, b.scalar(scale())), b.transpose(means, 0, 1, 2, 4, 3));
        score = b.add(b.reshape(score, m, nw, hd, nb, seen), b.constant(hidden, windows, 1, reach, 1));
        score = b.softmax(b.reshape(score, m, nw, hd, pairs), -1);
        Value flat = b.reshape(b.transpose(score, 0, 2, 1, 3), m, hd, one, nw.times(pairs));
        Value threshold = b.reshape(threshold(flat), m, one, hd, one);
        Value kept = greater(score, threshold);
        b.pop();
        return kept;
    }

    /**
     * A number that exactly the kept entries of x [m,heads,1,n] ⊂ [0,1] lie above: the smallest multiple of 2⁻²⁴ with
     * at most so many above it, found by cutting the range into sixteen six times. F32 holds all of these multiples.
     */
    private Value threshold(Value x) {
        Shape per = Shape.of(x.dim(0), Dim.of(heads), Dim.of(1), Dim.of(1));
        Value most = b.scalar(config.pairs(windows) + 0.5);
        float[] steps = new float[CANDIDATES];
        double step = 1;
        Value low = null;
        for (int round = 0; round < ROUNDS; round++) {
            step /= CANDIDATES;
            for (int i = 0; i < CANDIDATES; i++) {
                steps[i] = (float) ((i + 1) * step);
            }
            Value candidates = b.constant(steps, 1, 1, CANDIDATES, 1);
            if (low != null) {
                candidates = b.add(low, candidates);
            }
            Value tooMany = greater(count(x, candidates), most);
            Value passed = b.mul(b.reduceSum(b.cast(tooMany, DType.F32), true, 2), b.scalar(step));
            low = low == null ? passed : b.add(low, passed);
        }
        Value high = b.add(Objects.requireNonNull(low, "lower bound"), b.scalar(step));
        // Where there are no more entries than may be kept, all that see each other at all are.
        Value zero = b.expand(b.constant(new float[1], 1, 1, 1, 1), per);
        return b.where(greater(count(x, zero), most), high, zero);
    }

    private Value count(Value x, Value threshold) {
        return b.reduceSum(b.cast(greater(x, threshold), DType.F32), true, -1);
    }

    private Value greater(Value x, Value y) {
        return b.apply(new Op.Greater(), List.of(x, y)).get(0);
    }

    // ------------------------------------------------------------------------------------------ helpers

    private double scale() {
        return 1 / Math.sqrt(config.headDim());
    }

    private Value rotated(Value x, String norm, Value[] rotary) {
        Value scale = b.parameter(prefix + norm + ".weight", d);
        return b.normedRotary(x, scale, rotary[0], rotary[1], heads, config.eps());
    }

    private Value linear(Value x, String name, long out) {
        Value weight = b.parameter(prefix + name + ".weight", out, x.dim(-1).known());
        return b.linear(x, weight, b.parameter(prefix + name + ".bias", out));
    }

    private Value normed(Value x, String name) {
        return b.rmsNorm(x, b.parameter(prefix + name + ".weight", d), config.eps());
    }

    private Value sequence(Value x) {
        return b.reshape(x, batch, tokens(), Dim.of(d));
    }

    private Value grouped(Value x) {
        return b.reshape(x, batch, Dim.of(1), tokens(), Dim.of(d));
    }
}
