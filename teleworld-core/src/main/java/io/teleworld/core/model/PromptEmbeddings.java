package io.teleworld.core.model;

import io.teleworld.core.weights.Conversions;
import io.teleworld.core.weights.TensorFile;
import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A prompt that a text encoder has already turned into numbers, from a file with one tensor [n,width] or [1,n,width] in
 * fp32, fp16 or bf16 ({@code .safetensors} or a file of {@code torch.save}). For Wan 2.1 the width is 4096, n at most 512.
 * Immutable and thread-safe.
 */
public final class PromptEmbeddings {

    private final String file;
    private final HostTensor rows;

    private PromptEmbeddings(String file, HostTensor rows) {
        this.file = file;
        this.rows = rows;
    }

    /**
     * Reads a file.
     *
     * @throws ModelFormatException if it does not hold one such tensor, or a value is not finite
     */
    public static PromptEmbeddings read(Path file) {
        TensorFile tensors = Checkpoint.tensors(file);
        if (tensors.names().size() != 1) {
            throw new ModelFormatException(
                    file.toString(), "holds " + tensors.names().size() + " tensors; a prompt is one, [n,width]");
        }
        return of(file.toString(), tensors, tensors.names().iterator().next());
    }

    /** One tensor of a file, as {@link #read}. */
    static PromptEmbeddings of(String file, TensorFile tensors, String name) {
        long[] shape = tensors.shape(name);
        long[] flat = shape.length == 3 && shape[0] == 1 ? new long[] {shape[1], shape[2]} : shape;
        DType type = tensors.dtype(name);
        boolean known = type == DType.F32 || type == DType.F16 || type == DType.BF16;
        if (flat.length != 2 || flat[0] < 1 || flat[1] < 1 || !known) {
            throw new ModelFormatException(
                    file,
                    "tensor " + name + " is " + type + " " + Arrays.toString(shape)
                            + "; a prompt is [n,width] in F32, F16 or" + " BF16");
        }
        HostTensor rows = Conversions.convert(tensors.tensor(name), DType.F32);
        ByteBuffer b = rows.hostBuffer();
        for (int i = 0; i < b.remaining(); i += 4) {
            if (!Float.isFinite(b.getFloat(i))) {
                throw new ModelFormatException(file, "tensor " + name + ", element " + i / 4 + " is " + b.getFloat(i));
            }
        }
        return new PromptEmbeddings(file, HostTensor.wrap(DType.F32, rows.hostBuffer(), flat));
    }

    /** The number of text tokens. */
    public int tokens() {
        return Math.toIntExact(rows.shape()[0]);
    }

    /** The width of a token's embedding. */
    public int width() {
        return Math.toIntExact(rows.shape()[1]);
    }

    /**
     * The input {@code text} of a video transformer: F32 [1,textLen,textDim], zeros behind the prompt. The caller owns it.
     *
     * @param textLen the text tokens of a run
     * @param textDim the width that the network takes
     * @throws ModelFormatException if the prompt is longer or of another width
     */
    public HostTensor text(int textLen, int textDim) {
        if (tokens() > textLen || width() != textDim) {
            throw new ModelFormatException(
                    file,
                    "the prompt is [" + tokens() + ", " + width() + "]; the network takes up to " + textLen
                            + " tokens of width " + textDim);
        }
        HostTensor out = HostTensor.zeros(DType.F32, 1, textLen, textDim);
        out.mutableBuffer().put(rows.hostBuffer());
        return out;
    }

    @Override
    public String toString() {
        return file + ", " + tokens() + " tokens of width " + width();
    }
}
