@NullMarked
package io.teleworld.training;

import org.jspecify.annotations.NullMarked;
