/** How a segment is laid out as tokens and denoised. */
@NullMarked
package io.teleworld.core.generate;

import org.jspecify.annotations.NullMarked;
