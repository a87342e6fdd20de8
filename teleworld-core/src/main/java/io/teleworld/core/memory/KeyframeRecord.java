package io.teleworld.core.memory;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;

/**
 * A key frame as the log keeps it: pose, camera, a small picture and quantised depth. Immutable; the accessors return
 * copies.
 */
public final class KeyframeRecord {

    /** Pixels of the original along each axis that one thumbnail pixel stands for. */
    public static final int THUMBNAIL_STEP = 4;

    private static final double LOG_LOWEST = Math.log(1e-4);
    private static final double LOG_SPAN = Math.log(1e8);
    private static final int SKY = 0xFFFF;

    private final double time;
    private final int segment;
    private final Pose pose;
    private final Intrinsics camera;
    private final byte[] thumbnail;
    private final short[] depth;
    private final double unit;

    KeyframeRecord(Keyframe frame, double unit) {
        time = frame.time();
        segment = frame.segment();
        pose = frame.pose();
        camera = frame.camera();
        this.unit = unit;
        int w = camera.width();
        int h = camera.height();
        int tw = thumbnailWidth();
        int th = thumbnailHeight();
        thumbnail = new byte[3 * tw * th];
        for (int y = 0; y < th; y++) {
            for (int x = 0; x < tw; x++) {
                for (int c = 0; c < 3; c++) {
                    int sum = 0;
                    int n = 0;
                    for (int yy = y * THUMBNAIL_STEP; yy < Math.min(h, (y + 1) * THUMBNAIL_STEP); yy++) {
                        for (int xx = x * THUMBNAIL_STEP; xx < Math.min(w, (x + 1) * THUMBNAIL_STEP); xx++) {
                            sum += LinearLight.linear(frame.rgb()[3 * (yy * w + xx) + c]);
                            n++;
                        }
                    }
                    thumbnail[3 * (y * tw + x) + c] = LinearLight.srgb(sum / n);
                }
            }
        }
        depth = new short[w * h];
        for (int i = 0; i < depth.length; i++) {
            depth[i] = (short) quantise(frame.depth()[i] / unit);
        }
    }

    private static int quantise(double d) {
        if (!(d > 0)) {
            return 0;
        }
        if (Double.isInfinite(d)) {
            return SKY;
        }
        double q = (Math.log(d) - LOG_LOWEST) / LOG_SPAN;
        return 1 + (int) Math.round(Math.max(0, Math.min(1, q)) * (SKY - 2));
    }

    /** Seconds since the session began. */
    public double time() {
        return time;
    }

    /** Segment index. */
    public int segment() {
        return segment;
    }

    /** Camera-to-world pose. */
    public Pose pose() {
        return pose;
    }

    /** Intrinsics of the original picture. */
    public Intrinsics camera() {
        return camera;
    }

    /** Thumbnail width in pixels. */
    public int thumbnailWidth() {
        return (camera.width() + THUMBNAIL_STEP - 1) / THUMBNAIL_STEP;
    }

    /** Thumbnail height in pixels. */
    public int thumbnailHeight() {
        return (camera.height() + THUMBNAIL_STEP - 1) / THUMBNAIL_STEP;
    }

    /** The thumbnail: sRGB bytes, row-major, interleaved. */
    public byte[] thumbnail() {
        return thumbnail.clone();
    }

    /** Planar depth in world units from 16-bit logarithmic steps (0.03 %); 0 missing, infinity sky. */
    public float[] depth() {
        float[] out = new float[depth.length];
        for (int i = 0; i < out.length; i++) {
            int q = depth[i] & 0xFFFF;
            out[i] = q == 0
                    ? 0
                    : q == SKY
                            ? Float.POSITIVE_INFINITY
                            : (float) (unit * Math.exp(LOG_LOWEST + (q - 1) * LOG_SPAN / (SKY - 2)));
        }
        return out;
    }
}
