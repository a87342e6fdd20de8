/** The service provider interface of tensor runtimes. */
@NullMarked
package io.teleworld.runtime;

import org.jspecify.annotations.NullMarked;
