package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The video diffusion transformer (Wan 2.1): velocity from noisy latents, timesteps and text. Stateless; the graphs are
 * immutable. Weights carry the Diffusers names; {@link KeyLayouts} translates the original ones.
 *
 * <p>Timesteps lie in [0,1000], 0 being clean. {@code positions} are the temporal rotary indices of the run's frames,
 * usually the frame numbers within a segment: the order of frames in a run means nothing, their positions do.
 *
 * <p>With {@link VideoTransformerConfig#camEncoderIn()} all graphs have an input {@code camera} [batch,frames,that] more:
 * one vector per frame of the run, see {@link io.teleworld.core.camera.CameraEmbedding}.
 */
public final class VideoTransformer {

    /** The group of the frame caches of {@link #cachedGraph}. */
    public static final String CACHE_GROUP = "self_attention";

    private static final String TEXT_KEY = "text_key";
    private static final String TEXT_VALUE = "text_value";

    /** What one timestep holds for in {@link #plainGraph}. */
    public enum TimestepPer {
        /** Input {@code timestep} is [batch]. */
        SAMPLE,
        /** Input {@code timestep} is [batch,frames]. */
        FRAME,
        /** Input {@code timestep} is [batch,tokens], tokens running over frames, rows and columns. */
        TOKEN
    }

    private enum Form {
        PLAIN,
        MASKED,
        CACHED,
        /** As CACHED, with the text's keys and values of each block given. */
        PROMPTED,
        /** Nothing but these keys and values. */
        PROMPT
    }

    private final VideoTransformerConfig config;
    private final GraphBuilder b;
    private final int d;
    private final int h;
    private final int w;
    private final Dim batch;
    private final Dim frames;
    private final Dim perFrame;
    private final Dim tokens;
    /** Tokens are viewed as [batch,groups,members,d]; the members of a group have one timestep. */
    private final Dim groups;

    private final Dim members;
    private final int cacheCapacity;

    private VideoTransformer(
            VideoTransformerConfig config,
            int latentHeight,
            int latentWidth,
            Form form,
            TimestepPer per,
            int capacity) {
        this.config = config;
        this.b = new GraphBuilder("video_transformer_" + form.name().toLowerCase(java.util.Locale.ROOT));
        this.d = config.width();
        this.perFrame = Dim.of(config.tokensPerFrame(latentHeight, latentWidth));
        this.h = latentHeight / config.patchSize().get(1);
        this.w = latentWidth / config.patchSize().get(2);
        boolean session = form == Form.CACHED || form == Form.PROMPTED || form == Form.PROMPT;
        this.batch = session ? Dim.of(1) : Dim.symbol("batch");
        this.frames = Dim.symbol("frames");
        this.tokens = frames.times(perFrame);
        Dim one = Dim.of(1);
        this.groups = per == TimestepPer.SAMPLE ? one : per == TimestepPer.FRAME ? frames : tokens;
        this.members = per == TimestepPer.SAMPLE ? tokens : per == TimestepPer.FRAME ? perFrame : one;
        this.cacheCapacity = capacity;
    }

    /**
     * For generation: frames of one run see each other and the cached frames that the run's options make visible in
     * group {@link #CACHE_GROUP}; what the options write is the run's own keys (after rotary embedding) and values, per
     * layer in {@code blocks.N.key} and {@code blocks.N.value}.
     *
     * <p>Inputs: {@code latents} [1,Cin,frames,h,w], {@code timestep} [1,frames], {@code positions} [frames],
     * {@code text} [1,textLen,textDim] and, image-to-video, {@code image} [1,image_tokens,imageDim]; all F32. Output
     * {@code velocity} [1,Cout,frames,h,w].
     *
     * @param cacheCapacityFrames the most frames that are cached at a time
     */
    public static Graph cachedGraph(
            VideoTransformerConfig config, int latentHeight, int latentWidth, int cacheCapacityFrames) {
        return new VideoTransformer(
                        config, latentHeight, latentWidth, Form.CACHED, TimestepPer.FRAME, cacheCapacityFrames)
                .build(Form.CACHED);
    }

    /**
     * As {@link #cachedGraph} for many runs with one prompt: in place of {@code text} it takes what
     * {@link #promptGraph} gives, so that nothing is computed from the text again at each step.
     */
    public static Graph promptedGraph(
            VideoTransformerConfig config, int latentHeight, int latentWidth, int cacheCapacityFrames) {
        return new VideoTransformer(
                        config, latentHeight, latentWidth, Form.PROMPTED, TimestepPer.FRAME, cacheCapacityFrames)
                .build(Form.PROMPTED);
    }

    /**
     * What each block's cross-attention sees of a prompt. Input {@code text} F32 [1,textLen,textDim]; outputs
     * {@code blocks.N.text_key} and {@code blocks.N.text_value} [1,textLen,d], the inputs of {@link #promptedGraph}.
     */
    public static Graph promptGraph(VideoTransformerConfig config) {
        List<Integer> p = config.patchSize();
        return new VideoTransformer(config, p.get(1), p.get(2), Form.PROMPT, TimestepPer.FRAME, 0).promptOnly();
    }

    /**
     * For training with teacher forcing: no cache, but input {@code visibility} BOOL [frames,frames] tells which key
     * frames (columns) each query frame (row) sees; a row must not be empty.
     *
     * <p>Other inputs: {@code latents} [batch,Cin,frames,h,w], {@code timestep} [batch,frames], {@code positions}
     * [frames], {@code text} [batch,textLen,textDim] and, image-to-video, {@code image} [batch,image_tokens,imageDim].
     * Output {@code velocity} [batch,Cout,frames,h,w].
     */
    public static Graph maskedGraph(VideoTransformerConfig config, int latentHeight, int latentWidth) {
        return new VideoTransformer(config, latentHeight, latentWidth, Form.MASKED, TimestepPer.FRAME, 0)
                .build(Form.MASKED);
    }

    /** The bidirectional model: as {@link #maskedGraph} without {@code visibility}, everything sees everything. */
    public static Graph plainGraph(
            VideoTransformerConfig config, int latentHeight, int latentWidth, TimestepPer timestepPer) {
        return new VideoTransformer(config, latentHeight, latentWidth, Form.PLAIN, timestepPer, 0).build(Form.PLAIN);
    }

    /** Weights to start training from, by name; the velocity is zero at first. */
    public static Map<String, float[]> initialise(VideoTransformerConfig config, long seed) {
        ParameterInit init = ParameterInit.empty()
                .with("(.*\\.)?scale_shift_table", new ParameterInit.Rule.Normal(1 / Math.sqrt(config.width())))
                .with("proj_out\\..*", new ParameterInit.Rule.Constant(0))
                .with(".*\\.cam_encoder\\..*", new ParameterInit.Rule.Constant(0))
                .with(".*\\.projector\\.weight", new ParameterInit.Rule.Identity())
                .with(".*norm[^.]*\\.weight", new ParameterInit.Rule.Constant(1))
                .with(".*\\.bias", new ParameterInit.Rule.Constant(0))
                .with("condition_embedder\\.(time|text)_embedder\\..*", new ParameterInit.Rule.Normal(0.02))
                .with(".*pos_embed", new ParameterInit.Rule.Constant(0))
                .with(".*\\.weight", new ParameterInit.Rule.XavierUniform(1));
        int ph = config.patchSize().get(1);
        int pw = config.patchSize().get(2);
        return init.draw(maskedGraph(config, ph, pw), seed);
    }

    private Graph build(Form form) {
        Value latents = b.input(
                "latents",
                DType.F32,
                batch,
                Dim.of(config.inChannels()),
                frames,
                Dim.of((long) h * config.patchSize().get(1)),
                Dim.of((long) w * config.patchSize().get(2)));
        Value timestep = b.input("timestep", DType.F32, groups.is(1) ? Shape.of(batch) : Shape.of(batch, groups));
        Value positions = b.input("positions", DType.F32, frames);
        Value text = form == Form.PROMPTED ? null : textInput();
        Value mask = form == Form.MASKED ? tokenMask(b.input("visibility", DType.BOOL, frames, frames)) : null;

        Value x = patchEmbedding(latents);
        Value temb = timeEmbedding(timestep);
        Value modulation = b.reshape(
                linear(b.silu(temb), "condition_embedder.time_proj", 6L * d), batch, groups, Dim.of(6), Dim.of(d));
        Value textContext = text == null ? null : textContext(text);
        Value imageContext = imageContext();
        Integer cameraWidth = config.camEncoderIn();
        Value camera = cameraWidth == null ? null : b.input("camera", DType.F32, batch, frames, Dim.of(cameraWidth));
        Value[] rotary = rotaryTables(positions);
        for (int i = 0; i < config.numLayers(); i++) {
            b.push("blocks." + i);
            x = block(x, "blocks." + i + ".", modulation, textContext, imageContext, camera, rotary, mask, form);
            b.pop();
        }
        b.output("velocity", head(x, temb));
        return b.build();
    }

    private Graph promptOnly() {
        Value context = textContext(textInput());
        for (int i = 0; i < config.numLayers(); i++) {
            String block = "blocks." + i + ".";
            b.push("blocks." + i);
            b.output(block + TEXT_KEY, textKey(context, block + "attn2."));
            b.output(block + TEXT_VALUE, textValue(context, block + "attn2."));
            b.pop();
        }
        return b.build();
    }

    // ------------------------------------------------------------------------------------------ embeddings

    private Value textInput() {
        return b.input("text", DType.F32, batch, Dim.of(config.textLen()), Dim.of(config.textDim()));
    }

    private Value textContext(Value text) {
        return linear(
                b.geluTanh(linear(text, "condition_embedder.text_embedder.linear_1", d)),
                "condition_embedder.text_embedder.linear_2",
                d);
    }

    private Value textKey(Value context, String attention) {
        return normed(linear(context, attention + "to_k", d), attention + "norm_k");
    }

    private Value textValue(Value context, String attention) {
        return linear(context, attention + "to_v", d);
    }

    /** [B,Cin,F,h,w] to tokens [B,groups,members,d], ordered by frame, row and column. */
    private Value patchEmbedding(Value latents) {
        List<Integer> p = config.patchSize();
        Value weight = b.parameter("patch_embedding.weight", d, config.inChannels(), p.get(0), p.get(1), p.get(2));
        Value bias = b.parameter("patch_embedding.bias", d);
        b.push("patch_embedding");
        Value x = b.conv(latents, weight, bias, p, List.of(0, 0, 0, 0, 0, 0), List.of(1, 1, 1), 1);
        x = grouped(b.transpose(x, 0, 2, 3, 4, 1));
        b.pop();
        return x;
    }

    /** Sinusoids of t, cosines first, then two linear layers: [B,groups,d]. */
    private Value timeEmbedding(Value timestep) {
        int half = config.freqDim() / 2;
        float[] omega = new float[half];
        for (int i = 0; i < half; i++) {
            omega[i] = (float) Math.pow(10_000, -(double) i / half);
        }
        Value angle = b.mul(b.reshape(timestep, batch, groups, Dim.of(1)), b.constant(omega, half));
        Value e = b.concat(-1, b.cos(angle), b.sin(angle));
        e = b.silu(linear(e, "condition_embedder.time_embedder.linear_1", d));
        return linear(e, "condition_embedder.time_embedder.linear_2", d);
    }

    private @Nullable Value imageContext() {
        Integer width = config.imageDim();
        if (width == null) {
            return null;
        }
        String name = "condition_embedder.image_embedder.";
        Integer positions = config.posEmbedSeqLen();
        Dim count = positions == null ? Dim.symbol("image_tokens") : Dim.of(positions);
        Value x = b.input("image", DType.F32, batch, count, Dim.of(width));
        if (positions != null) {
            x = b.add(x, b.parameter(name + "pos_embed", 1, positions, width));
        }
        x = affineNorm(x, name + "norm1", 1e-5);
        x = linear(b.gelu(linear(x, name + "ff.net.0.proj", width)), name + "ff.net.2", d);
        return affineNorm(x, name + "norm2", 1e-5);
    }

    /** cos and sin [1,tokens,D/2]: temporal pairs, then rows, then columns. */
    private Value[] rotaryTables(Value positions) {
        int spatial = 2 * (config.attentionHeadDim() / 6);
        int temporal = config.attentionHeadDim() - 2 * spatial;
        int nt = temporal / 2;
        int ns = spatial / 2;
        float[] ft = frequencies(temporal);
        float[] fs = frequencies(spatial);
        float[] grid = new float[h * w * 2 * ns];
        for (int i = 0; i < h; i++) {
            for (int j = 0; j < w; j++) {
                for (int k = 0; k < ns; k++) {
                    int at = (i * w + j) * 2 * ns + k;
                    grid[at] = i * fs[k];
                    grid[at + ns] = j * fs[k];
                }
            }
        }
        Dim one = Dim.of(1);
        Value time = b.mul(b.reshape(positions, frames, one, one), b.constant(ft, nt));
        time = b.expand(time, Shape.of(frames, perFrame, Dim.of(nt)));
        Value space = b.constant(grid, 1, (long) h * w, 2L * ns);
        space = b.expand(space, Shape.of(frames, perFrame, Dim.of(2L * ns)));
        Value angle = b.reshape(b.concat(-1, time, space), one, tokens, Dim.of(nt + 2L * ns));
        return new Value[] {b.cos(angle), b.sin(angle)};
    }

    private static float[] frequencies(int axisWidth) {
        float[] f = new float[axisWidth / 2];
        for (int j = 0; j < f.length; j++) {
            f[j] = (float) Math.pow(10_000, -2.0 * j / axisWidth);
        }
        return f;
    }

    /** [F,F] to [F·S,F·S]. */
    private Value tokenMask(Value visibility) {
        Dim one = Dim.of(1);
        Value m =
                b.expand(b.reshape(visibility, frames, one, frames, one), Shape.of(frames, perFrame, frames, perFrame));
        return b.reshape(m, tokens, tokens);
    }

    // ------------------------------------------------------------------------------------------ blocks

    private Value block(
            Value x,
            String name,
            Value modulation,
            @Nullable Value text,
            @Nullable Value image,
            @Nullable Value camera,
            Value[] rotary,
            @Nullable Value mask,
            Form form) {
        Value table = b.parameter(name + "scale_shift_table", 1, 6, d);
        List<Value> m = b.split(b.add(modulation, table), 2, 1L, 1L, 1L, 1L, 1L, 1L);

        Value y = sequence(b.modulatedLayerNorm(x, m.get(0), m.get(1), config.eps()));
        if (camera != null) {
            y = withCamera(y, camera, name);
        }
        Value attended = selfAttention(y, name, rotary, mask, form);
        if (config.projector()) {
            attended = linear(attended, name + "projector", d);
        }
        x = b.gatedResidual(x, grouped(attended), m.get(2));

        y = sequence(x);
        Value normed = config.crossAttnNorm() ? affineNorm(y, name + "norm2", config.eps()) : y;
        x = grouped(b.add(y, crossAttention(normed, name, text, image)));

        y = sequence(b.modulatedLayerNorm(x, m.get(3), m.get(4), config.eps()));
        y = linear(b.geluTanh(linear(y, name + "ffn.net.0.proj", config.ffnDim())), name + "ffn.net.2", d);
        return b.gatedResidual(x, grouped(y), m.get(5));
    }

    /** Adds to every token of a frame what its camera says (ReCamMaster, arXiv 2503.11647). */
    private Value withCamera(Value y, Value camera, String name) {
        Value encoded = b.reshape(linear(camera, name + "cam_encoder", d), batch, frames, Dim.of(1), Dim.of(d));
        return sequence(b.add(b.reshape(y, batch, frames, perFrame, Dim.of(d)), encoded));
    }

    private Value selfAttention(Value y, String block, Value[] rotary, @Nullable Value mask, Form form) {
        String name = block + "attn1.";
        Value q = rotated(linear(y, name + "to_q", d), name + "norm_q", rotary);
        Value k = rotated(linear(y, name + "to_k", d), name + "norm_k", rotary);
        Value v = linear(y, name + "to_v", d);
        if (form == Form.CACHED || form == Form.PROMPTED) {
            k = withCached(block + "key", k);
            v = withCached(block + "value", v);
        }
        return linear(b.attention(q, k, v, mask, config.numAttentionHeads(), scale()), name + "to_out.0", d);
    }

    private Value rotated(Value x, String norm, Value[] rotary) {
        Value scale = b.parameter(norm + ".weight", d);
        return b.normedRotary(x, scale, rotary[0], rotary[1], config.numAttentionHeads(), config.eps());
    }

    /** The visible cached frames and behind them the run's own, which are offered to the cache. */
    private Value withCached(String cache, Value own) {
        State.FrameCache state =
                new State.FrameCache(cache, CACHE_GROUP, DType.F32, Shape.of(perFrame, Dim.of(d)), cacheCapacity);
        Dim visible = Dim.symbol(state.visibleSymbol());
        Value earlier = b.reshape(b.readState(state), Dim.of(1), visible.times(perFrame), Dim.of(d));
        b.writeState(state, b.reshape(own, frames, perFrame, Dim.of(d)));
        return b.concat(1, earlier, own);
    }

    /** Text and image are attended to separately, with one query; the results are added. */
    private Value crossAttention(Value y, String block, @Nullable Value text, @Nullable Value image) {
        String name = block + "attn2.";
        int heads = config.numAttentionHeads();
        Value q = normed(linear(y, name + "to_q", d), name + "norm_q");
        Value k = text == null ? prompt(block + TEXT_KEY) : textKey(text, name);
        Value out = b.attention(
                q, k, text == null ? prompt(block + TEXT_VALUE) : textValue(text, name), null, heads, scale());
        if (image != null) {
            Value ki = normed(linear(image, name + "add_k_proj", d), name + "norm_added_k");
            Value vi = linear(image, name + "add_v_proj", d);
            out = b.add(out, b.attention(q, ki, vi, null, heads, scale()));
        }
        return linear(out, name + "to_out.0", d);
    }

    private Value prompt(String name) {
        return b.input(name, DType.F32, batch, Dim.of(config.textLen()), Dim.of(d));
    }

    private double scale() {
        return 1 / Math.sqrt(config.attentionHeadDim());
    }

    // ------------------------------------------------------------------------------------------ head

    private Value head(Value x, Value temb) {
        List<Integer> p = config.patchSize();
        List<Value> table = b.split(b.parameter("scale_shift_table", 1, 2, d), 1, 1L, 1L);
        Value t = b.reshape(temb, batch, groups, Dim.of(1), Dim.of(d));
        Value y = b.modulatedLayerNorm(x, b.add(t, table.get(0)), b.add(t, table.get(1)), config.eps());
        y = linear(sequence(y), "proj_out", (long) config.outChannels() * p.get(1) * p.get(2));
        // A token's outputs run over patch row, patch column and, fastest, channel.
        y = b.reshape(
                y,
                batch,
                frames,
                Dim.of(h),
                Dim.of(w),
                Dim.of(p.get(1)),
                Dim.of(p.get(2)),
                Dim.of(config.outChannels()));
        y = b.transpose(y, 0, 6, 1, 2, 4, 3, 5);
        return b.reshape(
                y,
                batch,
                Dim.of(config.outChannels()),
                frames,
                Dim.of((long) h * p.get(1)),
                Dim.of((long) w * p.get(2)));
    }

    // ------------------------------------------------------------------------------------------ helpers

    private Value linear(Value x, String name, long out) {
        Value weight = b.parameter(name + ".weight", out, x.dim(-1).known());
        Value bias = b.parameter(name + ".bias", out);
        return b.linear(x, weight, bias);
    }

    private Value normed(Value x, String name) {
        return b.rmsNorm(x, b.parameter(name + ".weight", d), config.eps());
    }

    private Value affineNorm(Value x, String name, double epsilon) {
        long width = x.dim(-1).known();
        return b.layerNorm(x, b.parameter(name + ".weight", width), b.parameter(name + ".bias", width), epsilon);
    }

    private Value sequence(Value x) {
        return b.reshape(x, batch, tokens, Dim.of(d));
    }

    private Value grouped(Value x) {
        return b.reshape(x, batch, groups, members, Dim.of(d));
    }
}
