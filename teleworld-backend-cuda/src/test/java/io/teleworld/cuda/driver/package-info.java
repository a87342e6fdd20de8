@NullMarked
package io.teleworld.cuda.driver;

import org.jspecify.annotations.NullMarked;
