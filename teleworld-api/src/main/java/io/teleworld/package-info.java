/** The TeleWorld SDK: an interactive world generated in real time and driven by the keyboard. */
@NullMarked
package io.teleworld;

import org.jspecify.annotations.NullMarked;
