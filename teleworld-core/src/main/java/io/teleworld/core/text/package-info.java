/** From words to the embeddings that a video transformer sees. */
@NullMarked
package io.teleworld.core.text;

import org.jspecify.annotations.NullMarked;
