/** What may run when: the task graph of segments, the scheduling policy, its simulator and its executor. */
@NullMarked
package io.teleworld.core.schedule;

import org.jspecify.annotations.NullMarked;
