package io.teleworld.goldens;

import io.teleworld.core.network.TextEncoder;
import io.teleworld.core.network.TextEncoderConfig;
import io.teleworld.tensor.HostTensor;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The UMT5 encoder on padded texts. */
final class TextEncoderKind implements GoldenKind {

    @Override
    public String title() {
        return "text encoder";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return c.at("config", "model_type").asString("").equals("umt5");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        TextEncoderConfig config =
                TextEncoderConfig.read("config", c.at("config").toString().getBytes(StandardCharsets.UTF_8));
        int tokens = c.extent("in.tokens", 1);
        float[] out = context.run(
                context.compile(TextEncoder.graph(config), c.weights("weights.")),
                Map.of(
                        "tokens",
                        c.tensor("in.tokens"),
                        "mask",
                        c.tensor("in.mask"),
                        "buckets",
                        HostTensor.ofLongs(TextEncoder.buckets(config, tokens), tokens, tokens)),
                "embeddings");
        report.compare("out.embeddings", "out.embeddings", GoldenCase.widened(out), c.numbers("out.embeddings"));
    }
}
