package io.teleworld.core.memory;

/**
 * Bounds and resolution of a {@link WorldMemory}. Immutable.
 *
 * @param rho voxel edge as a fraction of the first key frame's median depth, in [0.001, 0.1]; 0 derives it from the
 *     first key frame's focal length as 0.5/fx, within [0.0025, 0.01]
 * @param cellBudget most static cells kept, at least 1000; beyond it the least recently seen and farthest blocks go
 * @param dynamicSnapshots most dynamic snapshots kept, at least 1; the oldest go first
 * @param logEntries most key frames remembered in the log, at least 2; older ones are thinned out
 * @param samplesPerPixel cells that may share a pixel of a new key frame before its samples are merged into existing
 *     cells instead of adding new ones, at least 1
 * @param finerRatio an observation of a known surface counts as finer, and adds cells, where a pixel spans less than this
 *     share of the cell that is there, in (0, 1]. Generated pictures are softer than their pixels are small, so a value
 *     near 1 would bury what was seen sharply from afar
 * @param holdSeconds how long beyond the known times the nearest dynamic snapshot is shown, at least 0
 * @param echoWeight factor, in [0, 1], on the weight of an observation of a surface that the memory already shows at least
 *     as finely. A generated picture repeats its guidance there, a little worse each time, so it is no new evidence
 */
public record MemoryOptions(
        double rho,
        int cellBudget,
        int dynamicSnapshots,
        int logEntries,
        int samplesPerPixel,
        double finerRatio,
        double holdSeconds,
        double echoWeight) {

    /** Voxels of half a pixel, a million cells, 64 snapshots, 256 key frames, 3 samples, 2.5 times closer, one segment (2.25 s), no echo. */
    public static final MemoryOptions DEFAULT = new MemoryOptions(0, 1_000_000, 64, 256, 3, 0.4, 2.25, 0);

    public MemoryOptions {
        if (rho != 0 && !(rho >= 0.001 && rho <= 0.1)) {
            throw new IllegalArgumentException("rho is " + rho + "; it must be 0 or lie in [0.001, 0.1]");
        }
        if (cellBudget < 1000) {
            throw new IllegalArgumentException("cell budget is " + cellBudget + "; it must be at least 1000");
        }
        if (dynamicSnapshots < 1 || logEntries < 2 || samplesPerPixel < 1) {
            throw new IllegalArgumentException("dynamic snapshots " + dynamicSnapshots + ", log entries " + logEntries
                    + " and samples per pixel " + samplesPerPixel + " must be at least 1, 2 and 1");
        }
        if (!(finerRatio > 0 && finerRatio <= 1)) {
            throw new IllegalArgumentException("finer ratio is " + finerRatio + "; it must lie in (0, 1]");
        }
        if (!(holdSeconds >= 0)) {
            throw new IllegalArgumentException("hold time is " + holdSeconds + " s; it must be at least 0");
        }
        if (!(echoWeight >= 0 && echoWeight <= 1)) {
            throw new IllegalArgumentException("echo weight is " + echoWeight + "; it must lie in [0, 1]");
        }
    }

    /** These options with another voxel size. */
    public MemoryOptions withRho(double newRho) {
        return new MemoryOptions(
                newRho, cellBudget, dynamicSnapshots, logEntries, samplesPerPixel, finerRatio, holdSeconds, echoWeight);
    }

    /** These options with another cell budget. */
    public MemoryOptions withCellBudget(int cells) {
        return new MemoryOptions(
                rho, cells, dynamicSnapshots, logEntries, samplesPerPixel, finerRatio, holdSeconds, echoWeight);
    }

    /** These options with another weight of echoes; 1 merges every observation as if it were independent. */
    public MemoryOptions withEchoWeight(double factor) {
        return new MemoryOptions(
                rho, cellBudget, dynamicSnapshots, logEntries, samplesPerPixel, finerRatio, holdSeconds, factor);
    }
}
