package io.teleworld.worlds;

import java.util.SplittableRandom;

/**
 * Procedural, tileable, band-limited pictures for the surfaces of rooms.
 *
 * <p>Every picture is smoothed after it is drawn, so that no detail is finer than about three texels. Stateless.
 */
final class Patterns {

    static final int SIZE = 128;

    private Patterns() {}

    /** A colour in HSV, each in [0, 1], as sRGB components in [0, 1]. */
    static float[] hsv(double hue, double saturation, double value) {
        double h = (hue - Math.floor(hue)) * 6;
        float[] rgb = new float[3];
        for (int i = 0; i < 3; i++) {
            double k = (h + (i == 0 ? 5 : i == 1 ? 3 : 1)) % 6;
            rgb[i] = (float) (value - value * saturation * Math.max(0, Math.min(1, Math.min(k, 4 - k))));
        }
        return rgb;
    }

    /** Smooth tileable noise in [0, 1]: {@code octaves} layers, the first with cellsX·cellsY lattice cells. */
    static float[] noise(SplittableRandom random, int width, int height, int cellsX, int cellsY, int octaves) {
        float[] out = new float[width * height];
        float amplitude = 1;
        float sum = 0;
        for (int o = 0; o < octaves; o++) {
            int cx = Math.min(width, cellsX << o);
            int cy = Math.min(height, cellsY << o);
            float[] lattice = new float[cx * cy];
            for (int i = 0; i < lattice.length; i++) {
                lattice[i] = (float) random.nextDouble();
            }
            for (int y = 0; y < height; y++) {
                float fy = (float) y * cy / height;
                int y0 = (int) fy;
                float ty = smooth(fy - y0);
                int ya = y0 % cy * cx;
                int yb = (y0 + 1) % cy * cx;
                for (int x = 0; x < width; x++) {
                    float fx = (float) x * cx / width;
                    int x0 = (int) fx;
                    float tx = smooth(fx - x0);
                    int xa = x0 % cx;
                    int xb = (x0 + 1) % cx;
                    float a = lattice[ya + xa] + tx * (lattice[ya + xb] - lattice[ya + xa]);
                    float b = lattice[yb + xa] + tx * (lattice[yb + xb] - lattice[yb + xa]);
                    out[y * width + x] += amplitude * (a + ty * (b - a));
                }
            }
            sum += amplitude;
            amplitude *= 0.55f;
        }
        for (int i = 0; i < out.length; i++) {
            out[i] /= sum;
        }
        return out;
    }

    private static float smooth(float t) {
        return t * t * (3 - 2 * t);
    }

    /** A picture under construction: sRGB in [0, 1]. */
    private static final class Canvas {
        final int width;
        final int height;
        final float[] rgb;

        Canvas(int width, int height) {
            this.width = width;
            this.height = height;
            this.rgb = new float[width * height * 3];
        }

        void set(int i, float[] colour, float gain) {
            rgb[3 * i] = colour[0] * gain;
            rgb[3 * i + 1] = colour[1] * gain;
            rgb[3 * i + 2] = colour[2] * gain;
        }

        void mix(int i, float[] colour, float share) {
            for (int k = 0; k < 3; k++) {
                rgb[3 * i + k] += share * (colour[k] - rgb[3 * i + k]);
            }
        }

        /** One binomial pass per axis, wrapping round. */
        void blur(boolean wrap) {
            float[] t = rgb.clone();
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    int a = y * width + (wrap ? (x + width - 1) % width : Math.max(0, x - 1));
                    int b = y * width + (wrap ? (x + 1) % width : Math.min(width - 1, x + 1));
                    for (int k = 0; k < 3; k++) {
                        t[3 * (y * width + x) + k] =
                                0.25f * (rgb[3 * a + k] + rgb[3 * b + k]) + 0.5f * rgb[3 * (y * width + x) + k];
                    }
                }
            }
            for (int y = 0; y < height; y++) {
                int ya = wrap ? (y + height - 1) % height : Math.max(0, y - 1);
                int yb = wrap ? (y + 1) % height : Math.min(height - 1, y + 1);
                for (int x = 0; x < width; x++) {
                    for (int k = 0; k < 3; k++) {
                        rgb[3 * (y * width + x) + k] =
                                0.25f * (t[3 * (ya * width + x) + k] + t[3 * (yb * width + x) + k])
                                        + 0.5f * t[3 * (y * width + x) + k];
                    }
                }
            }
        }

        Texture texture(String name, boolean wrapU, boolean wrapV) {
            int[] argb = new int[width * height];
            for (int i = 0; i < argb.length; i++) {
                argb[i] = 0xff000000 | byteOf(rgb[3 * i]) << 16 | byteOf(rgb[3 * i + 1]) << 8 | byteOf(rgb[3 * i + 2]);
            }
            return Texture.ofArgb(name, width, height, argb, wrapU, wrapV);
        }

        private static int byteOf(float v) {
            return Math.round(Math.max(0, Math.min(1, v)) * 255);
        }
    }

    /** A wall picture in one of several styles round a hue. */
    static Texture wall(SplittableRandom random, double hue) {
        return switch (random.nextInt(7)) {
            case 0 -> brick(random, hue);
            case 1 -> plaster(random, hue);
            case 2 -> stripes(random, hue);
            case 3 -> motif(random, hue);
            case 4 -> stone(random, hue);
            case 5 -> planks(random, 0.06 + 0.05 * random.nextDouble(), true);
            default -> panels(random, hue);
        };
    }

    /** A floor picture in one of several styles. */
    static Texture floor(SplittableRandom random, double hue) {
        return switch (random.nextInt(6)) {
            case 0 -> planks(random, 0.05 + 0.06 * random.nextDouble(), false);
            case 1 -> checker(random, hue);
            case 2 -> stone(random, hue);
            case 3 -> carpet(random, hue);
            case 4 -> grass(random);
            default -> panels(random, hue);
        };
    }

    /** A quiet picture for ceilings. */
    static Texture ceiling(SplittableRandom random, double hue) {
        return random.nextInt(3) == 0
                ? planks(random, 0.06 + 0.05 * random.nextDouble(), false)
                : random.nextInt(2) == 0 ? panels(random, hue) : plaster(random, hue);
    }

    /** A picture for boxes, balls and columns. */
    static Texture object(SplittableRandom random, double hue) {
        return switch (random.nextInt(7)) {
            case 0 -> crate(random);
            case 1 -> checker(random, hue);
            case 2 -> stripes(random, hue);
            case 3 -> marble(random, hue);
            case 4 -> motif(random, hue);
            case 5 -> planks(random, 0.04 + 0.08 * random.nextDouble(), true);
            default -> stone(random, hue);
        };
    }

    static Texture plaster(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        float[] base = hsv(hue, 0.1 + 0.4 * random.nextDouble(), 0.6 + 0.35 * random.nextDouble());
        float[] n = noise(random, SIZE, SIZE, 3, 3, 5);
        for (int i = 0; i < n.length; i++) {
            c.set(i, base, 0.72f + 0.5f * n[i]);
        }
        c.blur(true);
        return c.texture("plaster", true, true);
    }

    static Texture brick(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        int rows = random.nextBoolean() ? 8 : 6;
        double columns = 4;
        double brickHue = random.nextInt(3) == 0 ? hue : 0.02 + 0.06 * random.nextDouble();
        double saturation = 0.25 + 0.4 * random.nextDouble();
        float[] mortar = hsv(hue, 0.08, 0.55 + 0.3 * random.nextDouble());
        float[][] colours = new float[rows * 8][];
        for (int i = 0; i < colours.length; i++) {
            colours[i] =
                    hsv(brickHue + 0.02 * (random.nextDouble() - 0.5), saturation, 0.42 + 0.3 * random.nextDouble());
        }
        float[] n = noise(random, SIZE, SIZE, 16, 16, 3);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                double v = (double) y * rows / SIZE;
                int row = (int) v;
                double u = x * columns / SIZE + (row % 2 == 0 ? 0 : 0.5);
                int column = Math.floorMod((int) Math.floor(u), (int) columns);
                double fu = u - Math.floor(u);
                double fv = v - row;
                double edge = Math.min(Math.min(fu, 1 - fu) * SIZE / columns, Math.min(fv, 1 - fv) * SIZE / rows);
                int i = y * SIZE + x;
                c.set(i, colours[row * 8 + column], 0.8f + 0.4f * n[i]);
                c.mix(i, mortar, (float) Math.max(0, Math.min(1, 2 - edge)));
            }
        }
        c.blur(true);
        return c.texture("brick", true, true);
    }

    static Texture planks(SplittableRandom random, double hue, boolean upright) {
        Canvas c = new Canvas(SIZE, SIZE);
        int boards = 4 + 2 * random.nextInt(3);
        double saturation = 0.35 + 0.35 * random.nextDouble();
        double value = 0.4 + 0.4 * random.nextDouble();
        float[][] colours = new float[boards][];
        int[] joint = new int[boards];
        for (int i = 0; i < boards; i++) {
            colours[i] = hsv(
                    hue + 0.015 * (random.nextDouble() - 0.5), saturation, value * (0.8 + 0.4 * random.nextDouble()));
            joint[i] = random.nextInt(SIZE);
        }
        float[] grain = upright ? noise(random, SIZE, SIZE, 24, 2, 3) : noise(random, SIZE, SIZE, 2, 24, 3);
        float[] dark = hsv(hue, saturation, value * 0.35);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                double across = (double) (upright ? x : y) * boards / SIZE;
                int board = (int) across;
                double f = across - board;
                int i = y * SIZE + x;
                c.set(i, colours[board], 0.7f + 0.6f * grain[i]);
                double edge = Math.min(f, 1 - f) * SIZE / boards;
                int along = upright ? y : x;
                int gap = Math.abs(along - joint[board]);
                edge = Math.min(edge, Math.min(gap, SIZE - gap));
                c.mix(i, dark, (float) Math.max(0, Math.min(1, 1.5 - edge)));
            }
        }
        c.blur(true);
        return c.texture("planks", true, true);
    }

    static Texture checker(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        int tiles = 2 << random.nextInt(3);
        float[] a = hsv(hue, 0.2 + 0.6 * random.nextDouble(), 0.65 + 0.3 * random.nextDouble());
        float[] b = random.nextBoolean()
                ? hsv(hue + 0.5, 0.3 + 0.5 * random.nextDouble(), 0.3 + 0.3 * random.nextDouble())
                : hsv(hue, 0.1, 0.25 + 0.6 * random.nextDouble());
        float[] n = noise(random, SIZE, SIZE, 6, 6, 4);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                int i = y * SIZE + x;
                boolean odd = (x * tiles / SIZE + y * tiles / SIZE) % 2 == 1;
                c.set(i, odd ? a : b, 0.8f + 0.35f * n[i]);
            }
        }
        c.blur(true);
        c.blur(true);
        return c.texture("checker", true, true);
    }

    static Texture stripes(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        int bands = 2 + random.nextInt(5);
        float[] a = hsv(hue, 0.15 + 0.5 * random.nextDouble(), 0.6 + 0.35 * random.nextDouble());
        float[] b = hsv(
                hue + 0.3 * (random.nextDouble() - 0.5),
                0.2 + 0.6 * random.nextDouble(),
                0.35 + 0.4 * random.nextDouble());
        boolean diagonal = random.nextInt(4) == 0;
        float[] n = noise(random, SIZE, SIZE, 4, 4, 4);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                int i = y * SIZE + x;
                double phase = (x + (diagonal ? y : 0)) * 2 * Math.PI * bands / SIZE;
                float share = (float) Math.max(0, Math.min(1, 0.5 + 4 * Math.sin(phase)));
                c.set(i, a, 1);
                c.mix(i, b, share);
                float gain = 0.85f + 0.3f * n[i];
                c.rgb[3 * i] *= gain;
                c.rgb[3 * i + 1] *= gain;
                c.rgb[3 * i + 2] *= gain;
            }
        }
        c.blur(true);
        return c.texture("stripes", true, true);
    }

    static Texture motif(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        int repeats = 4 << random.nextInt(2);
        int kind = random.nextInt(3);
        float[] a = hsv(hue, 0.1 + 0.4 * random.nextDouble(), 0.65 + 0.3 * random.nextDouble());
        float[] b = hsv(hue + random.nextDouble(), 0.4 + 0.4 * random.nextDouble(), 0.3 + 0.4 * random.nextDouble());
        float[] n = noise(random, SIZE, SIZE, 4, 4, 4);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                int i = y * SIZE + x;
                double v = (double) y * repeats / SIZE;
                double u = (double) x * repeats / SIZE + ((int) v % 2 == 0 ? 0 : 0.5);
                double fu = u - Math.floor(u) - 0.5;
                double fv = v - Math.floor(v) - 0.5;
                double r = switch (kind) {
                    case 0 -> Math.hypot(fu, fv);
                    case 1 -> Math.abs(fu) + Math.abs(fv);
                    default -> Math.abs(Math.hypot(fu, fv) - 0.3) + 0.12;
                };
                c.set(i, a, 0.85f + 0.3f * n[i]);
                c.mix(i, b, (float) Math.max(0, Math.min(1, (0.26 - r) * 14)));
            }
        }
        c.blur(true);
        return c.texture("motif", true, true);
    }

    /** Irregular cells round jittered centres, like field stones. */
    static Texture stone(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        int cells = 5 + random.nextInt(4);
        double[] px = new double[cells * cells];
        double[] py = new double[cells * cells];
        float[][] colour = new float[cells * cells][];
        double saturation = 0.05 + 0.3 * random.nextDouble();
        for (int i = 0; i < px.length; i++) {
            px[i] = i % cells + random.nextDouble();
            int row = i / cells;
            py[i] = row + random.nextDouble();
            colour[i] = hsv(hue + 0.05 * random.nextDouble(), saturation, 0.4 + 0.4 * random.nextDouble());
        }
        float[] joint = hsv(hue, saturation * 0.6, 0.25 + 0.3 * random.nextDouble());
        float[] n = noise(random, SIZE, SIZE, 8, 8, 4);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                double u = (double) x * cells / SIZE;
                double v = (double) y * cells / SIZE;
                double first = 1e9;
                double second = 1e9;
                int best = 0;
                for (int j = -1; j <= 1; j++) {
                    for (int k = -1; k <= 1; k++) {
                        int gx = (int) u + k;
                        int gy = (int) v + j;
                        int id = Math.floorMod(gy, cells) * cells + Math.floorMod(gx, cells);
                        double dx = px[id] + gx - Math.floorMod(gx, cells) - u;
                        double dy = py[id] + gy - Math.floorMod(gy, cells) - v;
                        double d = Math.sqrt(dx * dx + dy * dy);
                        if (d < first) {
                            second = first;
                            first = d;
                            best = id;
                        } else if (d < second) {
                            second = d;
                        }
                    }
                }
                int i = y * SIZE + x;
                c.set(i, colour[best], 0.75f + 0.5f * n[i]);
                c.mix(i, joint, (float) Math.max(0, Math.min(1, 1.6 - (second - first) * 14)));
            }
        }
        c.blur(true);
        return c.texture("stone", true, true);
    }

    static Texture panels(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        int tiles = 2 << random.nextInt(2);
        float[] base = hsv(hue, 0.05 + 0.35 * random.nextDouble(), 0.5 + 0.4 * random.nextDouble());
        float[] gap = hsv(hue, 0.2, 0.2 + 0.2 * random.nextDouble());
        float[] n = noise(random, SIZE, SIZE, 5, 5, 5);
        float[] tint = new float[tiles * tiles];
        for (int i = 0; i < tint.length; i++) {
            tint[i] = 0.82f + 0.3f * ((float) random.nextDouble());
        }
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                int i = y * SIZE + x;
                double u = (double) x * tiles / SIZE;
                double v = (double) y * tiles / SIZE;
                double fu = u - (int) u;
                double fv = v - (int) v;
                double edge = Math.min(Math.min(fu, 1 - fu), Math.min(fv, 1 - fv)) * SIZE / tiles;
                int tile = ((int) v) * tiles + ((int) u);
                c.set(i, base, tint[tile] * (0.8f + 0.4f * n[i]));
                c.mix(i, gap, (float) Math.max(0, Math.min(1, 1.8 - edge)));
            }
        }
        c.blur(true);
        return c.texture("panels", true, true);
    }

    static Texture carpet(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        float[] a = hsv(hue, 0.4 + 0.4 * random.nextDouble(), 0.35 + 0.35 * random.nextDouble());
        float[] b = hsv(hue + 0.08, 0.3, 0.7);
        float[] n = noise(random, SIZE, SIZE, 32, 32, 2);
        float[] m = noise(random, SIZE, SIZE, 4, 4, 3);
        for (int i = 0; i < n.length; i++) {
            c.set(i, a, 0.6f + 0.7f * n[i]);
            c.mix(i, b, Math.max(0, Math.min(0.7f, (m[i] - 0.5f) * 4)));
        }
        c.blur(true);
        return c.texture("carpet", true, true);
    }

    static Texture grass(SplittableRandom random) {
        Canvas c = new Canvas(SIZE, SIZE);
        float[] a = hsv(0.22 + 0.1 * random.nextDouble(), 0.5, 0.5);
        float[] b = hsv(0.11 + 0.06 * random.nextDouble(), 0.5, 0.45);
        float[] n = noise(random, SIZE, SIZE, 20, 20, 3);
        float[] m = noise(random, SIZE, SIZE, 3, 3, 4);
        for (int i = 0; i < n.length; i++) {
            c.set(i, a, 0.5f + 0.9f * n[i]);
            c.mix(i, b, Math.max(0, Math.min(0.9f, (m[i] - 0.48f) * 5)));
        }
        c.blur(true);
        return c.texture("grass", true, true);
    }

    static Texture marble(SplittableRandom random, double hue) {
        Canvas c = new Canvas(SIZE, SIZE);
        float[] a = hsv(hue, 0.1 + 0.3 * random.nextDouble(), 0.8);
        float[] b = hsv(hue + 0.1, 0.4 * random.nextDouble(), 0.25 + 0.2 * random.nextDouble());
        float[] n = noise(random, SIZE, SIZE, 3, 3, 5);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                int i = y * SIZE + x;
                double wave = Math.sin(2 * Math.PI * (2.0 * x / SIZE + y / (double) SIZE + 2.5 * n[i]));
                c.set(i, a, 0.85f + 0.3f * n[i]);
                c.mix(i, b, (float) Math.pow(0.5 + 0.5 * wave, 5));
            }
        }
        c.blur(true);
        return c.texture("marble", true, true);
    }

    static Texture crate(SplittableRandom random) {
        Canvas c = new Canvas(64, 64);
        double hue = 0.05 + 0.08 * random.nextDouble();
        float[] a = hsv(hue, 0.5, 0.6 + 0.2 * random.nextDouble());
        float[] frame = hsv(hue, 0.55, 0.4 + 0.15 * random.nextDouble());
        float[] dark = hsv(hue, 0.6, 0.2);
        float[] n = noise(random, 64, 64, 16, 2, 3);
        for (int y = 0; y < 64; y++) {
            for (int x = 0; x < 64; x++) {
                int i = y * 64 + x;
                int border = Math.min(Math.min(x, 63 - x), Math.min(y, 63 - y));
                boolean rim = border < 8 || Math.abs(x - y) < 5;
                c.set(i, rim ? frame : a, 0.75f + 0.5f * n[i]);
                if (border == 8 || border == 0 || Math.abs(Math.abs(x - y) - 5) == 0) {
                    c.mix(i, dark, 0.8f);
                }
            }
        }
        c.blur(true);
        return c.texture("crate", true, true);
    }

    /** A framed abstract painting that does not repeat; a landmark. */
    static Texture painting(SplittableRandom random, int width, int height) {
        Canvas c = new Canvas(width, height);
        double hue = random.nextDouble();
        float[] sky = hsv(hue, 0.3 + 0.5 * random.nextDouble(), 0.6 + 0.4 * random.nextDouble());
        float[] ground = hsv(
                hue + 0.2 + 0.5 * random.nextDouble(),
                0.3 + 0.5 * random.nextDouble(),
                0.3 + 0.5 * random.nextDouble());
        double horizon = 0.3 + 0.5 * random.nextDouble();
        float[] n = noise(random, width, height, 4, 4, 4);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int i = y * width + x;
                double level = (double) y / height + 0.35 * (n[i] - 0.5);
                c.set(i, sky, 0.7f + 0.5f * n[i]);
                c.mix(i, ground, (float) Math.max(0, Math.min(1, (level - horizon) * 12)));
            }
        }
        int shapes = 2 + random.nextInt(5);
        for (int s = 0; s < shapes; s++) {
            float[] colour = hsv(random.nextDouble(), 0.4 + 0.6 * random.nextDouble(), 0.4 + 0.6 * random.nextDouble());
            double x0 = random.nextDouble() * width;
            double y0 = random.nextDouble() * height;
            double r = (0.08 + 0.2 * random.nextDouble()) * Math.min(width, height);
            double aspect = 0.4 + 1.2 * random.nextDouble();
            boolean box = random.nextBoolean();
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    double dx = Math.abs(x - x0);
                    double dy = Math.abs(y - y0) * aspect;
                    double d = box ? Math.max(dx, dy) : Math.hypot(dx, dy);
                    c.mix(y * width + x, colour, (float) Math.max(0, Math.min(0.95, (r - d) / 2)));
                }
            }
        }
        float[] frame =
                hsv(0.08 + 0.05 * random.nextDouble(), 0.6 * random.nextDouble(), 0.15 + 0.6 * random.nextDouble());
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int border = Math.min(Math.min(x, width - 1 - x), Math.min(y, height - 1 - y));
                if (border < 4) {
                    c.set(y * width + x, frame, border == 3 ? 0.5f : 1);
                }
            }
        }
        c.blur(false);
        return c.texture("painting", false, false);
    }

    /** A sky with clouds that goes round; the horizon lies at row 100 of 128. */
    static Texture sky(SplittableRandom random) {
        int width = 256;
        int height = 128;
        Canvas c = new Canvas(width, height);
        boolean evening = random.nextInt(3) == 0;
        float[] zenith = evening ? hsv(0.68, 0.5, 0.4) : hsv(0.58 + 0.05 * random.nextDouble(), 0.6, 0.75);
        float[] low = evening ? hsv(0.06, 0.5, 0.95) : hsv(0.57, 0.2, 0.95);
        float[] cloud = evening ? hsv(0.03, 0.3, 0.9) : hsv(0.6, 0.03, 0.97);
        double cover = 0.45 + 0.15 * random.nextDouble();
        float[] n = noise(random, width, height, 4, 5, 5);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int i = y * width + x;
                c.set(i, zenith, 1);
                c.mix(i, low, (float) Math.pow(Math.min(1, y / 100.0), 1.6));
                c.mix(i, cloud, (float) Math.max(0, Math.min(0.9, (n[i] - cover) * 6)));
            }
        }
        c.blur(false);
        return c.texture("sky", true, false);
    }
}
