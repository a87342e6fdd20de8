package io.teleworld.core.model;

import io.teleworld.Prompt;
import io.teleworld.core.network.TextEncoderConfig;
import io.teleworld.core.text.PromptText;
import io.teleworld.core.text.Tokenizer;
import io.teleworld.core.text.TokenizerProvider;
import io.teleworld.core.weights.TensorFile;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a model's files can make of a {@link Prompt}: {@code prompts.safetensors} holds styles by name, each
 * [tokens,textDim]; {@code text_encoder/} with {@code tokenizer/tokenizer.json} (Diffusers), or
 * {@code models_t5_umt5-xxl-enc-bf16.pth} with {@code google/umt5-xxl/tokenizer.json} (original), reads words. Thread-safe.
 * The embeddings of the latest texts are kept.
 */
public final class Prompts {

    private static final String STYLES = "prompts.safetensors";
    private static final String ENCODER = "text_encoder";
    private static final String ORIGINAL_ENCODER = "models_t5_umt5-xxl-enc-bf16.pth";
    private static final List<String> TOKENIZERS =
            List.of("tokenizer/tokenizer.json", "google/umt5-xxl/tokenizer.json", "tokenizer.json");
    private static final int KEPT = 16;

    private final ModelFiles files;
    private final int textLen;
    private final int textDim;
    private final @Nullable TensorFile styles;
    private final Map<String, HostTensor> texts = new LinkedHashMap<>(KEPT, 0.75f, true);

    /**
     * The prompts of a model.
     *
     * @param textLen tokens that the transformer takes
     * @param textDim width of a token's embedding
     * @throws ModelFormatException if the styles do not fit the transformer
     */
    public Prompts(ModelFiles files, int textLen, int textDim) {
        this.files = files;
        this.textLen = textLen;
        this.textDim = textDim;
        this.styles = files.exists(STYLES) ? ModelPackage.tensors(files, STYLES) : null;
        for (String name : styles()) {
            style(name).text(textLen, textDim);
        }
    }

    /** The names of the styles, sorted. */
    public List<String> styles() {
        TensorFile s = styles;
        return s == null ? List.of() : List.copyOf(new TreeSet<>(s.names()));
    }

    /**
     * The input {@code text} of the transformer, F32 [1,textLen,textDim]: zeros behind the prompt, and all of it without
     * one.
     *
     * @param runtime runs the text encoder where there are words to read
     * @throws TeleWorldException of category USER if the model cannot make anything of the prompt; says what is missing
     */
    public HostTensor text(Optional<Prompt> prompt, TensorRuntime runtime) {
        if (prompt.isEmpty()) {
            return HostTensor.zeros(DType.F32, 1, textLen, textDim);
        }
        Prompt p = prompt.get();
        if (p instanceof Prompt.Style s) {
            return style(s.name()).text(textLen, textDim);
        }
        if (p instanceof Prompt.Embeddings e) {
            return PromptEmbeddings.read(e.file()).text(textLen, textDim);
        }
        return read(((Prompt.Text) p).text(), runtime);
    }

    private PromptEmbeddings style(String name) {
        TensorFile s = styles;
        if (s == null || !s.names().contains(name)) {
            throw new TeleWorldException(
                    Category.USER,
                    "model " + files.description() + " has no style '" + name + "'; "
                            + (s == null ? "it has none" : "there are " + String.join(", ", styles())));
        }
        return PromptEmbeddings.of(files.description() + "/" + STYLES, s, name);
    }

    private HostTensor read(String words, TensorRuntime runtime) {
        String clean = PromptText.clean(words);
        synchronized (texts) {
            HostTensor known = texts.get(clean);
            if (known != null) {
                return known;
            }
        }
        Optional<String> tokenizer = TOKENIZERS.stream().filter(files::exists).findFirst();
        List<String> missing = new ArrayList<>();
        if (!hasEncoder()) {
            missing.add("a text encoder (" + ENCODER + "/ or " + ORIGINAL_ENCODER + ")");
        }
        if (tokenizer.isEmpty()) {
            missing.add("a tokenizer (" + String.join(" or ", TOKENIZERS) + ")");
        }
        if (tokenizer.isEmpty() || !missing.isEmpty()) {
            throw unreadable("it lacks " + String.join(" and ", missing));
        }
        Path file = files.onDisk(tokenizer.get()).orElseThrow(() -> unreadable("its tokenizer is no file on disk"));
        long[] tokens;
        try (Tokenizer t = provider().open(file)) {
            tokens = t.encode(clean);
        }
        if (tokens.length > textLen) {
            throw new TeleWorldException(
                    Category.USER,
                    "the prompt has " + tokens.length + " tokens; model " + files.description() + " takes up to "
                            + textLen);
        }
        PromptEncoder encoder = encoder();
        if (encoder.width() != textDim) {
            throw new ModelFormatException(
                    files.description(),
                    "the text encoder gives " + encoder.width() + " numbers per token; the transformer takes "
                            + textDim);
        }
        HostTensor out = HostTensor.zeros(DType.F32, 1, textLen, textDim);
        out.mutableBuffer().put(encoder.encode(tokens, runtime).hostBuffer());
        synchronized (texts) {
            texts.put(clean, out);
            if (texts.size() > KEPT) {
                texts.remove(texts.keySet().iterator().next());
            }
        }
        return out;
    }

    private boolean hasEncoder() {
        return files.exists(ENCODER + "/config.json") || files.exists(ORIGINAL_ENCODER);
    }

    private PromptEncoder encoder() {
        if (files.exists(ENCODER + "/config.json")) {
            TextEncoderConfig config = TextEncoderConfig.read(
                    files.description() + "/" + ENCODER + "/config.json", files.bytes(ENCODER + "/config.json"));
            return new PromptEncoder(
                    config, textEncoder(ModelPackage.weights(files, ENCODER)).weights());
        }
        Checkpoint c = textEncoder(WeightFiles.of(
                files.description() + "/" + ORIGINAL_ENCODER, List.of(ModelPackage.tensors(files, ORIGINAL_ENCODER))));
        return new PromptEncoder(c.textEncoderConfig(), c.weights());
    }

    private static Checkpoint textEncoder(WeightFiles weights) {
        Checkpoint c = Checkpoint.of(weights, null);
        if (c.kind() != Checkpoint.Kind.TEXT_ENCODER) {
            throw new ModelFormatException(
                    weights.description(),
                    "is no text encoder but a " + c.kind().name().toLowerCase(Locale.ROOT));
        }
        return c;
    }

    private TokenizerProvider provider() {
        List<String> reasons = new ArrayList<>();
        try {
            for (TokenizerProvider p : ServiceLoader.load(TokenizerProvider.class, Prompts.class.getClassLoader())) {
                Availability a = p.probe();
                if (a instanceof Availability.Unavailable u) {
                    reasons.add(u.reason());
                } else {
                    return p;
                }
            }
        } catch (ServiceConfigurationError e) {
            reasons.add(String.valueOf(e.getMessage()));
        }
        throw unreadable(
                reasons.isEmpty()
                        ? "no tokenizer is on the class path (a service io.teleworld.core.text.TokenizerProvider)"
                        : "no tokenizer works here: " + String.join("; ", reasons));
    }

    private TeleWorldException unreadable(String why) {
        List<String> ways = new ArrayList<>();
        ways.add("embeddings from a file");
        if (styles != null) {
            ways.add("one of the styles " + String.join(", ", styles()));
        }
        return new TeleWorldException(
                Category.USER,
                "model " + files.description() + " cannot read a prompt in words: " + why + "; give it "
                        + String.join(" or ", ways));
    }
}
