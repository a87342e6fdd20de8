package io.teleworld.core.memory;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Renders guidance views of a memory snapshot by splatting (paper §3.3.2; the nearest surface wins, contributions within
 * 1 % of its depth blend by weight in linear light).
 *
 * <p>The result depends only on the snapshot's content and the camera: sums are integers, so neither the order of cells
 * nor of their insertion matters. After splatting, pixels through which a farther surface shines are dropped, small
 * gaps are closed, and the sky is drawn where nothing was hit.
 *
 * <p>Holds scratch memory in proportion to the view and the visible cells; not thread-safe, one per thread.
 */
public final class MemoryRenderer {

    /** Largest half-size of a splat in pixels. */
    private static final float MAX_RADIUS = 3f;

    /** Contributions at most this much deeper than the nearest one blend with it. */
    private static final float TIE = 1.01f;

    private static final float NEAR = 0.02f;
    private static final int MARGIN = 4;
    private static final float[] STILL = new float[3 * 256];
    private static final boolean STATIC_LAYER = false;
    private static final boolean DYNAMIC_LAYER = true;
    private static final int DYNAMIC_FLAG = 0x80000000;

    private int width;
    private int height;
    /** Nearest hit: float bits of depth in the upper half, contributor id in the lower. */
    private long[] nearest = new long[0];

    private int[] limit = new int[0];
    private long[] redGreen = new long[0];
    private long[] blueWeight = new long[0];
    private long[] depthCount = new long[0];

    private int dynamicSegment = -1;
    private int scratch;
    private float[] su = new float[0];
    private float[] sv = new float[0];
    private float[] sz = new float[0];
    private float[] sr = new float[0];
    private float[] dx = new float[0];
    private float[] dy = new float[0];
    private float[] dz = new float[0];
    private int[] visible = new int[0];
    private float[] postDepth = new float[0];
    private byte[] postMask = new byte[0];

    /** A renderer without scratch memory yet. */
    public MemoryRenderer() {}

    /**
     * Renders one view.
     *
     * @param memory what to render
     * @param pose camera-to-world
     * @param camera intrinsics; its size is the view's size
     * @param time seconds since the session began, selects the dynamic content
     * @param out receives the view
     */
    public void render(MemorySnapshot memory, Pose pose, Intrinsics camera, double time, GuidanceView out) {
        if (out.width() != camera.width() || out.height() != camera.height()) {
            throw new IllegalArgumentException("view is " + out.width() + "×" + out.height() + ", camera is "
                    + camera.width() + "×" + camera.height());
        }
        splat(memory, pose, camera, time);
        resolve(memory, out);
        removeBleedThrough(out);
        closeHoles(out);
        if (!memory.sky.isEmpty()) {
            drawSky(memory.sky, pose, camera, out);
        }
    }

    // ---- splatting; WorldMemory reads the raw result ----

    /** Depth of the nearest static or dynamic contribution to a pixel, or 0 if there is none. */
    float rawDepth(int pixel) {
        long n = nearest[pixel];
        return n == Long.MAX_VALUE ? 0 : Float.intBitsToFloat((int) (n >>> 32));
    }

    /** Static cell that is nearest at a pixel: block index in the snapshot << 12 | slot; negative if none or dynamic. */
    int rawCell(int pixel) {
        long n = nearest[pixel];
        return n == Long.MAX_VALUE ? -1 : (int) n;
    }

    /** How many cells share the nearest surface at a pixel. */
    int rawCount(int pixel) {
        return (int) (depthCount[pixel] >>> 40);
    }

    /** Projects and splats the static cells, and the dynamic points unless {@code time} is NaN. */
    void splat(MemorySnapshot memory, Pose pose, Intrinsics camera, double time) {
        resize(camera.width(), camera.height());
        Arrays.fill(nearest, Long.MAX_VALUE);
        Arrays.fill(redGreen, 0);
        Arrays.fill(blueWeight, 0);
        Arrays.fill(depthCount, 0);
        Camera c = new Camera(pose, camera, (float) (NEAR * memory.unit));
        int visibleBlocks = cull(memory, c);
        scratch = 0;
        for (int i = 0; i < visibleBlocks; i++) {
            Block block = memory.blocks[visible[i]];
            reserve(scratch + block.count);
            project(block.xs, block.ys, block.zs, block.size, block.count, c);
            depthPass(scratch, block.count, visible[i] << Block.LOCAL_BITS, c.near);
            scratch += block.count;
        }
        DynamicSnapshot moving = null;
        if (!Double.isNaN(time) && !memory.dynamics.isEmpty()) {
            moving = at(memory, time);
            if (moving != null) {
                displace(memory, moving, time);
                reserve(scratch + moving.count());
                project(dx, dy, dz, moving.size, moving.count(), c);
                depthPass(scratch, moving.count(), DYNAMIC_FLAG, c.near);
            }
        }
        limitTo(STATIC_LAYER);
        scratch = 0;
        for (int i = 0; i < visibleBlocks; i++) {
            Block block = memory.blocks[visible[i]];
            blendPass(scratch, block.count, block.colour, block.weight);
            scratch += block.count;
        }
        if (moving != null) {
            limitTo(DYNAMIC_LAYER);
            blendPass(scratch, moving.count(), moving.colour, null);
        }
    }

    private void resize(int w, int h) {
        width = w;
        height = h;
        int n = w * h;
        if (nearest.length != n) {
            nearest = new long[n];
            limit = new int[n];
            redGreen = new long[n];
            blueWeight = new long[n];
            depthCount = new long[n];
            postDepth = new float[n];
            postMask = new byte[n];
        }
    }

    private void reserve(int n) {
        if (n > sz.length) {
            int capacity = Math.max(n, sz.length + (sz.length >> 1) + 4096);
            su = Arrays.copyOf(su, capacity);
            sv = Arrays.copyOf(sv, capacity);
            sz = Arrays.copyOf(sz, capacity);
            sr = Arrays.copyOf(sr, capacity);
        }
    }

    /** World-to-camera rows and intrinsics in single precision. */
    private static final class Camera {

        private final float r00;
        private final float r01;
        private final float r02;
        private final float r10;
        private final float r11;
        private final float r12;
        private final float r20;
        private final float r21;
        private final float r22;
        private final float tx;
        private final float ty;
        private final float tz;
        private final float fx;
        private final float fy;
        private final float cx;
        private final float cy;
        private final float near;

        Camera(Pose pose, Intrinsics k, float near) {
            Pose inverse = pose.inverse();
            r00 = (float) inverse.r00();
            r01 = (float) inverse.r01();
            r02 = (float) inverse.r02();
            r10 = (float) inverse.r10();
            r11 = (float) inverse.r11();
            r12 = (float) inverse.r12();
            r20 = (float) inverse.r20();
            r21 = (float) inverse.r21();
            r22 = (float) inverse.r22();
            tx = (float) inverse.tx();
            ty = (float) inverse.ty();
            tz = (float) inverse.tz();
            fx = (float) k.fx();
            fy = (float) k.fy();
            cx = (float) k.cx();
            cy = (float) k.cy();
            this.near = near;
        }
    }

    /** Fills {@link #visible} with the blocks whose bounding sphere meets the view frustum. */
    private int cull(MemorySnapshot memory, Camera c) {
        Block[] blocks = memory.blocks;
        if (visible.length < blocks.length) {
            visible = new int[blocks.length + (blocks.length >> 1)];
        }
        float radius = (float) (Block.EDGE * Math.sqrt(3) / 2 * memory.voxel);
        float left = c.cx + MARGIN;
        float right = width - c.cx + MARGIN;
        float top = c.cy + MARGIN;
        float bottom = height - c.cy + MARGIN;
        float leftReach = radius * (float) Math.hypot(c.fx, left);
        float rightReach = radius * (float) Math.hypot(c.fx, right);
        float topReach = radius * (float) Math.hypot(c.fy, top);
        float bottomReach = radius * (float) Math.hypot(c.fy, bottom);
        int n = 0;
        for (int i = 0; i < blocks.length; i++) {
            long key = blocks[i].key;
            float wx = (float) memory.centre(key, 0);
            float wy = (float) memory.centre(key, 1);
            float wz = (float) memory.centre(key, 2);
            float z = c.r20 * wx + c.r21 * wy + c.r22 * wz + c.tz;
            if (z + radius <= c.near) {
                continue;
            }
            float x = c.fx * (c.r00 * wx + c.r01 * wy + c.r02 * wz + c.tx);
            float y = c.fy * (c.r10 * wx + c.r11 * wy + c.r12 * wz + c.ty);
            if (x + left * z > -leftReach
                    && right * z - x > -rightReach
                    && y + top * z > -topReach
                    && bottom * z - y > -bottomReach) {
                visible[n++] = i;
            }
        }
        return n;
    }

    /** Fills the scratch entries from {@link #scratch} on; written so that the compiler can vectorise it. */
    private void project(float[] xs, float[] ys, float[] zs, float[] size, int count, Camera c) {
        float[] u = su;
        float[] v = sv;
        float[] r = sr;
        float[] d = sz;
        int from = scratch;
        float r00 = c.r00 * c.fx;
        float r01 = c.r01 * c.fx;
        float r02 = c.r02 * c.fx;
        float r10 = c.r10 * c.fy;
        float r11 = c.r11 * c.fy;
        float r12 = c.r12 * c.fy;
        float r20 = c.r20;
        float r21 = c.r21;
        float r22 = c.r22;
        float tx = c.tx * c.fx;
        float ty = c.ty * c.fy;
        float tz = c.tz;
        float cx = c.cx;
        float cy = c.cy;
        float half = 0.5f * c.fx;
        for (int i = 0; i < count; i++) {
            float x = xs[i];
            float y = ys[i];
            float w = zs[i];
            float z = r20 * x + r21 * y + r22 * w + tz;
            float inverse = 1 / z;
            u[from + i] = (r00 * x + r01 * y + r02 * w + tx) * inverse + cx;
            v[from + i] = (r10 * x + r11 * y + r12 * w + ty) * inverse + cy;
            r[from + i] = half * size[i] * inverse;
            d[from + i] = z;
        }
    }

    private void depthPass(int from, int count, int firstId, float near) {
        int w = width;
        int h = height;
        long[] zb = nearest;
        for (int i = 0; i < count; i++) {
            int s = from + i;
            float z = sz[s];
            if (!(z > near)) {
                sz[s] = -1;
                continue;
            }
            float u = su[s];
            float v = sv[s];
            float r = Math.max(0.5f, Math.min(MAX_RADIUS, sr[s]));
            sr[s] = r;
            if (!(u > -r) || !(v > -r) || !(u < w + r) || !(v < h + r)) {
                sz[s] = -1;
                continue;
            }
            long packed = (long) Float.floatToRawIntBits(z) << 32 | (firstId + i) & 0xFFFFFFFFL;
            if (r == 0.5f) {
                int x = (int) u;
                int y = (int) v;
                if (u < 0 || v < 0 || x >= w || y >= h) {
                    sz[s] = -1;
                    continue;
                }
                int p = y * w + x;
                if (packed < zb[p]) {
                    zb[p] = packed;
                }
            } else {
                int x0 = Math.max(0, floor(u - r + 0.5f));
                int x1 = Math.min(w, floor(u + r + 0.5f));
                int y0 = Math.max(0, floor(v - r + 0.5f));
                int y1 = Math.min(h, floor(v + r + 0.5f));
                for (int y = y0; y < y1; y++) {
                    for (int p = y * w + x0; p < y * w + x1; p++) {
                        if (packed < zb[p]) {
                            zb[p] = packed;
                        }
                    }
                }
            }
        }
    }

    private static int floor(float v) {
        int i = (int) v;
        return v < i ? i - 1 : i;
    }

    /** Sets the tie range, in float bits, of the pixels whose nearest surface is of one layer; none in the others. */
    private void limitTo(boolean dynamic) {
        for (int p = 0; p < nearest.length; p++) {
            long n = nearest[p];
            boolean hit = n != Long.MAX_VALUE && (int) n < 0 == dynamic;
            limit[p] = hit ? Float.floatToRawIntBits(Float.intBitsToFloat((int) (n >>> 32)) * TIE) : -1;
        }
    }

    /** Sums up what lies within the tie range; static and dynamic content never blend. */
    private void blendPass(int from, int count, long[] colour, float @Nullable [] weight) {
        int w = width;
        int h = height;
        int[] ties = limit;
        for (int i = 0; i < count; i++) {
            int s = from + i;
            float z = sz[s];
            if (!(z > 0)) {
                continue;
            }
            int bits = Float.floatToRawIntBits(z);
            float r = sr[s];
            float u = su[s];
            float v = sv[s];
            if (r == 0.5f) {
                int p = ((int) v) * w + (int) u;
                if (bits <= ties[p]) {
                    float share = weight == null ? 16f : Math.min(62f, 16f * weight[i]);
                    add(p, colour[i], 1 + (int) share, bits);
                }
                continue;
            }
            float share = weight == null ? 16f : Math.min(62f, 16f * weight[i]);
            int x0 = Math.max(0, floor(u - r + 0.5f));
            int x1 = Math.min(w, floor(u + r + 0.5f));
            int y0 = Math.max(0, floor(v - r + 0.5f));
            int y1 = Math.min(h, floor(v + r + 0.5f));
            float fall = 1 / (r + 0.5f);
            for (int y = y0; y < y1; y++) {
                float ky = share * (1 - Math.abs(y + 0.5f - v) * fall);
                for (int x = x0; x < x1; x++) {
                    int p = y * w + x;
                    if (bits <= ties[p]) {
                        add(p, colour[i], 1 + (int) (ky * (1 - Math.abs(x + 0.5f - u) * fall)), bits);
                    }
                }
            }
        }
    }

    /**
     * Lanes hold 14-bit colours times weights up to 63, so 4,096 full contributions fit. Depth is summed as the distance
     * in float steps from the nearest: within a tie range the bits of a float grow linearly but for one change of slope.
     */
    private void add(int p, long colour, int k, int bits) {
        redGreen[p] += ((colour >>> 34 & 0x3FFF) << 32 | (colour >>> 18 & 0x3FFF)) * k;
        blueWeight[p] += ((colour >>> 2 & 0x3FFF) << 32 | 1) * k;
        int behind = bits - (int) (nearest[p] >>> 32);
        depthCount[p] += (1L << 40) + (long) behind * k;
    }

    private void resolve(MemorySnapshot memory, GuidanceView out) {
        byte[] rgb = out.rgb();
        for (int p = 0; p < nearest.length; p++) {
            long n = nearest[p];
            if (n == Long.MAX_VALUE) {
                out.clear(p);
                continue;
            }
            int k = (int) blueWeight[p];
            rgb[3 * p] = LinearLight.srgb14((int) (redGreen[p] >>> 32) / k);
            rgb[3 * p + 1] = LinearLight.srgb14((int) redGreen[p] / k);
            rgb[3 * p + 2] = LinearLight.srgb14((int) (blueWeight[p] >>> 32) / k);
            int behind = (int) ((depthCount[p] & 0xFFFFFFFFFFL) / k);
            out.depth()[p] = Float.intBitsToFloat((int) (n >>> 32) + behind);
            int id = (int) n;
            if (id < 0) {
                out.mask()[p] = GuidanceView.DYNAMIC;
                out.lastSeen()[p] = dynamicSegment;
            } else {
                out.mask()[p] = GuidanceView.STATIC;
                out.lastSeen()[p] = memory.blocks[id >>> Block.LOCAL_BITS].last[id & Block.LOCAL_MASK];
            }
        }
    }

    // ---- dynamic content ----

    @Nullable
    private DynamicSnapshot at(MemorySnapshot memory, double time) {
        DynamicSnapshot best = memory.dynamics.get(0);
        for (DynamicSnapshot d : memory.dynamics) {
            if (Math.abs(d.time - time) < Math.abs(best.time - time)) {
                best = d;
            }
        }
        dynamicSegment = best.segment;
        DynamicSnapshot first = memory.dynamics.get(0);
        DynamicSnapshot last = memory.dynamics.get(memory.dynamics.size() - 1);
        boolean held =
                time >= first.time - memory.options.holdSeconds() && time <= last.time + memory.options.holdSeconds();
        return held ? best : null;
    }

    /** Fills the dynamic positions, moved linearly towards the neighbouring snapshot on the other side of {@code time}. */
    private void displace(MemorySnapshot memory, DynamicSnapshot from, double time) {
        int n = from.count();
        if (dx.length < n) {
            dx = new float[n];
            dy = new float[n];
            dz = new float[n];
        }
        int index = memory.dynamics.indexOf(from);
        int other = time > from.time ? index + 1 : index - 1;
        float[] step = STILL;
        float share = 0;
        if (time != from.time && other >= 0 && other < memory.dynamics.size()) {
            DynamicSnapshot to = memory.dynamics.get(other);
            step = from.displacementTo(to, 0.5 * memory.unit);
            share = (float) ((time - from.time) / (to.time - from.time));
        }
        for (int i = 0; i < n; i++) {
            int id = 3 * (from.instance[i] & 0xFF);
            dx[i] = from.xyz[3 * i] + share * step[id];
            dy[i] = from.xyz[3 * i + 1] + share * step[id + 1];
            dz[i] = from.xyz[3 * i + 2] + share * step[id + 2];
        }
    }

    // ---- repairs ----

    private static final int[] NEIGHBOUR_X = {-1, 0, 1, -1, 1, -1, 0, 1};
    private static final int[] NEIGHBOUR_Y = {-1, -1, -1, 0, 0, 1, 1, 1};

    /** A pixel that most of its neighbours lie well in front of is a farther surface seen through gaps: drop it. */
    private void removeBleedThrough(GuidanceView out) {
        float[] depth = out.depth();
        System.arraycopy(depth, 0, postDepth, 0, depth.length);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int p = y * width + x;
                float d = postDepth[p] * (1 / 1.1f);
                if (d <= 0) {
                    continue;
                }
                int nearer = 0;
                if (x > 0 && y > 0 && x < width - 1 && y < height - 1) {
                    nearer = nearer(p - width - 1, d)
                            + nearer(p - width, d)
                            + nearer(p - width + 1, d)
                            + nearer(p - 1, d)
                            + nearer(p + 1, d)
                            + nearer(p + width - 1, d)
                            + nearer(p + width, d)
                            + nearer(p + width + 1, d);
                } else {
                    for (int j = 0; j < 8; j++) {
                        int xx = x + NEIGHBOUR_X[j];
                        int yy = y + NEIGHBOUR_Y[j];
                        if (xx >= 0 && yy >= 0 && xx < width && yy < height) {
                            nearer += nearer(yy * width + xx, d);
                        }
                    }
                }
                if (nearer >= 5) {
                    out.clear(p);
                }
            }
        }
    }

    private int nearer(int p, float d) {
        float n = postDepth[p];
        return n > 0 && n < d ? 1 : 0;
    }

    /** Fills a hole when at least six of its eight neighbours (three quarters at the border) agree in depth to 5 %. */
    private void closeHoles(GuidanceView out) {
        byte[] mask = out.mask();
        System.arraycopy(mask, 0, postMask, 0, mask.length);
        System.arraycopy(out.depth(), 0, postDepth, 0, postDepth.length);
        int[] at = new int[8];
        float[] sorted = new float[8];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int p = y * width + x;
                if (postMask[p] != GuidanceView.HOLE) {
                    continue;
                }
                int inside = 0;
                int n = 0;
                for (int j = 0; j < 8; j++) {
                    int xx = x + NEIGHBOUR_X[j];
                    int yy = y + NEIGHBOUR_Y[j];
                    if (xx < 0 || yy < 0 || xx >= width || yy >= height) {
                        continue;
                    }
                    inside++;
                    int q = yy * width + xx;
                    if (postMask[q] != GuidanceView.HOLE) {
                        int k = n++;
                        float d = postDepth[q];
                        while (k > 0 && sorted[k - 1] > d) {
                            sorted[k] = sorted[k - 1];
                            at[k] = at[k - 1];
                            k--;
                        }
                        sorted[k] = d;
                        at[k] = q;
                    }
                }
                if (4 * n >= 3 * inside) {
                    fill(out, p, at, sorted, n, inside);
                }
            }
        }
    }

    /** Fills from the longest run of neighbours, in order of depth, without a step over 5 %: one surface, even slanted. */
    private void fill(GuidanceView out, int p, int[] at, float[] sorted, int n, int inside) {
        int from = 0;
        int length = 0;
        for (int i = 0; i < n; ) {
            int j = i + 1;
            while (j < n && sorted[j] <= 1.05f * sorted[j - 1]) {
                j++;
            }
            if (j - i > length) {
                from = i;
                length = j - i;
            }
            i = j;
        }
        if (4 * length < 3 * inside) {
            return;
        }
        int r = 0;
        int g = 0;
        int b = 0;
        int dynamic = 0;
        int seen = -1;
        byte[] rgb = out.rgb();
        for (int j = from; j < from + length; j++) {
            int q = at[j];
            r += LinearLight.linear(rgb[3 * q]);
            g += LinearLight.linear(rgb[3 * q + 1]);
            b += LinearLight.linear(rgb[3 * q + 2]);
            dynamic += postMask[q] == GuidanceView.DYNAMIC ? 1 : 0;
            seen = Math.max(seen, out.lastSeen()[q]);
        }
        rgb[3 * p] = LinearLight.srgb(r / length);
        rgb[3 * p + 1] = LinearLight.srgb(g / length);
        rgb[3 * p + 2] = LinearLight.srgb(b / length);
        out.depth()[p] = sorted[from + length / 2];
        out.mask()[p] = 2 * dynamic > length ? GuidanceView.DYNAMIC : GuidanceView.STATIC;
        out.lastSeen()[p] = seen;
    }

    private void drawSky(SkyMap sky, Pose pose, Intrinsics k, GuidanceView out) {
        byte[] rgb = out.rgb();
        byte[] mask = out.mask();
        for (int y = 0; y < height; y++) {
            double dy = (y + 0.5 - k.cy()) / k.fy();
            for (int x = 0; x < width; x++) {
                int p = y * width + x;
                if (mask[p] != GuidanceView.HOLE) {
                    continue;
                }
                double dx = (x + 0.5 - k.cx()) / k.fx();
                long c = sky.sample(
                        (float) (pose.r00() * dx + pose.r01() * dy + pose.r02()),
                        (float) (pose.r10() * dx + pose.r11() * dy + pose.r12()),
                        (float) (pose.r20() * dx + pose.r21() * dy + pose.r22()));
                if (c >= 0) {
                    rgb[3 * p] = LinearLight.srgb(Block.red(c));
                    rgb[3 * p + 1] = LinearLight.srgb(Block.green(c));
                    rgb[3 * p + 2] = LinearLight.srgb(Block.blue(c));
                    mask[p] = GuidanceView.STATIC;
                    out.depth()[p] = Float.POSITIVE_INFINITY;
                    out.lastSeen()[p] = 0;
                }
            }
        }
    }
}
