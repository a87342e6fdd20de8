package io.teleworld.testkit;

import io.teleworld.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;
import org.assertj.core.api.Assertions;

/** Comparisons of tensors. Stateless and thread-safe. */
public final class TensorAssertions {

    private TensorAssertions() {}

    /**
     * Requires equal names, element types, shapes and, within a tolerance, values: |a−e| ≤ tolerance·(1+|e|) for floats,
     * equality for integers and booleans. Not-a-number equals itself.
     *
     * @param actual what a runtime gave
     * @param expected what the oracle gave
     * @param tolerance not negative
     * @param context what was run, for the failure's text
     */
    public static void assertClose(
            Map<String, ? extends Tensor> actual,
            Map<String, ? extends Tensor> expected,
            double tolerance,
            Object context) {
        Assertions.assertThat(actual.keySet()).as("outputs of %s", context).isEqualTo(expected.keySet());
        expected.forEach((name, e) -> {
            Tensor a = actual.get(name);
            if (a != null) {
                assertClose(name, a, e, tolerance, context);
            }
        });
    }

    private static void assertClose(String name, Tensor actual, Tensor expected, double tolerance, Object context) {
        String where = "output " + name + " of " + context;
        Assertions.assertThat(actual.dtype()).as(where).isEqualTo(expected.dtype());
        Assertions.assertThat(actual.shape()).as(where).isEqualTo(expected.shape());
        NdArray a = NdArray.of(actual);
        NdArray e = NdArray.of(expected);
        double allowed = expected.dtype().isFloat() ? tolerance : 0;
        for (int i = 0; i < e.size(); i++) {
            double x = a.flat(i);
            double y = e.flat(i);
            boolean same = Double.compare(x, y) == 0 || Math.abs(x - y) <= allowed * (1 + Math.abs(y));
            if (!same) {
                Assertions.fail("element %d of %d is %s, expected %s ± %s·(1+|x|), shape %s; %s"
                        .formatted(i, e.size(), x, y, allowed, Arrays.toString(expected.shape()), where));
            }
        }
    }

    /** ‖a−e‖ / ‖e‖ over all elements of a tensor, 0 where both are zero. */
    public static double relativeError(Tensor actual, Tensor expected) {
        NdArray a = NdArray.of(actual);
        NdArray e = NdArray.of(expected);
        Assertions.assertThat(a.shape()).isEqualTo(e.shape());
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < e.size(); i++) {
            difference += (a.flat(i) - e.flat(i)) * (a.flat(i) - e.flat(i));
            norm += e.flat(i) * e.flat(i);
        }
        return difference == 0 ? 0 : Math.sqrt(difference / norm);
    }
}
