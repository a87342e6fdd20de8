@NullMarked
package io.teleworld.training.optim;

import org.jspecify.annotations.NullMarked;
