/** The reference interpreter, random graphs, and the contract that every tensor runtime must pass. */
@NullMarked
package io.teleworld.testkit;

import org.jspecify.annotations.NullMarked;
