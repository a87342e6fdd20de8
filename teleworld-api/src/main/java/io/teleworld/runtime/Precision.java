package io.teleworld.runtime;

/** The arithmetic that a program is compiled for. Inputs and outputs keep the graph's element types. */
public enum Precision {
    /** Everything in fp32. */
    FP32,
    /** Products and convolutions in fp16, statistics and softmax in fp32. */
    FP16,
    /** Products and convolutions in bf16, statistics, softmax and rotary arithmetic in fp32. */
    BF16,
    /** Linear layers with int8 weights (per output channel) and dynamically quantised int8 activations, the rest fp32. */
    INT8_LINEAR,
    /**
     * As INT8_LINEAR, and convolutions whose weights come with an {@link ActivationRange} of input and output have int8
     * weights (per output channel) and activations in 256 even steps over these ranges, where the runtime has such a
     * convolution; it computes the others, and on other runtimes all, in fp32.
     */
    INT8,
    /**
     * Linear layers in fp8 (E4M3) with one scale per output channel of the weight and per row of the activation, which is
     * quantised as it comes; the rest as in BF16.
     */
    FP8_LINEAR
}
