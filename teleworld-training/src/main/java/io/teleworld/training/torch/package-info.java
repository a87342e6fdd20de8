/** Runs and differentiates graphs on PyTorch (LibTorch through JavaCPP). */
@NullMarked
package io.teleworld.training.torch;

import org.jspecify.annotations.NullMarked;
