/** Loss curves and sheets of sample pictures as PNG files. */
@NullMarked
package io.teleworld.training.plot;

import org.jspecify.annotations.NullMarked;
