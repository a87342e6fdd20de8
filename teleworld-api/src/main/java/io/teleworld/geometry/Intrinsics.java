package io.teleworld.geometry;

/**
 * Pinhole camera intrinsics.
 *
 * <p>Immutable. Pixel coordinates have their origin at the top-left corner of the top-left pixel, so that the centre
 * of pixel (column i, row j) lies at (i + 0.5, j + 0.5); u grows to the right and v downwards. A camera-space point
 * (x right, y down, z forward) projects to u = fx·x/z + cx, v = fy·y/z + cy.
 *
 * @param width image width in pixels, at least 1
 * @param height image height in pixels, at least 1
 * @param fx horizontal focal length in pixels, positive and finite
 * @param fy vertical focal length in pixels, positive and finite
 * @param cx horizontal principal point in pixels
 * @param cy vertical principal point in pixels
 */
public record Intrinsics(int width, int height, double fx, double fy, double cx, double cy) {

    public Intrinsics {
        if (width < 1 || height < 1) {
            throw new IllegalArgumentException(
                    "image size is " + width + "×" + height + "; both must be at least 1 pixel");
        }
        if (!(fx > 0) || !(fy > 0) || Double.isInfinite(fx) || Double.isInfinite(fy)) {
            throw new IllegalArgumentException(
                    "focal length is (" + fx + ", " + fy + ") pixels; both must be positive and finite");
        }
        if (!Double.isFinite(cx) || !Double.isFinite(cy)) {
            throw new IllegalArgumentException("principal point is (" + cx + ", " + cy + "); it must be finite");
        }
    }

    /**
     * Intrinsics with square pixels and a centred principal point.
     *
     * @param width image width in pixels
     * @param height image height in pixels
     * @param horizontalFieldOfView horizontal field of view in radians, in (0, π)
     */
    public static Intrinsics ofHorizontalFieldOfView(int width, int height, double horizontalFieldOfView) {
        if (!(horizontalFieldOfView > 0) || !(horizontalFieldOfView < Math.PI)) {
            throw new IllegalArgumentException(
                    "horizontal field of view is " + horizontalFieldOfView + " rad; it must lie in (0, π)");
        }
        double f = 0.5 * width / Math.tan(0.5 * horizontalFieldOfView);
        return new Intrinsics(width, height, f, f, 0.5 * width, 0.5 * height);
    }

    /** The same camera sampled at another image size. */
    public Intrinsics resized(int newWidth, int newHeight) {
        double sx = (double) newWidth / width;
        double sy = (double) newHeight / height;
        return new Intrinsics(newWidth, newHeight, fx * sx, fy * sy, cx * sx, cy * sy);
    }
}
