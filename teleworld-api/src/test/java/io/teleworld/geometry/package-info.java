@NullMarked
package io.teleworld.geometry;

import org.jspecify.annotations.NullMarked;
