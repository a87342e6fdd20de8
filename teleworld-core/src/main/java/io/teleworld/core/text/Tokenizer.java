package io.teleworld.core.text;

/** Cuts text into the tokens of one vocabulary. Thread-safe; the caller closes it. */
public interface Tokenizer extends AutoCloseable {

    /**
     * The tokens of a text, with the end mark that the vocabulary asks for and without padding. A text that is
     * too long for the vocabulary's models may be cut; the end mark stays.
     *
     * @return one number or more, each a row of the text encoder's embedding
     * @throws io.teleworld.error.TeleWorldException if the tokenizer fails
     */
    long[] encode(String text);

    @Override
    void close();
}
