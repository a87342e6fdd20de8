@NullMarked
package io.teleworld.training.progress;

import org.jspecify.annotations.NullMarked;
