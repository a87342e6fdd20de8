package io.teleworld.runtime;

import io.teleworld.tensor.HostTensor;

/**
 * A {@link RunSequence} that can be run again and again. Confined to one thread at a time, together with its states.
 * Closing it is idempotent; programs and states stay open.
 */
public interface PreparedSequence extends AutoCloseable {

    /**
     * A given value, to be written through {@link HostTensor#mutableBuffer}; every later run reads what is there.
     * Owned by the sequence and closed with it.
     *
     * @throws IllegalArgumentException if there is no such value; names those that there are
     */
    HostTensor input(String name);

    /**
     * An output of the last run; the next run overwrites it. Owned by the sequence and closed with it.
     *
     * @throws IllegalArgumentException if there is no such output; names those that there are
     * @throws IllegalStateException before the first run
     */
    HostTensor output(String name);

    /**
     * Does all runs and waits for the outputs. States change as if each run had been done by {@link Program#run}.
     *
     * @throws IllegalArgumentException if an input does not fit its graph or a visible frame is not held; runs before
     *     that one may have been done
     * @throws io.teleworld.error.ResourceClosedException if this, a program or a state is closed
     * @throws io.teleworld.error.TeleWorldException of category BACKEND or RESOURCE if the runtime fails; each state
     *     is then as some run left it, or empty
     */
    void run();

    @Override
    void close();
}
