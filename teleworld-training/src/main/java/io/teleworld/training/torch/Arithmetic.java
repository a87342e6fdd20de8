package io.teleworld.training.torch;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Precision;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The arithmetic that a graph is run in. Immutable.
 *
 * <p>Statistics of normalisations, softmax inside attention and rotary embeddings are always computed in fp32.
 *
 * @param products element type of linear layers, matrix products, convolutions and attention
 * @param wideResiduals whether gated residual streams are kept in fp32 even where products are narrower; costs memory
 *     traffic and saves rounding of the stream
 */
public record Arithmetic(ScalarType products, boolean wideResiduals) {

    /** Everything in fp32. */
    public static final Arithmetic FP32 = new Arithmetic(ScalarType.Float, true);

    /** Products in bf16, residual streams in fp32. */
    public static final Arithmetic BF16 = new Arithmetic(ScalarType.BFloat16, true);

    /** Products and residual streams in bf16. */
    public static final Arithmetic BF16_NARROW = new Arithmetic(ScalarType.BFloat16, false);

    public Arithmetic {
        if (products != ScalarType.Float && products != ScalarType.BFloat16 && products != ScalarType.Half) {
            throw new IllegalArgumentException("products is " + products + "; Float, BFloat16 and Half are allowed");
        }
    }

    /**
     * The arithmetic of a precision.
     *
     * @throws TeleWorldException of category BACKEND if LibTorch has no kernels for it here
     */
    public static Arithmetic of(Precision precision) {
        return switch (precision) {
            case FP32 -> FP32;
            case BF16 -> BF16;
            default ->
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "runtime torch has no precision " + precision + "; it has FP32 and BF16");
        };
    }

    boolean narrow() {
        return products != ScalarType.Float;
    }
}
