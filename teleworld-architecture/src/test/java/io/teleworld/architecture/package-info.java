/** The architecture of the project, as tests. */
@NullMarked
package io.teleworld.architecture;

import org.jspecify.annotations.NullMarked;
