@NullMarked
package io.teleworld.cuda.plan;

import org.jspecify.annotations.NullMarked;
