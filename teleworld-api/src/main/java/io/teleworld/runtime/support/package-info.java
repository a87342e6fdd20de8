/** What every implementation of a tensor runtime needs, whatever computes: bookkeeping of programs, states and memory. */
@NullMarked
package io.teleworld.runtime.support;

import org.jspecify.annotations.NullMarked;
