@NullMarked
package io.teleworld.cuda;

import org.jspecify.annotations.NullMarked;
