/** The one error model of the SDK. */
@NullMarked
package io.teleworld.error;

import org.jspecify.annotations.NullMarked;
