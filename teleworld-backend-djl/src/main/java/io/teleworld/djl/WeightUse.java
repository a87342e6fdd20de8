package io.teleworld.djl;

import io.teleworld.graph.Value;
import org.jspecify.annotations.Nullable;

/**
 * One form of a weight or constant that a program needs. Immutable.
 *
 * @param value the parameter or constant
 * @param form what is made of it when the program is compiled
 * @param bias the bias that goes into a {@link Form#QUANTISED} product, or null
 */
record WeightUse(Value value, Form form, @Nullable Value bias) {

    /** What is made of a weight. */
    enum Form {
        /** Its declared element type. */
        PLAIN,
        /** The element type of products. */
        PRODUCT,
        /** The element type of products and, with four axes, channels last. */
        KERNEL,
        /** Int8 per output channel, packed for the dynamically quantised product. */
        QUANTISED
    }
}
