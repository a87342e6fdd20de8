package io.teleworld.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.teleworld.core.text.Tokenizer;
import io.teleworld.core.text.TokenizerProvider;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Device;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Opens {@code tokenizer.json} files with Hugging Face's tokenizers. Thread-safe.
 *
 * <p>Texts get the special tokens that the file asks for (for UMT5 the end mark {@code </s>}), are cut to {@value #LONGEST}
 * tokens with those, and are not padded, whatever the file says of padding and truncation: so Wan 2.1 makes its prompts,
 * except that the text encoder here takes its padding from elsewhere. Nothing is downloaded and nothing reported.
 */
public final class HuggingFaceTokenizerProvider implements TokenizerProvider {

    /** The most tokens that a text becomes, special tokens included. */
    public static final int LONGEST = 512;

    private static final Map<String, String> OPTIONS = Map.of(
            "addSpecialTokens", "true",
            "truncation", "longest_first",
            "maxLength", Integer.toString(LONGEST),
            "modelMaxLength", Integer.toString(LONGEST),
            "stride", "0",
            "padding", "false");

    /** For {@link java.util.ServiceLoader}. */
    public HuggingFaceTokenizerProvider() {}

    @Override
    public Availability probe() {
        Optional<TeleWorldException> failure = TokenizersLibrary.failure();
        return failure.isPresent()
                ? new Availability.Unavailable(String.valueOf(failure.get().getMessage()))
                : new Availability.Available(List.of(new Device(Device.CPU, "Hugging Face tokenizers", -1)));
    }

    /**
     * Reads a {@code tokenizer.json}.
     *
     * @throws ModelFormatException if it cannot be read or is malformed
     * @throws TeleWorldException of category BACKEND if the native library cannot be loaded
     */
    @Override
    public Tokenizer open(Path file) {
        TokenizersLibrary.require();
        byte[] json;
        try {
            json = Files.readAllBytes(file);
        } catch (IOException e) {
            throw new ModelFormatException(file.toString(), "cannot be read: " + e, e);
        }
        try {
            HuggingFaceTokenizer opened = HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), OPTIONS);
            return new HuggingFaceText(file.toString(), opened);
        } catch (IOException | RuntimeException e) {
            throw new ModelFormatException(
                    file.toString(), "is no tokenizer that can be read: " + TokenizersLibrary.reason(e), e);
        }
    }
}
