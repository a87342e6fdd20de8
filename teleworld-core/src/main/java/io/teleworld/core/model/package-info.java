/** Model packages: a directory or a jar path with networks, weights and the description of the world model. */
@NullMarked
package io.teleworld.core.model;

import org.jspecify.annotations.NullMarked;
