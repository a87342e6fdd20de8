/** Runs graphs on the PyTorch engine of DJL: each graph becomes one TorchScript module. */
@NullMarked
package io.teleworld.djl;

import org.jspecify.annotations.NullMarked;
