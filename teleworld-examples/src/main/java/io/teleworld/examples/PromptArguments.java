package io.teleworld.examples;

import io.teleworld.Prompt;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What the world is told to look like: one of three. */
final class PromptArguments {

    @Option(
            names = "--prompt",
            required = true,
            paramLabel = "TEXT",
            description = "Words; the model needs a text encoder and a tokenizer.")
    @Nullable
    String text;

    @Option(names = "--style", required = true, paramLabel = "NAME", description = "A style of the model's package.")
    @Nullable
    String style;

    @Option(
            names = "--prompt-file",
            required = true,
            paramLabel = "FILE",
            description = "Embeddings of a prompt, one tensor [tokens,width].")
    @Nullable
    Path file;

    Prompt prompt() {
        String words = text;
        if (words != null) {
            return Prompt.text(words);
        }
        String name = style;
        Path embeddings = file;
        return name != null || embeddings == null ? Prompt.style(String.valueOf(name)) : Prompt.embeddings(embeddings);
    }
}
