/** Training data: recorded clips, simulated guidance, and latents that are computed once and read often. */
@NullMarked
package io.teleworld.training.data;

import org.jspecify.annotations.NullMarked;
