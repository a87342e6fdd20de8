package io.teleworld;

import java.nio.file.Path;
import java.util.Objects;

/** What a world is told to look like, beside its start picture. Immutable. */
public sealed interface Prompt {

    /**
     * Words. The model needs a text encoder and a tokenizer among its files.
     *
     * @param text in any language that the text encoder knows
     */
    static Prompt text(String text) {
        return new Text(text);
    }

    /**
     * A style that the model's package brings; {@link WorldModel#styles()} lists them.
     *
     * @param name of the style
     */
    static Prompt style(String name) {
        return new Style(name);
    }

    /**
     * What a text encoder gave for some words, [tokens, width], from a file in safetensors format or of
     * {@code torch.save}.
     *
     * @param file with this one tensor
     */
    static Prompt embeddings(Path file) {
        return new Embeddings(file);
    }

    /**
     * Words.
     *
     * @param text not blank
     */
    record Text(String text) implements Prompt {
        public Text {
            if (text.isBlank()) {
                throw new IllegalArgumentException("the prompt is blank; leave it away for none");
            }
        }
    }

    /**
     * A style of the model's package.
     *
     * @param name as {@link WorldModel#styles()} gives it
     */
    record Style(String name) implements Prompt {
        public Style {
            Objects.requireNonNull(name, "name");
        }
    }

    /**
     * Words that a text encoder has already read.
     *
     * @param file with one tensor, [tokens, width]
     */
    record Embeddings(Path file) implements Prompt {
        public Embeddings {
            Objects.requireNonNull(file, "file");
        }
    }
}
