/** The kernels of the CUDA backend: which of them compute an operator, and the modules that have them. */
@NullMarked
package io.teleworld.cuda.kernel;

import org.jspecify.annotations.NullMarked;
