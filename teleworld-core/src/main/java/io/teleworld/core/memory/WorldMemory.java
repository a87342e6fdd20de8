package io.teleworld.core.memory;

import io.teleworld.core.reconstruct.DepthMaps;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The 4D memory of a session (paper §3.3.2): a static map that key frames extend and refine, what moved at each key
 * frame's time, the sky, and a log of key frames.
 *
 * <p>The world frame is the first camera of the session. Any thread may take a {@link #snapshot()}; insertions exclude
 * each other and publish a new snapshot when they are done, so readers never wait and never see a half-built world.
 * Memory is bounded by {@link MemoryOptions}. Holds no resource outside the heap.
 */
public final class WorldMemory {

    private static final double LEAST_CONFIDENCE = 0.2;
    private static final double EDGE_RATIO = 1.1;
    private static final int DYNAMIC_MARGIN = 3;
    private static final float SAME_SURFACE = 0.03f;
    private static final float CONTRADICTION = 1.05f;
    private static final float LEAST_WEIGHT = 0.05f;

    private final MemoryOptions options;
    private final VoxelGrid grid = new VoxelGrid();
    private final MemoryRenderer renderer = new MemoryRenderer();
    private final List<DynamicSnapshot> dynamics = new ArrayList<>();
    private final List<KeyframeRecord> log = new ArrayList<>();
    private SkyMap sky = new SkyMap();
    private double unit;
    private double voxel;
    private volatile MemorySnapshot current;

    /** An empty memory. */
    public WorldMemory(MemoryOptions options) {
        this.options = options;
        current = new MemorySnapshot(0, grid.share(), 0, 0, 0, dynamics, sky, log, options);
    }

    /** The newest complete version. */
    public MemorySnapshot snapshot() {
        return current;
    }

    /**
     * What an insertion did.
     *
     * @param used static pixels that passed the reliability tests
     * @param added cells added
     * @param merged pixels merged into existing cells
     * @param removed cells removed: contradicted, found to be dynamic, or over budget
     * @param dynamic dynamic points stored
     */
    public record Report(int used, int added, int merged, int removed, int dynamic) {}

    /**
     * Takes a key frame into the memory. A frame without any usable depth changes nothing but the sky.
     *
     * @param frame the key frame, in the session's world frame and scale
     */
    public synchronized Report insert(Keyframe frame) {
        Intrinsics k = frame.camera();
        int w = k.width();
        int h = k.height();
        float[] depth = frame.depth();
        float median = DepthMaps.median(depth);
        if (Float.isNaN(median)) {
            boolean changed = insertSky(frame);
            if (changed && unit > 0) {
                publish();
            }
            return new Report(0, 0, 0, 0, 0);
        }
        if (unit == 0) {
            unit = median;
            double rho = options.rho() > 0 ? options.rho() : Math.max(0.0025, Math.min(0.01, 0.5 / k.fx()));
            voxel = rho * median;
        }
        byte[] edges = DepthMaps.edges(depth, w, h, EDGE_RATIO);
        float[] normals = DepthMaps.normals(depth, k);
        byte[] moving = frame.dynamic();
        byte[] nearMoving = moving == null ? edges : DepthMaps.dilate(moving, w, h, DYNAMIC_MARGIN);
        float[] confidence = frame.confidence();
        float confidenceFloor = 0;
        float confidenceScale = 1;
        if (confidence != null) {
            float c = DepthMaps.percentile(confidence, LEAST_CONFIDENCE);
            float m = DepthMaps.percentile(confidence, 0.5);
            confidenceFloor = Float.isNaN(c) ? 0 : c;
            confidenceScale = Float.isNaN(m) ? 1 : 1 / m;
        }
        MemorySnapshot before = current;
        boolean culling = before.cellCount() > 0;
        if (culling) {
            renderer.splat(before, frame.pose(), k, Double.NaN);
        }
        Insertion pass = new Insertion(frame, normals, median, culling ? before : null);
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int p = y * w + x;
                float d = depth[p];
                if (!DepthMaps.isSurface(d) || d <= 0.02f * median || d >= 60 * median) {
                    continue;
                }
                if (moving != null && moving[p] != 0) {
                    pass.sawMoving(p, d);
                    continue;
                }
                if (edges[p] != 0 || nearMoving[p] != 0) {
                    continue;
                }
                float conf = 1;
                if (confidence != null) {
                    if (!(confidence[p] >= confidenceFloor)) {
                        continue;
                    }
                    conf = Math.max(1e-3f, Math.min(4, confidence[p] * confidenceScale));
                }
                pass.insert(x, y, d, conf);
            }
        }
        int points = moving == null ? 0 : insertDynamic(frame, moving, edges, median);
        insertSky(frame);
        remember(new KeyframeRecord(frame, unit));
        int removed = pass.carve() + evict(frame.pose(), frame.segment());
        publish();
        return new Report(pass.used, pass.added, pass.merged, removed, points);
    }

    /** The state of one static insertion. */
    private final class Insertion {

        private final Keyframe frame;
        private final Intrinsics k;
        private final Pose pose;
        private final float[] normals;
        private final float median;

        @Nullable
        private final MemorySnapshot before;

        private final float[] old = new float[3];
        private boolean[] touched = new boolean[0];
        private int used;
        private int added;
        private int merged;

        Insertion(Keyframe frame, float[] normals, float median, @Nullable MemorySnapshot before) {
            this.frame = frame;
            this.k = frame.camera();
            this.pose = frame.pose();
            this.normals = normals;
            this.median = median;
            this.before = before;
        }

        void insert(int x, int y, float d, float confidence) {
            int p = y * k.width() + x;
            double cx = (x + 0.5 - k.cx()) / k.fx();
            double cy = (y + 0.5 - k.cy()) / k.fy();
            double ray = Math.sqrt(cx * cx + cy * cy + 1);
            float nx = normals[3 * p];
            float ny = normals[3 * p + 1];
            float nz = normals[3 * p + 2];
            float cos = (float) (-(nx * cx + ny * cy + nz) / ray);
            float relative = d / median;
            float weight = confidence * Math.max(0.05f, cos) / (relative * relative);
            // Merging leaves at most one cell per voxel, so a cell stands for at least that.
            float footprint = (float) Math.max(voxel, d / k.fx());
            float wx = (float) (pose.r00() * cx * d + pose.r01() * cy * d + pose.r02() * d + pose.tx());
            float wy = (float) (pose.r10() * cx * d + pose.r11() * cy * d + pose.r12() * d + pose.ty());
            float wz = (float) (pose.r20() * cx * d + pose.r21() * cy * d + pose.r22() * d + pose.tz());
            float wnx = (float) (pose.r00() * nx + pose.r01() * ny + pose.r02() * nz);
            float wny = (float) (pose.r10() * nx + pose.r11() * ny + pose.r12() * nz);
            float wnz = (float) (pose.r20() * nx + pose.r21() * ny + pose.r22() * nz);
            used++;

            int crowd = 0;
            int hitBlock = -1;
            int hitSlot = -1;
            if (before != null) {
                int cell = renderer.rawCell(p);
                if (cell >= 0) {
                    float z = renderer.rawDepth(p);
                    hitBlock = grid.find(before.blocks[cell >>> Block.LOCAL_BITS].key);
                    hitSlot = cell & Block.LOCAL_MASK;
                    Block block = grid.block(hitBlock);
                    Block.octDecode(block.normal[hitSlot], old);
                    double facing = old[0] * (wx - pose.tx()) + old[1] * (wy - pose.ty()) + old[2] * (wz - pose.tz());
                    if (Math.abs(d - z) < SAME_SURFACE * z && facing <= 0) {
                        // Coarse cells overlap in a closer view; there the finer samples are wanted.
                        boolean finer = footprint < options.finerRatio() * block.size[hitSlot];
                        crowd = finer ? 0 : renderer.rawCount(p);
                        if (!finer) {
                            weight *= (float) options.echoWeight();
                        }
                    } else {
                        if (d > CONTRADICTION * z) {
                            contradict(x, y, z, hitBlock, hitSlot);
                        }
                        hitBlock = -1;
                    }
                }
            }
            if (weight == 0) {
                see(hitBlock, hitSlot);
                return;
            }
            int ix = (int) Math.floor(wx / voxel);
            int iy = (int) Math.floor(wy / voxel);
            int iz = (int) Math.floor(wz / voxel);
            int limit = Morton.BIAS - 1;
            if (Math.abs(ix) > limit || Math.abs(iy) > limit || Math.abs(iz) > limit) {
                return;
            }
            long key = Morton.ofCell(ix, iy, iz);
            int local = (int) key & Block.LOCAL_MASK;
            long blockKey = key >>> Block.LOCAL_BITS;
            int index = grid.find(blockKey);
            int slot = index < 0 ? -1 : grid.findCell(index, local);
            if (slot >= 0) {
                merged++;
            } else if (crowd >= options.samplesPerPixel()) {
                // The cell stands for several voxels, so it keeps its size.
                index = hitBlock;
                slot = hitSlot;
                footprint = Math.max(footprint, grid.block(index).size[slot]);
                merged++;
            } else {
                index = index < 0 ? grid.findOrCreate(blockKey) : index;
                slot = grid.addCell(index, local);
                added++;
            }
            byte[] rgb = frame.rgb();
            grid.writable(index)
                    .merge(
                            slot,
                            wx,
                            wy,
                            wz,
                            LinearLight.linear(rgb[3 * p]),
                            LinearLight.linear(rgb[3 * p + 1]),
                            LinearLight.linear(rgb[3 * p + 2]),
                            wnx,
                            wny,
                            wnz,
                            weight,
                            footprint,
                            frame.segment());
        }

        /** A cell was seen again, and nothing is learnt from it. */
        private void see(int index, int slot) {
            Block block = grid.writable(index);
            block.last[slot] = frame.segment();
            block.lastSegment = Math.max(block.lastSegment, frame.segment());
        }

        /** A cell floats in front of a surface seen here. Silhouettes overlap a little, so all neighbours must agree. */
        private void contradict(int x, int y, float z, int index, int slot) {
            int w = k.width();
            int h = k.height();
            if (x == 0 || y == 0 || x == w - 1 || y == h - 1) {
                return;
            }
            for (int yy = y - 1; yy <= y + 1; yy++) {
                for (int xx = x - 1; xx <= x + 1; xx++) {
                    if (!(frame.depth()[yy * w + xx] > CONTRADICTION * z)) {
                        return;
                    }
                }
            }
            Block block = grid.writable(index);
            int views = block.votes[slot] & 0xF;
            if (views >= 1) {
                block.weight[slot] *= 0.5f;
                views = -1;
                if (block.weight[slot] < LEAST_WEIGHT) {
                    block.weight[slot] = 0;
                    touch(index);
                }
            }
            block.votes[slot] = (byte) (block.votes[slot] & 0xF0 | views + 1);
        }

        /** A pixel belongs to something that moves: a static cell at its depth is probably a ghost of it. */
        void sawMoving(int p, float d) {
            if (before == null) {
                return;
            }
            int cell = renderer.rawCell(p);
            if (cell < 0 || Math.abs(renderer.rawDepth(p) - d) > SAME_SURFACE * d) {
                return;
            }
            int index = grid.find(before.blocks[cell >>> Block.LOCAL_BITS].key);
            int slot = cell & Block.LOCAL_MASK;
            Block block = grid.writable(index);
            int views = (block.votes[slot] >> 4 & 0xF) + 1;
            block.votes[slot] = (byte) (Math.min(15, views) << 4 | block.votes[slot] & 0xF);
            if (views >= 2) {
                block.weight[slot] = 0;
                touch(index);
            }
        }

        private void touch(int index) {
            if (index >= touched.length) {
                touched = Arrays.copyOf(touched, Math.max(index + 1, grid.blockCount()));
            }
            touched[index] = true;
        }

        /** Drops the cells that were contradicted too often; returns how many. */
        int carve() {
            int cells = grid.cellCount();
            boolean empty = false;
            for (int i = 0; i < touched.length; i++) {
                if (touched[i]) {
                    grid.sweep(i);
                    empty |= grid.block(i).count == 0;
                }
            }
            if (empty) {
                grid.removeBlocks(new boolean[grid.blockCount()]);
            }
            return cells - grid.cellCount();
        }
    }

    private int insertDynamic(Keyframe frame, byte[] moving, byte[] edges, float median) {
        Intrinsics k = frame.camera();
        Pose pose = frame.pose();
        int n = 0;
        for (int p = 0; p < moving.length; p++) {
            n += keepsMoving(frame, moving, p, median) ? 1 : 0;
        }
        float[] xyz = new float[3 * n];
        long[] colour = new long[n];
        float[] size = new float[n];
        byte[] instance = new byte[n];
        int i = 0;
        for (int p = 0; p < moving.length; p++) {
            if (!keepsMoving(frame, moving, p, median)) {
                continue;
            }
            double d = edges[p] == 0 ? frame.depth()[p] : rimDepth(frame, moving, p);
            int row = p / k.width();
            double cx = (p - row * k.width() + 0.5 - k.cx()) / k.fx() * d;
            double cy = (row + 0.5 - k.cy()) / k.fy() * d;
            xyz[3 * i] = (float) (pose.r00() * cx + pose.r01() * cy + pose.r02() * d + pose.tx());
            xyz[3 * i + 1] = (float) (pose.r10() * cx + pose.r11() * cy + pose.r12() * d + pose.ty());
            xyz[3 * i + 2] = (float) (pose.r20() * cx + pose.r21() * cy + pose.r22() * d + pose.tz());
            colour[i] = Block.pack(
                    LinearLight.linear(frame.rgb()[3 * p]),
                    LinearLight.linear(frame.rgb()[3 * p + 1]),
                    LinearLight.linear(frame.rgb()[3 * p + 2]));
            size[i] = (float) (d / k.fx());
            instance[i] = moving[p];
            i++;
        }
        // An empty snapshot is kept too: it says that nothing moved any more.
        DynamicSnapshot snapshot = new DynamicSnapshot(frame.time(), frame.segment(), xyz, colour, size, instance);
        int at = dynamics.size();
        while (at > 0 && dynamics.get(at - 1).time > snapshot.time) {
            at--;
        }
        dynamics.add(at, snapshot);
        if (dynamics.size() > options.dynamicSnapshots()) {
            dynamics.remove(0);
        }
        return n;
    }

    private static boolean keepsMoving(Keyframe frame, byte[] moving, int p, float median) {
        float d = frame.depth()[p];
        return moving[p] != 0 && DepthMaps.isSurface(d) && d > 0.02f * median && d < 60 * median;
    }

    /** Depth at a silhouette may be mixed with the background's; the nearest part of the same thing is safe. */
    private static float rimDepth(Keyframe frame, byte[] moving, int p) {
        int w = frame.camera().width();
        int h = frame.camera().height();
        int y = p / w;
        int x = p - y * w;
        float best = frame.depth()[p];
        for (int yy = Math.max(0, y - 1); yy <= Math.min(h - 1, y + 1); yy++) {
            for (int xx = Math.max(0, x - 1); xx <= Math.min(w - 1, x + 1); xx++) {
                float d = frame.depth()[yy * w + xx];
                if (moving[yy * w + xx] == moving[p] && d > 0 && d < best) {
                    best = d;
                }
            }
        }
        return best;
    }

    private boolean insertSky(Keyframe frame) {
        Intrinsics k = frame.camera();
        Pose pose = frame.pose();
        SkyMap next = null;
        for (int p = 0; p < frame.depth().length; p++) {
            if (frame.depth()[p] != Float.POSITIVE_INFINITY || frame.dynamic() != null && frame.dynamic()[p] != 0) {
                continue;
            }
            if (next == null) {
                next = sky.copy();
            }
            int row = p / k.width();
            double x = (p - row * k.width() + 0.5 - k.cx()) / k.fx();
            double y = (row + 0.5 - k.cy()) / k.fy();
            next.merge(
                    (float) (pose.r00() * x + pose.r01() * y + pose.r02()),
                    (float) (pose.r10() * x + pose.r11() * y + pose.r12()),
                    (float) (pose.r20() * x + pose.r21() * y + pose.r22()),
                    LinearLight.linear(frame.rgb()[3 * p]),
                    LinearLight.linear(frame.rgb()[3 * p + 1]),
                    LinearLight.linear(frame.rgb()[3 * p + 2]));
        }
        if (next != null) {
            sky = next;
        }
        return next != null;
    }

    /** Thins the older half of a full log to every second entry, so that the past stays represented ever more sparsely. */
    private void remember(KeyframeRecord entry) {
        if (log.size() >= options.logEntries()) {
            List<KeyframeRecord> kept = new ArrayList<>();
            int half = log.size() / 2;
            for (int i = 0; i < log.size(); i++) {
                if (i >= half || i % 2 == 0) {
                    kept.add(log.get(i));
                }
            }
            if (kept.size() == log.size()) {
                kept.remove(0);
            }
            log.clear();
            log.addAll(kept);
        }
        log.add(entry);
    }

    /** Over budget, drops whole blocks: those longest unseen and farthest from the camera first. */
    private int evict(Pose pose, int segment) {
        int cells = grid.cellCount();
        if (cells <= options.cellBudget()) {
            return 0;
        }
        int n = grid.blockCount();
        float[] scores = new float[n];
        for (int i = 0; i < n; i++) {
            Block block = grid.block(i);
            double dx = centre(block.key, 0) - pose.tx();
            double dy = centre(block.key, 1) - pose.ty();
            double dz = centre(block.key, 2) - pose.tz();
            scores[i] =
                    (float) (Math.max(0, segment - block.lastSegment) + Math.sqrt(dx * dx + dy * dy + dz * dz) / unit);
        }
        // Scores are not negative, so their bits sort like the scores; the index rides along in the lower half.
        long[] ranked = new long[n];
        for (int i = 0; i < n; i++) {
            ranked[i] = (long) Float.floatToRawIntBits(scores[i]) << 32 | i;
        }
        Arrays.sort(ranked);
        int target = options.cellBudget() / 10 * 9;
        boolean[] marked = new boolean[n];
        int left = cells;
        for (int i = n - 1; i > 0 && left > target; i--) {
            int index = (int) ranked[i];
            marked[index] = true;
            left -= grid.block(index).count;
        }
        grid.removeBlocks(marked);
        return cells - grid.cellCount();
    }

    private double centre(long blockKey, int axis) {
        int cell = (Morton.decode(blockKey, axis) << Block.BITS) - Morton.BIAS;
        return (cell + 0.5 * Block.EDGE) * voxel;
    }

    private void publish() {
        current = new MemorySnapshot(
                current.version() + 1, grid.share(), grid.cellCount(), voxel, unit, dynamics, sky, log, options);
    }
}
