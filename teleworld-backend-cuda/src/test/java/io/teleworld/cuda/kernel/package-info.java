@NullMarked
package io.teleworld.cuda.kernel;

import org.jspecify.annotations.NullMarked;
