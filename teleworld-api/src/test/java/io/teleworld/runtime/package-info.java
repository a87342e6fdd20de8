@NullMarked
package io.teleworld.runtime;

import org.jspecify.annotations.NullMarked;
