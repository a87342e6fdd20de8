package io.teleworld;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RgbImageTest {

    @TempDir
    private Path folder = Path.of(".");

    private void refused(Path file, String... words) {
        assertThatThrownBy(() -> RgbImage.read(file)).isInstanceOfSatisfying(TeleWorldException.class, e -> {
            assertThat(e.category()).isEqualTo(TeleWorldException.Category.USER);
            assertThat(e.getMessage())
                    .contains(file.toString())
                    .doesNotContain("\n")
                    .contains(words);
        });
    }

    @Test
    void aFileThatIsMissingAFolderOrNoPictureIsRefusedInOneLine() throws IOException {
        refused(folder.resolve("none.png"), "no such file");
        refused(folder, "not a regular file");
        Path text = Files.write(folder.resolve("text.png"), "hello, world".getBytes(StandardCharsets.UTF_8));
        refused(text, "not a picture");
        Path empty = Files.write(folder.resolve("empty.png"), new byte[0]);
        refused(empty, "not a picture");
    }

    @Test
    void aCutPictureIsRefused() throws IOException {
        Path whole = folder.resolve("whole.png");
        noise(64, 64).writePng(whole);
        byte[] bytes = Files.readAllBytes(whole);
        Path cut = Files.write(folder.resolve("cut.png"), java.util.Arrays.copyOf(bytes, bytes.length / 2));
        refused(cut, "damaged");
    }

    @Test
    void aPictureOfOnePixelIsRefused() {
        Path tiny = folder.resolve("tiny.png");
        new RgbImage(1, 1, new byte[3]).writePng(tiny);
        refused(tiny, "1×1", "16");
    }

    @Test
    void aHugePictureIsRefusedFromItsHeader() throws IOException {
        // Only a header: decoding it would fail, so the message shows that nothing was decoded.
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        DataOutputStream d = new DataOutputStream(header);
        d.writeBytes("IHDR");
        d.writeInt(20000);
        d.writeInt(20000);
        d.write(new byte[] {8, 2, 0, 0, 0});
        CRC32 crc = new CRC32();
        crc.update(header.toByteArray());
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        DataOutputStream p = new DataOutputStream(png);
        p.write(new byte[] {(byte) 0x89, 'P', 'N', 'G', 13, 10, 26, 10});
        p.writeInt(13);
        p.write(header.toByteArray());
        p.writeInt((int) crc.getValue());
        Path huge = Files.write(folder.resolve("huge.png"), png.toByteArray());
        refused(huge, "20000×20000", "40 million");
    }

    @Test
    void aCmykPictureIsRefusedByName() throws IOException {
        Path cmyk = folder.resolve("cmyk.jpg");
        ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
        var raster = java.awt.image.Raster.createInterleavedRaster(
                java.awt.image.DataBuffer.TYPE_BYTE, 32, 32, 4, new java.awt.Point());
        try (var out = ImageIO.createImageOutputStream(cmyk.toFile())) {
            writer.setOutput(out);
            writer.write(null, new IIOImage(raster, null, null), null);
        } finally {
            writer.dispose();
        }
        refused(cmyk, "CMYK");
    }

    @Test
    void transparencyIsCompositedOnBlackAndGreyIsWidened() throws IOException {
        BufferedImage alpha = new BufferedImage(16, 16, BufferedImage.TYPE_INT_ARGB);
        alpha.setRGB(3, 2, 0x80ff4000);
        alpha.setRGB(4, 2, 0xff102030);
        Path file = folder.resolve("alpha.png");
        ImageIO.write(alpha, "png", file.toFile());
        RgbImage read = RgbImage.read(file);
        assertThat(read.pixel(3, 2)).isEqualTo(0x802000);
        assertThat(read.pixel(4, 2)).isEqualTo(0x102030);
        assertThat(read.pixel(0, 0)).isEqualTo(0);

        BufferedImage grey = ImageTypeSpecifier.createFromBufferedImageType(BufferedImage.TYPE_BYTE_GRAY)
                .createBufferedImage(16, 16);
        grey.getRaster().setSample(5, 6, 0, 200);
        Path greyFile = folder.resolve("grey.png");
        ImageIO.write(grey, "png", greyFile.toFile());
        int p = RgbImage.read(greyFile).pixel(5, 6);
        assertThat(p >> 16).isEqualTo(p & 0xff).isEqualTo(p >> 8 & 0xff).isGreaterThan(100);
    }

    @Test
    void pngKeepsEveryPixel() {
        RgbImage image = noise(37, 21);
        Path file = folder.resolve("a.png");
        image.writePng(file);
        assertThat(RgbImage.read(file)).isEqualTo(image);
    }

    @Test
    void fittingCutsTheCentreAndAveragesAreas() {
        // A 4×2 picture to 1×1: the middle 2×2 pixels are averaged.
        byte[] rgb = new byte[3 * 4 * 2];
        int[] red = {255, 10, 20, 255, 255, 30, 40, 255};
        for (int i = 0; i < 8; i++) {
            rgb[3 * i] = (byte) red[i];
        }
        assertThat(new RgbImage(4, 2, rgb).fit(1, 1).pixel(0, 0)).isEqualTo(25 << 16);
        RgbImage flat = flat(50, 31, 0x123456);
        assertThat(flat.fit(17, 13)).isEqualTo(flat(17, 13, 0x123456));
        assertThat(flat.fit(176, 96)).isEqualTo(flat(176, 96, 0x123456));
        assertThatIllegalArgumentException().isThrownBy(() -> flat.fit(0, 3)).withMessageContaining("0×3");
    }

    @Test
    void theArrayMustFitTheSize() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new RgbImage(2, 2, new byte[11]))
                .withMessageContaining("11")
                .withMessageContaining("12");
    }

    private static RgbImage flat(int w, int h, int colour) {
        byte[] rgb = new byte[3 * w * h];
        for (int i = 0; i < w * h; i++) {
            rgb[3 * i] = (byte) (colour >> 16);
            rgb[3 * i + 1] = (byte) (colour >> 8);
            rgb[3 * i + 2] = (byte) colour;
        }
        return new RgbImage(w, h, rgb);
    }

    private static RgbImage noise(int w, int h) {
        byte[] rgb = new byte[3 * w * h];
        new java.util.Random(1).nextBytes(rgb);
        return new RgbImage(w, h, rgb);
    }
}
