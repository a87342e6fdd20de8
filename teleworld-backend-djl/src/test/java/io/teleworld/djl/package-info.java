@NullMarked
package io.teleworld.djl;

import org.jspecify.annotations.NullMarked;
