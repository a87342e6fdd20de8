/** Checks of folders of golden files: numbers that public reference implementations computed. */
@NullMarked
package io.teleworld.goldens;

import org.jspecify.annotations.NullMarked;
