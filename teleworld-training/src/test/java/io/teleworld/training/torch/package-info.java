@NullMarked
package io.teleworld.training.torch;

import org.jspecify.annotations.NullMarked;
