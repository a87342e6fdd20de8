package io.teleworld.core.weights;

import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Low-rank changes of weights: W becomes W + strength · α/r · B·A, where A is [r,in], B is [out,r] and further axes of a
 * convolution count as inputs. Immutable and thread-safe.
 *
 * <p>Known namings of A and B are {@code lora_A}/{@code lora_B} (PEFT, also with {@code .default}) and
 * {@code lora_down}/{@code lora_up}, each with {@code .weight}; {@code MODULE.alpha} sets α for one module.
 */
public final class LoraWeights {

    private static final Pattern PART = Pattern.compile(
            "(?<module>.+)\\.(?:(?<down>lora_A|lora_down)|(?<up>lora_B|lora_up))(?:\\.default)?\\.weight");

    private static final class Factors {
        @Nullable
        String down;

        @Nullable
        String up;

        double alpha = Double.NaN;
    }

    /** The two factors of one weight. */
    private record Change(HostTensor down, HostTensor up, float scale) {}

    private final String description;
    private final WeightFiles files;
    private final Map<String, Factors> changes;
    private final double alpha;
    private final double strength;

    private LoraWeights(
            String description, WeightFiles files, Map<String, Factors> changes, double alpha, double strength) {
        this.description = description;
        this.files = files;
        this.changes = Collections.unmodifiableMap(changes);
        this.alpha = alpha;
        this.strength = strength;
    }

    /**
     * The changes in a file.
     *
     * @param files A, B and α of every changed module and nothing else
     * @param moduleName from a module's name in the file to that of the weights to change, without {@code .weight}
     * @throws ModelFormatException if a name is not understood or A or B is missing
     */
    public static LoraWeights of(WeightFiles files, UnaryOperator<String> moduleName) {
        Map<String, Factors> changes = new TreeMap<>();
        for (String name : files.names()) {
            Matcher m = PART.matcher(name);
            boolean factor = m.matches();
            if (!factor && !name.endsWith(".alpha")) {
                throw new ModelFormatException(
                        files.description(),
                        "weight " + name
                                + " is no part of a low-rank change; known are lora_A, lora_B, lora_down, lora_up"
                                + " and alpha");
            }
            String module = factor ? m.group("module") : name.substring(0, name.length() - ".alpha".length());
            String target;
            try {
                target = moduleName.apply(module) + ".weight";
            } catch (IllegalArgumentException e) {
                throw new ModelFormatException(files.description(), String.valueOf(e.getMessage()), e);
            }
            Factors f = changes.computeIfAbsent(target, t -> new Factors());
            if (!factor) {
                HostTensor value = files.get(name);
                if (value.elementCount() != 1) {
                    throw new ModelFormatException(files.description(), name + " is not a single number");
                }
                f.alpha = Conversions.read(value.dtype(), value.hostBuffer(), 0);
                continue;
            }
            boolean second = m.group("down") != null ? f.down != null : f.up != null;
            if (second) {
                throw new ModelFormatException(files.description(), "weight " + target + " is changed twice");
            }
            if (m.group("down") != null) {
                f.down = name;
            } else {
                f.up = name;
            }
        }
        changes.forEach((name, f) -> {
            if (f.down == null || f.up == null) {
                throw new ModelFormatException(
                        files.description(), "of the change of " + name + " one factor is missing");
            }
        });
        return new LoraWeights(files.description(), files, changes, Double.NaN, 1);
    }

    /** These changes with an α for modules without their own; until one is set it is the rank, so that α/r is 1. */
    public LoraWeights withAlpha(double value) {
        if (!(value > 0) || Double.isInfinite(value)) {
            throw new IllegalArgumentException("alpha is " + value + "; it must be positive");
        }
        return new LoraWeights(description, files, changes, value, strength);
    }

    /** These changes multiplied by a number, 1 being as trained. */
    public LoraWeights withStrength(double value) {
        if (!Double.isFinite(value)) {
            throw new IllegalArgumentException("strength is " + value + "; it must be finite");
        }
        return new LoraWeights(description, files, changes, alpha, value);
    }

    /** What the changes are called in messages. */
    public String description() {
        return description;
    }

    /** The names of the weights that are changed, sorted. */
    public Set<String> names() {
        return changes.keySet();
    }

    /** A weight with its change. */
    WeightFiles.Entry merged(String name, WeightFiles.Entry base, Supplier<HostTensor> weight) {
        Factors f = changes.get(name);
        if (f == null || f.down == null || f.up == null) {
            throw new IllegalArgumentException(description + " does not change " + name);
        }
        String down = f.down;
        String up = f.up;
        long[] w = base.shape();
        long[] a = files.shape(down);
        long[] b = files.shape(up);
        long inputs = w.length == 0 ? 0 : HostTensor.elementCount(Arrays.copyOfRange(w, 1, w.length));
        boolean fits = w.length >= 2
                && a.length >= 2
                && b.length >= 2
                && a[0] > 0
                && HostTensor.elementCount(a) == a[0] * inputs
                && b[0] == w[0]
                && HostTensor.elementCount(b) == w[0] * a[0];
        if (!fits) {
            throw new ModelFormatException(
                    description,
                    "the factors of weight " + name + " are " + Arrays.toString(b) + " and " + Arrays.toString(a)
                            + "; they do not multiply to " + Arrays.toString(w));
        }
        double own = Double.isNaN(f.alpha) ? alpha : f.alpha;
        float scale = (float) (strength * (Double.isNaN(own) ? 1 : own / a[0]));
        DType type = base.dtype() == DType.F16 || base.dtype() == DType.BF16 ? base.dtype() : DType.F32;
        return new WeightFiles.Entry() {
            @Override
            public DType dtype() {
                return type;
            }

            @Override
            public long[] shape() {
                return w.clone();
            }

            @Override
            public HostTensor read() {
                return sum(weight.get(), new Change(files.get(down), files.get(up), scale), type);
            }
        };
    }

    private static HostTensor sum(HostTensor weight, Change change, DType type) {
        int rows = Math.toIntExact(weight.shape()[0]);
        int columns = Math.toIntExact(weight.elementCount() / Math.max(1, rows));
        int rank = Math.toIntExact(change.down().shape()[0]);
        float[] down = floats(change.down(), 0, rank * columns);
        HostTensor out = HostTensor.zeros(type, weight.shape());
        ByteBuffer to = out.mutableBuffer();
        for (int r = 0; r < rows; r++) {
            float[] row = floats(weight, r * columns, columns);
            float[] up = floats(change.up(), r * rank, rank);
            for (int k = 0; k < rank; k++) {
                float factor = change.scale() * up[k];
                int at = k * columns;
                for (int c = 0; c < columns; c++) {
                    row[c] += factor * down[at + c];
                }
            }
            for (int c = 0; c < columns; c++) {
                Conversions.write(type, to, r * columns + c, row[c]);
            }
        }
        return out;
    }

    private static float[] floats(HostTensor t, int from, int count) {
        float[] out = new float[count];
        ByteBuffer b = t.hostBuffer();
        for (int i = 0; i < count; i++) {
            out[i] = Conversions.read(t.dtype(), b, from + i);
        }
        return out;
    }

    @Override
    public String toString() {
        return description + ", changes of " + changes.size() + " weights";
    }
}
