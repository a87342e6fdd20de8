@NullMarked
package io.teleworld.training.recipe;

import org.jspecify.annotations.NullMarked;
