package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;

/**
 * The text encoder of Wan 2.1, UMT5: tokens to embeddings (T5, arXiv 1910.10683; UMT5, arXiv 2304.09151). Stateless; the
 * graphs are immutable. Weights carry the names of transformers' {@code UMT5EncoderModel}; {@link TextEncoderKeys}
 * translates the original ones.
 *
 * <p>Each block adds to x the attention over RMS(x), then the gated feed-forward of RMS(x). Scores are q·k, not scaled,
 * plus a bias that depends on head and relative position; every block has its own table of biases. The feed-forward is
 * W₂(W₁y ⊙ GELU(W₀y)) with GELU in its tanh form. Nothing has an additive bias.
 */
public final class TextEncoder {

    /** Added to the scores of padding; small enough for fp16, and its exponential is zero. */
    private static final double HIDDEN = -30_000;

    private final TextEncoderConfig config;
    private final GraphBuilder b;
    private final Dim batch = Dim.symbol("batch");
    private final Dim tokens = Dim.symbol("tokens");
    private final Dim d;

    private TextEncoder(TextEncoderConfig config, String name) {
        this.config = config;
        this.b = new GraphBuilder(name);
        this.d = Dim.of(config.width());
    }

    /**
     * The whole encoder.
     *
     * <p>Inputs: {@code tokens} I64 [batch,tokens]; {@code mask} BOOL [batch,tokens], true for the text's tokens and
     * false for padding behind them; {@code buckets} I64 [tokens,tokens] from {@link #buckets}. Output
     * {@code embeddings} F32 [batch,tokens,width], zero where the mask is false. Each text needs a token.
     */
    public static Graph graph(TextEncoderConfig config) {
        TextEncoder e = new TextEncoder(config, "text_encoder");
        Value ids = e.b.input("tokens", DType.I64, e.batch, e.tokens);
        Value table = e.b.parameter("shared.weight", config.vocabulary(), config.width());
        return e.blocks(e.b.gather(table, ids, 0), 0, config.layers());
    }

    /**
     * Some of the blocks, so that an encoder that does not fit into the memory can run a few at a time. As
     * {@link #graph}, but input {@code hidden} F32 [batch,tokens,width] in place of {@code tokens}: their rows of
     * {@code shared.weight}, or what the blocks before gave. The output is {@code hidden} too, until the last blocks give
     * {@code embeddings}.
     *
     * @param from the first block, from 0
     * @param to behind the last block
     */
    public static Graph blocksGraph(TextEncoderConfig config, int from, int to) {
        if (from < 0 || from >= to || to > config.layers()) {
            throw new IllegalArgumentException("blocks are [" + from + ", " + to + "); they must lie in [0, "
                    + config.layers() + ") and be one or more");
        }
        TextEncoder e = new TextEncoder(config, "text_encoder_" + from + "_" + to);
        return e.blocks(e.b.input("hidden", DType.F32, e.batch, e.tokens, e.d), from, to);
    }

    /**
     * The class of each pair of places, [from·count + to]: in each direction the nearest places have a class each, those
     * further away share classes of exponentially growing width.
     *
     * @param count tokens
     */
    public static long[] buckets(TextEncoderConfig config, int count) {
        long[] out = new long[count * count];
        for (int from = 0; from < count; from++) {
            for (int to = 0; to < count; to++) {
                out[from * count + to] = bucket(config, to - from);
            }
        }
        return out;
    }

    private static int bucket(TextEncoderConfig config, int relative) {
        int half = config.buckets() / 2;
        int exact = half / 2;
        int distance = Math.abs(relative);
        int within = distance;
        if (distance >= exact) {
            double octaves = Math.log((double) distance / exact) / Math.log((double) config.maxDistance() / exact);
            // Powers of two fall on whole numbers; rounding must not put them below.
            within = Math.min(half - 1, exact + (int) (octaves * (half - exact) + 1e-9));
        }
        return (relative > 0 ? half : 0) + within;
    }

    private Graph blocks(Value first, int from, int to) {
        Value mask = b.input("mask", DType.BOOL, batch, tokens);
        Value classes = b.input("buckets", DType.I64, tokens, tokens);
        Dim one = Dim.of(1);
        Value padding = b.where(b.reshape(mask, batch, one, one, tokens), b.scalar(0), b.scalar(HIDDEN));
        Value x = first;
        for (int i = from; i < to; i++) {
            String name = "encoder.block." + i + ".layer.";
            b.push(name + "0");
            x = b.add(x, attention(norm(x, name + "0.layer_norm"), name + "0.SelfAttention.", classes, padding));
            b.pop();
            b.push(name + "1");
            x = b.add(x, feedForward(norm(x, name + "1.layer_norm"), name + "1.DenseReluDense."));
            b.pop();
        }
        if (to < config.layers()) {
            b.output("hidden", x);
        } else {
            Value out = norm(x, "encoder.final_layer_norm");
            b.output("embeddings", b.where(b.reshape(mask, batch, tokens, one), out, b.scalar(0)));
        }
        return b.build();
    }

    /** The bias is a head's own, so that heads take the place of the batch. */
    private Value attention(Value y, String name, Value classes, Value padding) {
        int heads = config.heads();
        Value table = b.parameter(name + "relative_attention_bias.weight", config.buckets(), heads);
        Value bias = b.transpose(b.gather(table, classes, 0), 2, 0, 1);
        bias = b.add(b.reshape(bias, Dim.of(1), Dim.of(heads), tokens, tokens), padding);
        bias = b.reshape(bias, batch.times(heads), Dim.of(1), tokens, tokens);
        Value q = split(linear(y, name + "q.weight", inner()));
        Value k = split(linear(y, name + "k.weight", inner()));
        Value v = split(linear(y, name + "v.weight", inner()));
        Value out = b.attention(q, k, v, bias, 1, 1);
        out = b.reshape(out, batch, Dim.of(heads), tokens, Dim.of(config.headWidth()));
        out = b.reshape(b.transpose(out, 0, 2, 1, 3), batch, tokens, Dim.of(inner()));
        return linear(out, name + "o.weight", config.width());
    }

    private long inner() {
        return (long) config.heads() * config.headWidth();
    }

    /** [batch,tokens,heads·w] to [batch·heads,tokens,w]. */
    private Value split(Value x) {
        Value y = b.reshape(x, batch, tokens, Dim.of(config.heads()), Dim.of(config.headWidth()));
        return b.reshape(b.transpose(y, 0, 2, 1, 3), batch.times(config.heads()), tokens, Dim.of(config.headWidth()));
    }

    private Value feedForward(Value y, String name) {
        Value gate = b.geluTanh(linear(y, name + "wi_0.weight", config.innerWidth()));
        Value value = linear(y, name + "wi_1.weight", config.innerWidth());
        return linear(b.mul(value, gate), name + "wo.weight", config.width());
    }

    private Value norm(Value x, String name) {
        return b.rmsNorm(x, b.parameter(name + ".weight", config.width()), config.epsilon());
    }

    private Value linear(Value x, String name, long out) {
        return b.linear(x, b.parameter(name, out, x.dim(-1).known()), null);
    }
}
