package io.teleworld.core.network;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;

/**
 * How the weights of a network start: an ordered list of rules, of which the first whose pattern matches the whole name
 * counts. Immutable and thread-safe.
 *
 * <p>Every weight is drawn from its own stream, derived from the seed and its name, so that a value depends neither on
 * the order of the weights nor on which others there are.
 */
public final class ParameterInit {

    /** How one weight is drawn. Fans are those of a linear layer [out,in] or a convolution [out,in,kernel…]. */
    public sealed interface Rule {

        /** Every element is {@code value}. */
        record Constant(double value) implements Rule {}

        /** Gaussian of mean 0. */
        record Normal(double deviation) implements Rule {}

        /** Uniform on ±gain·√(6/(fan in + fan out)). */
        record XavierUniform(double gain) implements Rule {}

        /** Gaussian of deviation gain/√(fan in); gain √2 keeps the variance through a ReLU. */
        record FanIn(double gain) implements Rule {}

        /** Ones on the diagonal of a matrix, or of the kernel's centre, zeros elsewhere. */
        record Identity() implements Rule {}
    }

    private record Entry(Pattern pattern, Rule rule) {}

    private final List<Entry> entries;

    private ParameterInit(List<Entry> entries) {
        this.entries = List.copyOf(entries);
    }

    /** No rules yet. */
    public static ParameterInit empty() {
        return new ParameterInit(List.of());
    }

    /** These rules and, with less priority, another one for names that match a regular expression entirely. */
    public ParameterInit with(String nameRegex, Rule rule) {
        List<Entry> e = new ArrayList<>(entries);
        e.add(new Entry(Pattern.compile(nameRegex), rule));
        return new ParameterInit(e);
    }

    /**
     * The rule for a name.
     *
     * @throws IllegalArgumentException if none matches
     */
    public Rule rule(String name) {
        return entries.stream()
                .filter(e -> e.pattern().matcher(name).matches())
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no initialisation rule for weight " + name))
                .rule();
    }

    /** Draws every weight of a graph: row-major values by name, in the order of their declaration. */
    public Map<String, float[]> draw(Graph graph, long seed) {
        Map<String, float[]> out = new LinkedHashMap<>();
        for (Map.Entry<String, Value> p : graph.parameters().entrySet()) {
            out.put(p.getKey(), draw(p.getKey(), p.getValue().shape(), seed));
        }
        return out;
    }

    /** Draws one weight. */
    public float[] draw(String name, Shape shape, long seed) {
        long[] dims = shape.known();
        float[] w = new float[Math.toIntExact(shape.elementCount().known())];
        RandomGenerator random = new SplittableRandom(seed ^ (0x9E3779B97F4A7C15L * (hash(name) | 1)));
        Rule rule = rule(name);
        if (rule instanceof Rule.Constant c) {
            Arrays.fill(w, (float) c.value());
        } else if (rule instanceof Rule.Normal n) {
            gaussian(w, random, n.deviation());
        } else if (rule instanceof Rule.FanIn f) {
            gaussian(w, random, f.gain() / Math.sqrt(fanIn(name, dims)));
        } else if (rule instanceof Rule.XavierUniform x) {
            double bound = x.gain() * Math.sqrt(6.0 / (fanIn(name, dims) + fanOut(dims)));
            for (int i = 0; i < w.length; i++) {
                w[i] = (float) ((2 * random.nextDouble() - 1) * bound);
            }
        } else {
            identity(name, w, dims);
        }
        return w;
    }

    private static void gaussian(float[] w, RandomGenerator random, double deviation) {
        for (int i = 0; i < w.length; i++) {
            w[i] = (float) (random.nextGaussian() * deviation);
        }
    }

    private static void identity(String name, float[] w, long[] dims) {
        int kernel = Math.toIntExact(kernel(dims));
        int in = (int) (fanIn(name, dims) / kernel);
        for (int i = 0; i < Math.min(dims[0], in); i++) {
            w[(i * in + i) * kernel + kernel / 2] = 1f;
        }
    }

    private static double fanIn(String name, long[] dims) {
        if (dims.length < 2) {
            throw new IllegalArgumentException(
                    "weight " + name + " of shape " + Arrays.toString(dims) + " has no fan; give it another rule");
        }
        return (double) dims[1] * kernel(dims);
    }

    private static double fanOut(long[] dims) {
        return (double) dims[0] * kernel(dims);
    }

    private static long kernel(long[] dims) {
        long k = 1;
        for (int i = 2; i < dims.length; i++) {
            k *= dims[i];
        }
        return k;
    }

    /** FNV-1a, because {@link String#hashCode} has too few bits to keep streams apart. */
    private static long hash(String s) {
        long h = 0xcbf29ce484222325L;
        for (int i = 0; i < s.length(); i++) {
            h = (h ^ s.charAt(i)) * 0x100000001b3L;
        }
        return h;
    }
}
