package io.teleworld.core.memory;

import io.teleworld.geometry.Pose;
import java.util.List;

/** One version of the world. Immutable and thread-safe; readers keep it as long as they like. */
public final class MemorySnapshot {

    final Block[] blocks;
    final double voxel;
    final double unit;
    final List<DynamicSnapshot> dynamics;
    final SkyMap sky;
    final MemoryOptions options;
    private final long version;
    private final int cellCount;
    private final List<KeyframeRecord> log;

    MemorySnapshot(
            long version,
            Block[] blocks,
            int cellCount,
            double voxel,
            double unit,
            List<DynamicSnapshot> dynamics,
            SkyMap sky,
            List<KeyframeRecord> log,
            MemoryOptions options) {
        this.version = version;
        this.blocks = blocks;
        this.cellCount = cellCount;
        this.voxel = voxel;
        this.unit = unit;
        this.dynamics = List.copyOf(dynamics);
        this.sky = sky;
        this.log = List.copyOf(log);
        this.options = options;
    }

    /** Counts up by one with every key frame. */
    public long version() {
        return version;
    }

    /** Number of static cells. */
    public int cellCount() {
        return cellCount;
    }

    /** Edge of a voxel in world units; 0 before the first key frame. */
    public double voxelEdge() {
        return voxel;
    }

    /** Median depth of the first key frame in world units; 0 before it. */
    public double unit() {
        return unit;
    }

    /** Number of dynamic snapshots. */
    public int dynamicSnapshots() {
        return dynamics.size();
    }

    /** Number of points in all dynamic snapshots. */
    public int dynamicPoints() {
        return dynamics.stream().mapToInt(DynamicSnapshot::count).sum();
    }

    /** The remembered key frames, oldest first. */
    public List<KeyframeRecord> keyframes() {
        return log;
    }

    /** Whether there is nothing to render. */
    public boolean isEmpty() {
        return cellCount == 0 && dynamics.isEmpty() && sky.isEmpty();
    }

    /**
     * Distance along the view axis to the nearest static surface within a tube around it. Isolated specks do not count:
     * the fourth nearest cell decides.
     *
     * @param pose camera-to-world
     * @param radius radius of the tube, world units, positive
     * @return world units, or positive infinity if the memory knows of nothing ahead
     */
    public double distanceAhead(Pose pose, double radius) {
        double reach = Block.EDGE * Math.sqrt(3) / 2 * voxel;
        double[] nearest = {
            Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY
        };
        for (Block block : blocks) {
            double bx = centre(block.key, 0) - pose.tx();
            double by = centre(block.key, 1) - pose.ty();
            double bz = centre(block.key, 2) - pose.tz();
            double along = bx * pose.r02() + by * pose.r12() + bz * pose.r22();
            double off2 = bx * bx + by * by + bz * bz - along * along;
            if (along < -reach || along - reach > nearest[3] || off2 > (radius + reach) * (radius + reach)) {
                continue;
            }
            for (int i = 0; i < block.count; i++) {
                double x = block.xs[i] - pose.tx();
                double y = block.ys[i] - pose.ty();
                double z = block.zs[i] - pose.tz();
                double a = x * pose.r02() + y * pose.r12() + z * pose.r22();
                if (a > 0 && a < nearest[3] && x * x + y * y + z * z - a * a < radius * radius) {
                    int k = 3;
                    while (k > 0 && nearest[k - 1] > a) {
                        nearest[k] = nearest[k - 1];
                        k--;
                    }
                    nearest[k] = a;
                }
            }
        }
        return nearest[3];
    }

    /** World coordinate of a block's centre. */
    double centre(long blockKey, int axis) {
        int cell = (Morton.decode(blockKey, axis) << Block.BITS) - Morton.BIAS;
        return (cell + 0.5 * Block.EDGE) * voxel;
    }
}
