@NullMarked
package io.teleworld.training.plot;

import org.jspecify.annotations.NullMarked;
