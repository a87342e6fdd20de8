package io.teleworld.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.core.text.PromptText;
import io.teleworld.core.text.Tokenizer;
import io.teleworld.core.text.TokenizerProvider;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** On a unigram vocabulary of the kind that UMT5 has: pieces with a mark for the blank before them, and an end token. */
class HuggingFaceTokenizerProviderTest {

    /** Ids are the places in the vocabulary. The paddings and truncations that files carry must change nothing. */
    private static final String UNIGRAM = """
            {
              "version": "1.0",
              "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 2},
              "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
                          "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"},
              "added_tokens": [
                {"id": 0, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false,
                 "normalized": false, "special": true},
                {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                 "normalized": false, "special": true}],
              "normalizer": null,
              "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true},
              "post_processor": {"type": "TemplateProcessing",
                "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
              "decoder": null,
              "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [
                ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0],
                ["\u2581a", -1.0], ["\u2581red", -2.0], ["\u2581room", -2.5], ["s", -3.0], ["\u2581", -4.0],
                ["r", -6.0], ["o", -6.0], ["m", -6.0], ["&", -5.0]]}
            }
            """;

    private final TokenizerProvider provider = new HuggingFaceTokenizerProvider();

    @TempDir
    Path folder;

    @Test
    void isFoundAsAService() {
        assertThat(ServiceLoader.load(TokenizerProvider.class))
                .hasAtLeastOneElementOfType(HuggingFaceTokenizerProvider.class);
        assertThat(provider.probe()).isInstanceOf(Availability.Available.class);
    }

    @Test
    void cutsTextIntoTheLikeliestPiecesAndEndsIt() throws IOException {
        try (Tokenizer t = open(UNIGRAM)) {
            assertThat(t.encode("a red room")).containsExactly(3, 4, 5, 1);
            assertThat(t.encode("red rooms")).containsExactly(4, 5, 6, 1);
            assertThat(t.encode("a room & \u4e16")).containsExactly(3, 5, 7, 11, 7, 2, 1);
        }
    }

    @Test
    void anEmptyPromptIsTheEndToken() throws IOException {
        try (Tokenizer t = open(UNIGRAM)) {
            assertThat(t.encode("")).containsExactly(1);
        }
    }

    @Test
    void aLongPromptKeepsItsEndToken() throws IOException {
        try (Tokenizer t = open(UNIGRAM)) {
            long[] full = t.encode("red ".repeat(511).strip());
            long[] longer = t.encode("red ".repeat(512).strip() + " room");
            assertThat(full).hasSize(HuggingFaceTokenizerProvider.LONGEST).isEqualTo(longer);
            assertThat(Arrays.copyOf(full, 511)).containsOnly(4);
            assertThat(full[511]).isEqualTo(1);
            assertThat(t.encode("red ".repeat(510).strip())).hasSize(511).endsWith(1);
        }
    }

    @Test
    void cleanedPromptsHaveTheTokensOfWhatTheyMean() throws IOException {
        try (Tokenizer t = open(UNIGRAM)) {
            String clean = PromptText.clean("  a \n\t red&nbsp;room &amp;amp; a\u3000room ");
            assertThat(clean).isEqualTo("a red room & a room");
            assertThat(t.encode(clean)).containsExactly(3, 4, 5, 7, 11, 3, 5, 1);
        }
    }

    @Test
    void manyThreadsCutTheSame() throws IOException {
        try (Tokenizer t = open(UNIGRAM)) {
            assertThat(IntStream.range(0, 200).parallel().mapToObj(i -> t.encode("a red room")))
                    .allSatisfy(tokens -> assertThat(tokens).containsExactly(3, 4, 5, 1));
        }
    }

    @Test
    void aClosedOneSaysSo() throws IOException {
        Tokenizer t = open(UNIGRAM);
        t.close();
        t.close();
        assertThatThrownBy(() -> t.encode("a")).isInstanceOf(ResourceClosedException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "no json",
                "{}",
                "[1, 2",
                "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 7, \"vocab\": [[\"a\", 0.0]]}}",
                "{\"version\": \"1.0\", \"model\": {\"type\": \"Tarot\", \"vocab\": {}}}"
            })
    void aMalformedFileIsNamed(String json) {
        assertThatThrownBy(() -> open(json))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining(folder.resolve("tokenizer.json").toString());
    }

    @Test
    void aMissingFileIsNamed() {
        Path none = folder.resolve("none.json");
        assertThatThrownBy(() -> provider.open(none))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining(none.toString());
    }

    @Test
    void aFileThatMakesNoTokensIsRefused() throws IOException {
        try (Tokenizer t = open(UNIGRAM.replaceAll("(?s)\"post_processor\".*?\"decoder\"", "\"decoder\""))) {
            assertThat(t.encode("red")).containsExactly(4);
            assertThatThrownBy(() -> t.encode(""))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("tokenizer.json");
        }
    }

    /** A library is loaded once per process, so this looks from a process of its own. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aMissingOrBrokenNativeLibraryIsABackendFailureWithItsReason(boolean there)
            throws IOException, InterruptedException {
        Path library = folder.resolve(System.mapLibraryName("tokenizers"));
        if (there) {
            Files.writeString(library, "no library");
        }
        Path output = folder.resolve("output");
        Process process = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "-DRUST_LIBRARY_PATH=" + library,
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        WithoutLibrary.class.getName(),
                        Files.writeString(folder.resolve("tokenizer.json"), UNIGRAM)
                                .toString())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        String reason = "Hugging Face's tokenizers cannot be loaded: "
                + (there ? library + ": " : "No native rust library found in: " + library);
        assertThat(Files.readString(output, StandardCharsets.UTF_8))
                .contains("unavailable " + reason)
                .contains("BACKEND " + reason)
                .contains("offline true, untracked true");
    }

    /** Tries to open a tokenizer and says how it went. */
    static final class WithoutLibrary {

        private WithoutLibrary() {}

        public static void main(String[] args) {
            TokenizerProvider provider = new HuggingFaceTokenizerProvider();
            if (provider.probe() instanceof Availability.Unavailable u) {
                System.out.println("unavailable " + u.reason());
            }
            try (Tokenizer t = provider.open(Path.of(args[0]))) {
                System.out.println("tokens " + Arrays.toString(t.encode("a red room")));
            } catch (TeleWorldException e) {
                System.out.println(e.category() + " " + e.getMessage());
            }
            System.out.println("offline " + System.getProperty("ai.djl.offline") + ", untracked "
                    + System.getProperty("OPT_OUT_TRACKING"));
        }
    }

    private Tokenizer open(String json) throws IOException {
        return provider.open(Files.writeString(folder.resolve("tokenizer.json"), json, StandardCharsets.UTF_8));
    }
}
