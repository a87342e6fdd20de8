/** What a graph becomes before it touches a device: steps, buffers laid out by liveness, and the memory that they need. */
@NullMarked
package io.teleworld.cuda.plan;

import org.jspecify.annotations.NullMarked;
