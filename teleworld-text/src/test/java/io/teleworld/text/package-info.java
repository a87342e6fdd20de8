@NullMarked
package io.teleworld.text;

import org.jspecify.annotations.NullMarked;
