@NullMarked
package io.teleworld.training.data;

import org.jspecify.annotations.NullMarked;
