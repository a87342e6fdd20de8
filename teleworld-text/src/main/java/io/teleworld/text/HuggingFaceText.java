package io.teleworld.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.teleworld.core.text.Tokenizer;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import java.util.Objects;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** One opened {@code tokenizer.json}. Thread-safe; the lock keeps it from being freed while a text is being cut. */
final class HuggingFaceText implements Tokenizer {

    private final String file;
    private final HuggingFaceTokenizer tokenizer;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private boolean closed;

    HuggingFaceText(String file, HuggingFaceTokenizer tokenizer) {
        this.file = file;
        this.tokenizer = tokenizer;
    }

    @Override
    public long[] encode(String text) {
        Objects.requireNonNull(text, "text");
        long[] tokens;
        lock.readLock().lock();
        try {
            if (closed) {
                throw new ResourceClosedException("tokenizer " + file, null);
            }
            tokens = cut(text);
        } finally {
            lock.readLock().unlock();
        }
        if (tokens.length == 0) {
            throw new ModelFormatException(file, "makes no tokens of '" + text + "' and asks for no end mark");
        }
        return tokens;
    }

    private long[] cut(String text) {
        try {
            return tokenizer.encode(text).getIds();
        } catch (RuntimeException e) {
            throw new TeleWorldException(
                    Category.BACKEND, "tokenizer " + file + " failed: " + TokenizersLibrary.reason(e), e);
        }
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                tokenizer.close();
            }
        } finally {
            lock.writeLock().unlock();
        }
    }
}
