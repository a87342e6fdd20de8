/** Runs graphs on an NVIDIA GPU: one static plan per shape, captured as a CUDA graph and replayed. */
@NullMarked
package io.teleworld.cuda;

import org.jspecify.annotations.NullMarked;
