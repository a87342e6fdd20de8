/** Cuts prompts into tokens with Hugging Face's tokenizers, from files on disk. */
@NullMarked
package io.teleworld.text;

import org.jspecify.annotations.NullMarked;
