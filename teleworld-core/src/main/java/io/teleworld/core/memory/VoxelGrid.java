package io.teleworld.core.memory;

import java.util.Arrays;

/**
 * The writer's view of the static map: a hash of blocks, each with a small hash of its cells; open addressing over
 * primitive arrays throughout. Blocks that readers may see are copied before they change. Not thread-safe.
 */
final class VoxelGrid {

    private static final int NONE = -1;

    private long[] tableKeys = new long[256];
    private int[] tableValues = filled(256);
    private Block[] blocks = new Block[64];
    private boolean[] shared = new boolean[64];
    private short[][] cellTables = new short[64][];
    private int blockCount;
    private int cellCount;
    private boolean blocksChanged = true;
    private Block[] ordered = new Block[0];

    int cellCount() {
        return cellCount;
    }

    int blockCount() {
        return blockCount;
    }

    private static int[] filled(int n) {
        int[] a = new int[n];
        Arrays.fill(a, NONE);
        return a;
    }

    private static int hash(long key, int mask) {
        long h = key * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 40) & mask;
    }

    private static int hashLocal(int local, int mask) {
        return (local * 0x9E3779B1 >>> 16) & mask;
    }

    /** Index of the block with this key, or −1. */
    int find(long blockKey) {
        int mask = tableKeys.length - 1;
        for (int i = hash(blockKey, mask); tableValues[i] != NONE; i = (i + 1) & mask) {
            if (tableKeys[i] == blockKey) {
                return tableValues[i];
            }
        }
        return NONE;
    }

    int findOrCreate(long blockKey) {
        int found = find(blockKey);
        if (found != NONE) {
            return found;
        }
        if (2 * (blockCount + 1) > tableKeys.length) {
            rehash(2 * tableKeys.length);
        }
        if (blockCount == blocks.length) {
            int n = 2 * blockCount;
            blocks = Arrays.copyOf(blocks, n);
            shared = Arrays.copyOf(shared, n);
            cellTables = Arrays.copyOf(cellTables, n);
        }
        int index = blockCount++;
        blocks[index] = new Block(blockKey, 24);
        shared[index] = false;
        cellTables[index] = new short[64];
        put(blockKey, index);
        blocksChanged = true;
        return index;
    }

    private void put(long key, int value) {
        int mask = tableKeys.length - 1;
        int i = hash(key, mask);
        while (tableValues[i] != NONE) {
            i = (i + 1) & mask;
        }
        tableKeys[i] = key;
        tableValues[i] = value;
    }

    private void rehash(int capacity) {
        tableKeys = new long[capacity];
        tableValues = filled(capacity);
        for (int i = 0; i < blockCount; i++) {
            put(blocks[i].key, i);
        }
    }

    /** The block for reading. */
    Block block(int index) {
        return blocks[index];
    }

    /** The block for writing: copied first if a snapshot holds it. */
    Block writable(int index) {
        if (shared[index]) {
            blocks[index] = blocks[index].copy();
            shared[index] = false;
        }
        return blocks[index];
    }

    /** Slot of the cell in block {@code index}, or −1. Tables store slot + 1; 0 is free. */
    int findCell(int index, int local) {
        short[] table = cellTables[index];
        int mask = table.length - 1;
        Block block = blocks[index];
        for (int i = hashLocal(local, mask); table[i] != 0; i = (i + 1) & mask) {
            int slot = (table[i] & 0xFFFF) - 1;
            if (block.local[slot] == local) {
                return slot;
            }
        }
        return NONE;
    }

    /** Adds an empty cell that is known to be absent. */
    int addCell(int index, int local) {
        Block block = writable(index);
        int slot = block.append(local);
        short[] table = cellTables[index];
        if (2 * block.count > table.length) {
            rebuildCells(index);
        } else {
            putCell(table, local, slot);
        }
        cellCount++;
        return slot;
    }

    private static void putCell(short[] table, int local, int slot) {
        int mask = table.length - 1;
        int i = hashLocal(local, mask);
        while (table[i] != 0) {
            i = (i + 1) & mask;
        }
        table[i] = (short) (slot + 1);
    }

    private void rebuildCells(int index) {
        Block block = blocks[index];
        int n = 64;
        while (n < 3 * block.count) {
            n <<= 1;
        }
        short[] table = new short[n];
        for (int slot = 0; slot < block.count; slot++) {
            putCell(table, block.local[slot], slot);
        }
        cellTables[index] = table;
    }

    /** Drops the cells of a block that have lost all weight; the block itself goes when it is empty. */
    void sweep(int index) {
        Block block = blocks[index];
        boolean any = false;
        for (int slot = 0; slot < block.count && !any; slot++) {
            any = block.weight[slot] <= 0;
        }
        if (!any) {
            return;
        }
        block = writable(index);
        int before = block.count;
        for (int slot = block.count - 1; slot >= 0; slot--) {
            if (block.weight[slot] <= 0) {
                block.remove(slot);
            }
        }
        cellCount -= before - block.count;
        rebuildCells(index);
    }

    /** Removes the marked blocks and those that are empty. */
    void removeBlocks(boolean[] marked) {
        int kept = 0;
        for (int i = 0; i < blockCount; i++) {
            if (marked[i] || blocks[i].count == 0) {
                cellCount -= blocks[i].count;
                blocksChanged = true;
            } else {
                blocks[kept] = blocks[i];
                shared[kept] = shared[i];
                cellTables[kept] = cellTables[i];
                kept++;
            }
        }
        Arrays.fill(blocks, kept, blockCount, null);
        Arrays.fill(cellTables, kept, blockCount, null);
        if (kept != blockCount) {
            blockCount = kept;
            rehash(tableKeys.length);
        }
    }

    /** The blocks in key order, to be read by others from now on. */
    Block[] share() {
        if (blocksChanged) {
            long[] keys = new long[blockCount];
            for (int i = 0; i < blockCount; i++) {
                keys[i] = blocks[i].key;
            }
            Arrays.sort(keys);
            ordered = new Block[blockCount];
            for (int i = 0; i < blockCount; i++) {
                ordered[i] = blocks[find(keys[i])];
            }
            blocksChanged = false;
        } else {
            Block[] next = new Block[blockCount];
            for (int i = 0; i < blockCount; i++) {
                next[i] = blocks[find(ordered[i].key)];
            }
            ordered = next;
        }
        Arrays.fill(shared, 0, blockCount, true);
        return ordered;
    }
}
