package io.teleworld.cuda.plan;

/** The pieces of device memory that a plan's buffers lie in. */
public enum Region {
    /** Parameters and constants; written once, when the program is compiled. */
    WEIGHTS,
    /** Registers and frame slots of one program state. */
    STATE,
    /** The inputs of a run, one behind the other, filled by one copy. */
    INPUT,
    /** The outputs of a run, one behind the other, fetched by one copy. */
    OUTPUT,
    /** Values between the inputs and the outputs. */
    WORKSPACE
}
