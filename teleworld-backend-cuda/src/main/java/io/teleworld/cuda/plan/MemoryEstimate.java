package io.teleworld.cuda.plan;

import io.teleworld.error.TeleWorldException;
import java.util.Locale;

/**
 * Device memory that running a plan takes. Immutable.
 *
 * @param weightBytes parameters and constants
 * @param stateBytes one program state
 * @param inputBytes inputs of a run
 * @param outputBytes outputs of a run
 * @param workspaceBytes values in between, as laid out
 * @param scratchBytes scratch memory of matrix products
 */
public record MemoryEstimate(
        long weightBytes, long stateBytes, long inputBytes, long outputBytes, long workspaceBytes, long scratchBytes) {

    /** All of it. */
    public long totalBytes() {
        return weightBytes + stateBytes + arenaBytes();
    }

    /** What a program needs besides its weights and states. */
    public long arenaBytes() {
        return inputBytes + outputBytes + workspaceBytes + scratchBytes;
    }

    /**
     * Refuses what cannot fit.
     *
     * @param what names the graph
     * @param neededBytes what is still to be allocated
     * @param freeBytes what the device has left
     * @throws TeleWorldException of category RESOURCE with both numbers
     */
    public void requireFits(String what, long neededBytes, long freeBytes) {
        if (neededBytes > freeBytes) {
            throw new TeleWorldException(
                    TeleWorldException.Category.RESOURCE,
                    what + " needs " + mib(neededBytes) + " of device memory, " + mib(freeBytes) + " are free; "
                            + this);
        }
    }

    private static String mib(long bytes) {
        return String.format(Locale.ROOT, "%.1f MiB (%d bytes)", bytes / 1048576.0, bytes);
    }

    private static String plain(long bytes) {
        return String.format(Locale.ROOT, "%.1f", bytes / 1048576.0);
    }

    /** One line, in MiB. */
    @Override
    public String toString() {
        return "weights " + plain(weightBytes) + " + state " + plain(stateBytes) + " + inputs " + plain(inputBytes)
                + " + outputs " + plain(outputBytes) + " + workspace " + plain(workspaceBytes) + " + scratch "
                + plain(scratchBytes) + " = " + plain(totalBytes()) + " MiB";
    }
}
