/** Flow-matching schedules, solvers and the few-step sampler. */
@NullMarked
package io.teleworld.core.diffusion;

import org.jspecify.annotations.NullMarked;
