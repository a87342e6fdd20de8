package io.teleworld.graph;

import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * One extent of a shape: a polynomial with integer coefficients over named symbols, such as {@code 66*frames}.
 *
 * <p>Immutable; equal polynomials are equal objects.
 */
public final class Dim {

    /** Coefficients by monomial; a monomial is its sorted symbols joined by '*', the empty string being the constant. */
    private final SortedMap<String, Long> terms;

    private Dim(SortedMap<String, Long> terms) {
        this.terms = Collections.unmodifiableSortedMap(terms);
    }

    /** A known extent, at least 0. */
    public static Dim of(long extent) {
        if (extent < 0) {
            throw new IllegalArgumentException("extent is " + extent + "; it must not be negative");
        }
        return constant(extent);
    }

    /** An extent that is only known when the program runs. */
    public static Dim symbol(String name) {
        if (!name.matches("[A-Za-z_][A-Za-z0-9_.]*")) {
            throw new IllegalArgumentException(
                    "symbol is '" + name + "'; a letter followed by letters, digits, _ or .");
        }
        SortedMap<String, Long> t = new TreeMap<>();
        t.put(name, 1L);
        return new Dim(t);
    }

    private static Dim constant(long c) {
        SortedMap<String, Long> t = new TreeMap<>();
        if (c != 0) {
            t.put("", c);
        }
        return new Dim(t);
    }

    /** Whether no symbol occurs. */
    public boolean isKnown() {
        return terms.isEmpty() || (terms.size() == 1 && terms.containsKey(""));
    }

    /**
     * The extent.
     *
     * @throws IllegalStateException if a symbol occurs
     */
    public long known() {
        if (!isKnown()) {
            throw new IllegalStateException("extent " + this + " is only known when the program runs");
        }
        return terms.getOrDefault("", 0L);
    }

    /** Whether this is the known extent {@code n}. */
    public boolean is(long n) {
        return isKnown() && known() == n;
    }

    /** The sum. */
    public Dim plus(Dim other) {
        SortedMap<String, Long> t = new TreeMap<>(terms);
        other.terms.forEach((m, c) -> addTerm(t, m, c));
        return new Dim(t);
    }

    /** The sum with a known extent, which may be negative. */
    public Dim plus(long c) {
        return plus(constant(c));
    }

    /** The difference. */
    public Dim minus(Dim other) {
        return plus(other.times(constant(-1)));
    }

    /** The product with a known factor. */
    public Dim times(long c) {
        return times(constant(c));
    }

    /** The product. */
    public Dim times(Dim other) {
        SortedMap<String, Long> t = new TreeMap<>();
        terms.forEach(
                (m1, c1) -> other.terms.forEach((m2, c2) -> addTerm(t, multiply(m1, m2), Math.multiplyExact(c1, c2))));
        return new Dim(t);
    }

    /** Whether {@link #dividedBy} would succeed. */
    public boolean isDivisibleBy(long divisor) {
        return divisor != 0 && terms.values().stream().allMatch(c -> c % divisor == 0);
    }

    /**
     * The exact quotient by a known divisor.
     *
     * @throws IllegalArgumentException if a coefficient is not divisible
     */
    public Dim dividedBy(long divisor) {
        if (!isDivisibleBy(divisor)) {
            throw new IllegalArgumentException("extent " + this + " is not divisible by " + divisor);
        }
        SortedMap<String, Long> t = new TreeMap<>();
        terms.forEach((m, c) -> t.put(m, c / divisor));
        return new Dim(t);
    }

    /** The symbols that occur. */
    public Set<String> symbols() {
        Set<String> s = new TreeSet<>();
        for (String m : terms.keySet()) {
            if (!m.isEmpty()) {
                s.addAll(Arrays.asList(m.split("\\*")));
            }
        }
        return s;
    }

    /**
     * The coefficients by monomial: the key is the sorted symbols joined by {@code *}, empty for the constant term. For
     * runtimes that have to compute an extent while a program runs.
     */
    public Map<String, Long> terms() {
        return terms;
    }

    /**
     * The extent under a binding of every symbol.
     *
     * @throws IllegalArgumentException if a symbol is not bound or the result is negative
     */
    public long evaluate(Map<String, Long> bindings) {
        long sum = 0;
        for (Map.Entry<String, Long> e : terms.entrySet()) {
            long p = e.getValue();
            if (!e.getKey().isEmpty()) {
                for (String s : e.getKey().split("\\*")) {
                    Long v = bindings.get(s);
                    if (v == null) {
                        throw new IllegalArgumentException(
                                "symbol " + s + " of extent " + this + " is not bound; bound are " + bindings.keySet());
                    }
                    p = Math.multiplyExact(p, v);
                }
            }
            sum = Math.addExact(sum, p);
        }
        if (sum < 0) {
            throw new IllegalArgumentException("extent " + this + " is " + sum + " under " + bindings);
        }
        return sum;
    }

    private static void addTerm(SortedMap<String, Long> t, String monomial, long coefficient) {
        long c = Math.addExact(t.getOrDefault(monomial, 0L), coefficient);
        if (c == 0) {
            t.remove(monomial);
        } else {
            t.put(monomial, c);
        }
    }

    private static String multiply(String m1, String m2) {
        if (m1.isEmpty()) {
            return m2;
        }
        if (m2.isEmpty()) {
            return m1;
        }
        String[] all = (m1 + "*" + m2).split("\\*");
        Arrays.sort(all);
        return String.join("*", all);
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Dim d && terms.equals(d.terms);
    }

    @Override
    public int hashCode() {
        return Objects.hash(terms);
    }

    /** For example {@code 12}, {@code frames} or {@code 3+66*frames}. */
    @Override
    public String toString() {
        if (terms.isEmpty()) {
            return "0";
        }
        StringBuilder sb = new StringBuilder();
        terms.forEach((m, c) -> {
            if (sb.length() > 0) {
                sb.append('+');
            }
            if (m.isEmpty()) {
                sb.append(c);
            } else if (c == 1) {
                sb.append(m);
            } else {
                sb.append(c).append('*').append(m);
            }
        });
        return sb.toString();
    }
}
