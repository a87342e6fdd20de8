/** The networks, written once as graphs from their configurations, and the rules that initialise their weights. */
@NullMarked
package io.teleworld.core.network;

import org.jspecify.annotations.NullMarked;
