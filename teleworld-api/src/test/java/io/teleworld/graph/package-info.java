@NullMarked
package io.teleworld.graph;

import org.jspecify.annotations.NullMarked;
