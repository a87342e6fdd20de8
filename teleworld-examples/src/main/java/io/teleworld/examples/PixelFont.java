package io.teleworld.examples;

import io.teleworld.RgbImage;
import java.util.Locale;
import java.util.Map;

/**
 * Capitals, digits and a few signs of 3×5 dots, drawn twice as large: labels without the system's fonts, which a bare
 * machine may lack. Stateless and thread-safe.
 */
final class PixelFont {

    /** Pixels from one character to the next. */
    static final int ADVANCE = 8;
    /** Pixels from top to bottom. */
    static final int HEIGHT = 10;

    private static final int SIZE = 2;

    /** Rows from the top, three bits each, in octal. */
    private static final Map<Character, Integer> GLYPHS = Map.ofEntries(
            Map.entry('0', 075557),
            Map.entry('1', 026227),
            Map.entry('2', 071747),
            Map.entry('3', 071717),
            Map.entry('4', 055711),
            Map.entry('5', 074717),
            Map.entry('6', 074757),
            Map.entry('7', 071111),
            Map.entry('8', 075757),
            Map.entry('9', 075717),
            Map.entry('A', 025755),
            Map.entry('B', 065656),
            Map.entry('C', 034443),
            Map.entry('D', 065556),
            Map.entry('E', 074647),
            Map.entry('F', 074644),
            Map.entry('G', 034553),
            Map.entry('H', 055755),
            Map.entry('I', 072227),
            Map.entry('J', 011152),
            Map.entry('K', 055655),
            Map.entry('L', 044447),
            Map.entry('M', 057755),
            Map.entry('N', 065555),
            Map.entry('O', 025552),
            Map.entry('P', 065644),
            Map.entry('Q', 025563),
            Map.entry('R', 065655),
            Map.entry('S', 034216),
            Map.entry('T', 072222),
            Map.entry('U', 055557),
            Map.entry('V', 055552),
            Map.entry('W', 055775),
            Map.entry('X', 055255),
            Map.entry('Y', 055222),
            Map.entry('Z', 071247),
            Map.entry('.', 000002),
            Map.entry('+', 002720),
            Map.entry('-', 000700));

    private PixelFont() {}

    /**
     * Writes a line into a picture's bytes; what does not fit is cut off, and what the font lacks stays blank.
     *
     * @param rgb bytes of a picture as in {@link RgbImage}
     * @param width of the picture in pixels
     * @param left edge of the first character
     * @param top edge of the line; the line must lie inside the picture
     * @param rightEnd column that is not written any more
     */
    static void draw(byte[] rgb, int width, String text, int left, int top, int rightEnd) {
        String capitals = text.toUpperCase(Locale.ROOT);
        for (int i = 0; i < capitals.length(); i++) {
            int glyph = GLYPHS.getOrDefault(capitals.charAt(i), 0);
            for (int dot = 0; dot < 15; dot++) {
                if ((glyph >> (14 - dot) & 1) != 0) {
                    square(rgb, width, left + i * ADVANCE + SIZE * (dot % 3), top + SIZE * (dot / 3), rightEnd);
                }
            }
        }
    }

    private static void square(byte[] rgb, int width, int x, int y, int rightEnd) {
        for (int dy = 0; dy < SIZE; dy++) {
            for (int dx = 0; dx < SIZE && x + dx < rightEnd; dx++) {
                int i = 3 * ((y + dy) * width + x + dx);
                rgb[i] = (byte) 0xff;
                rgb[i + 1] = (byte) 0xff;
                rgb[i + 2] = (byte) 0xff;
            }
        }
    }
}
