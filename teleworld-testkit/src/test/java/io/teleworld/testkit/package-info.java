@NullMarked
package io.teleworld.testkit;

import org.jspecify.annotations.NullMarked;
