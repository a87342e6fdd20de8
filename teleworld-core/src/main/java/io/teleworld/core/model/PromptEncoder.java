package io.teleworld.core.model;

import io.teleworld.core.network.TextEncoder;
import io.teleworld.core.network.TextEncoderConfig;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;

/**
 * Runs a text encoder on one prompt, block by block: of UMT5-XXL's 5.7 billion weights only the 193 million of one block are
 * in memory at a time, and of its embedding only the prompt's rows are read. Immutable and thread-safe.
 */
public final class PromptEncoder {

    private final TextEncoderConfig config;
    private final WeightFiles weights;

    /**
     * An encoder.
     *
     * @param config its sizes
     * @param weights its weights under transformers' names
     * @throws ModelFormatException if they are not exactly those of the encoder
     */
    public PromptEncoder(TextEncoderConfig config, WeightFiles weights) {
        weights.requireExactly(TextEncoder.graph(config));
        this.config = config;
        this.weights = weights;
    }

    /** The width of what it gives. */
    public int width() {
        return config.width();
    }

    /**
     * Encodes a prompt.
     *
     * @param tokens of the prompt with the end mark, without padding
     * @param runtime borrowed
     * @return F32 [tokens,width]
     * @throws ModelFormatException if a token is not in the vocabulary
     * @throws io.teleworld.error.TeleWorldException of category RESOURCE if one block does not fit into the memory
     */
    public HostTensor encode(long[] tokens, TensorRuntime runtime) {
        int n = tokens.length;
        if (n < 1) {
            throw new IllegalArgumentException("there are no tokens; a prompt has one at least, its end mark");
        }
        float[] hidden = new float[n * config.width()];
        for (int i = 0; i < n; i++) {
            if (tokens[i] < 0 || tokens[i] >= config.vocabulary()) {
                throw new ModelFormatException(
                        weights.description(),
                        "token " + tokens[i] + " is not one of its " + config.vocabulary()
                                + "; the tokenizer belongs to another encoder");
            }
            System.arraycopy(weights.row("shared.weight", tokens[i]), 0, hidden, i * config.width(), config.width());
        }
        boolean[] mask = new boolean[n];
        Arrays.fill(mask, true);
        HostTensor all = HostTensor.ofBooleans(mask, 1, n);
        HostTensor buckets = HostTensor.ofLongs(TextEncoder.buckets(config, n), n, n);
        for (int block = 0; block < config.layers(); block++) {
            Graph graph = TextEncoder.blocksGraph(config, block, block + 1);
            if (block == 0) {
                MemoryEstimate.of(graph, Precision.FP32, Map.of("batch", 1L, "tokens", (long) n))
                        .require("one block of the text encoder", MemoryEstimate.availableBytes());
            }
            Map<String, HostTensor> in = Map.of(
                    "hidden", HostTensor.ofFloats(hidden, 1, n, config.width()), "mask", all, "buckets", buckets);
            try (Scope scope = Scope.root("text encoder");
                    Program program = runtime.compile(graph, weights, Precision.FP32)) {
                Map<String, Tensor> out = program.run(in, program.newState(scope), RunOptions.DEFAULT, scope);
                hidden = out.values().iterator().next().toFloatArray();
            }
        }
        return HostTensor.ofFloats(hidden, n, config.width());
    }
}
