package io.teleworld.runtime;

import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Between which values what a convolution reads or makes was seen to lie. {@link Precision#INT8} needs both of a
 * convolution, since int8 has 256 even steps. They travel with the weights, as tensors [2] named after the weight.
 *
 * @param low at most 0
 * @param high at least 0, and above {@code low}
 */
public record ActivationRange(float low, float high) {

    /** Behind a weight's name: the range of what its layer reads. */
    public static final String INPUT_SUFFIX = ".input_range";

    /** Behind a weight's name: the range of what its layer makes, after a Relu that alone reads it. */
    public static final String OUTPUT_SUFFIX = ".output_range";

    /** Refuses what is no range around 0. */
    public ActivationRange {
        if (!(low <= 0 && high >= 0 && low < high) || Float.isInfinite(low) || Float.isInfinite(high)) {
            throw new IllegalArgumentException(
                    "activation range is [" + low + ", " + high + "]; it must be finite, not empty and hold 0");
        }
    }

    /**
     * What a layer with a weight reads and makes.
     *
     * @param input range of what it reads
     * @param output range of what it makes
     */
    public record OfLayer(ActivationRange input, ActivationRange output) {

        /** These ranges as they are stored. */
        public Map<String, HostTensor> stored(String weight) {
            return Map.of(weight + INPUT_SUFFIX, input.stored(), weight + OUTPUT_SUFFIX, output.stored());
        }
    }

    private HostTensor stored() {
        return HostTensor.ofFloats(new float[] {low, high}, 2);
    }

    /** Whether a tensor is the range of a layer whose weight is among some names. */
    public static boolean isRange(String name, Set<String> weights) {
        return (name.endsWith(INPUT_SUFFIX)
                        && weights.contains(name.substring(0, name.length() - INPUT_SUFFIX.length())))
                || (name.endsWith(OUTPUT_SUFFIX)
                        && weights.contains(name.substring(0, name.length() - OUTPUT_SUFFIX.length())));
    }

    /**
     * The ranges of a layer, if both are there.
     *
     * @param weight name of its weight
     * @throws TeleWorldException of category USER if one of them is no range; names it
     */
    public static Optional<OfLayer> of(Weights weights, String weight) {
        Set<String> names = weights.names();
        if (!names.contains(weight + INPUT_SUFFIX) || !names.contains(weight + OUTPUT_SUFFIX)) {
            return Optional.empty();
        }
        return Optional.of(new OfLayer(read(weights, weight + INPUT_SUFFIX), read(weights, weight + OUTPUT_SUFFIX)));
    }

    private static ActivationRange read(Weights weights, String name) {
        HostTensor t = weights.get(name);
        if (t.elementCount() != 2) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER, name + " has " + t.elementCount() + " elements; a range has 2");
        }
        try {
            return new ActivationRange(element(t, 0), element(t, 1));
        } catch (IllegalArgumentException e) {
            throw new TeleWorldException(TeleWorldException.Category.USER, name + ": " + e.getMessage(), e);
        }
    }

    private static float element(HostTensor t, int i) {
        ByteBuffer b = t.hostBuffer();
        return switch (t.dtype()) {
            case F32 -> b.asFloatBuffer().get(i);
            case F16 -> FloatFormats.f16ToFloat(b.asShortBuffer().get(i));
            case BF16 -> FloatFormats.bf16ToFloat(b.asShortBuffer().get(i));
            default ->
                throw new IllegalArgumentException("element type " + t.dtype() + "; allowed are " + DType.F32 + ", "
                        + DType.F16 + " and " + DType.BF16);
        };
    }
}
