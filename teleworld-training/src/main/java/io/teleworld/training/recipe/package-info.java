/** How each network is trained: objectives, data and schedules, run by one loop. */
@NullMarked
package io.teleworld.training.recipe;

import org.jspecify.annotations.NullMarked;
