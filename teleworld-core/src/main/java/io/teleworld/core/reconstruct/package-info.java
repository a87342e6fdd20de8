/** Geometry after the network: depth reliability, normals, scale alignment and the geometric dynamic mask. */
@NullMarked
package io.teleworld.core.reconstruct;

import org.jspecify.annotations.NullMarked;
