package io.teleworld.training.data;

/**
 * Consecutive frames in two sizes. Immutable by agreement: its arrays must not be written.
 *
 * @param frames T
 * @param height H of the small pictures
 * @param width W of the small pictures
 * @param scale how many times larger the large ones are along each side
 * @param large [T,scale·H,scale·W,3] sRGB bytes
 * @param small [T,H,W,3] sRGB bytes: means over the large pictures' pixels
 * @param decoded [T,H,W,3] sRGB bytes: {@code small} through an autoencoder, as generation gives them
 */
@SuppressWarnings("ArrayRecordComponent")
public record EnlargementClip(
        int frames, int height, int width, int scale, byte[] large, byte[] small, byte[] decoded) {

    public EnlargementClip {
        int size = 3 * frames * height * width;
        if (frames < 1 || small.length != size || decoded.length != size || large.length != size * scale * scale) {
            throw new IllegalArgumentException("clip of " + frames + " frames of " + height + "×" + width + ", scale "
                    + scale + ", has " + large.length + ", " + small.length + " and " + decoded.length + " bytes");
        }
    }

    /**
     * Copies a window of one frame as floats in [-1,1], channels first.
     *
     * @param rgb one of this clip's arrays
     * @param rowWidth pixels of a row of it
     * @param rows rows of a picture of it
     * @param out receives 3·h·w values from {@code offset} on
     */
    public static void normalised(
            byte[] rgb, int rowWidth, int rows, int frame, int top, int left, int h, int w, float[] out, int offset) {
        int o = offset;
        for (int c = 0; c < 3; c++) {
            for (int y = top; y < top + h; y++) {
                int at = ((frame * rows + y) * rowWidth + left) * 3 + c;
                for (int x = 0; x < w; x++) {
                    out[o++] = (rgb[at + 3 * x] & 0xff) / 127.5f - 1f;
                }
            }
        }
    }

    /** Means over blocks of scale×scale pixels of pictures [T,H,W,3], rounded. */
    public static byte[] reduced(byte[] large, int frames, int height, int width, int scale) {
        int h = height / scale;
        int w = width / scale;
        byte[] out = new byte[3 * frames * h * w];
        int area = scale * scale;
        int o = 0;
        for (int y = 0; y < frames * h; y++) {
            for (int x = 0; x < w; x++) {
                for (int c = 0; c < 3; c++) {
                    int sum = 0;
                    for (int i = 0; i < area; i++) {
                        int row = y * scale + i / scale;
                        sum += large[(row * width + x * scale + i % scale) * 3 + c] & 0xff;
                    }
                    out[o++] = (byte) ((sum + area / 2) / area);
                }
            }
        }
        return out;
    }
}
