@NullMarked
package io.teleworld.tensor;

import org.jspecify.annotations.NullMarked;
