/** How segments are planned: macro-micro, frame chain, whole segment. */
@NullMarked
package io.teleworld.core.plan;

import org.jspecify.annotations.NullMarked;
