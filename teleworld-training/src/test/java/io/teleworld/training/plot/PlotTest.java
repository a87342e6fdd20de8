package io.teleworld.training.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.training.optim.LossHistory;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlotTest {

    @TempDir
    Path folder;

    @Test
    void drawsCurves() throws IOException {
        LossHistory h = new LossHistory();
        for (int i = 0; i < 2000; i++) {
            h.add("loss", i, 1.0 / (1 + i));
            h.add("bad", i, i % 2 == 0 ? Double.NaN : -1);
        }
        Path file = folder.resolve("a/loss.png");
        Curves.write(file, "run", h, true);
        BufferedImage image = ImageIO.read(file.toFile());
        assertThat(image.getWidth()).isEqualTo(900);
        int first = image.getRGB(450, 250);
        boolean varied = false;
        for (int x = 0; x < 900; x++) {
            varied |= image.getRGB(x, 250) != first;
        }
        assertThat(varied).as("something is drawn").isTrue();
        assertThat(h.recentMean("loss", 2)).isBetween(1.0 / 2001, 1.0 / 1998);
        assertThat(h.recentMean("nothing", 2)).isNaN();
    }

    @Test
    void tilesPictures() throws IOException {
        int w = 20;
        int h = 10;
        byte[] red = new byte[3 * w * h];
        for (int i = 0; i < w * h; i++) {
            red[3 * i] = (byte) 255;
        }
        float[] blue = new float[3 * w * h];
        java.util.Arrays.fill(blue, -1);
        java.util.Arrays.fill(blue, 2 * w * h, 3 * w * h, 3);
        SampleSheet sheet = new SampleSheet(w, h).row("truth").rgb(red).planes(blue, 0, w * h);
        sheet.row("depth").grey(new float[w * h], 0, -1, 1);
        sheet.write(folder.resolve("sheet.png"));
        BufferedImage image = ImageIO.read(folder.resolve("sheet.png").toFile());
        assertThat(image.getRGB(5, 14 + 5)).isEqualTo(0xffff0000);
        assertThat(image.getRGB(22 + 5, 14 + 5)).isEqualTo(0xff0000ff);
        assertThat(image.getRGB(5, 26 + 14 + 5)).isEqualTo(0xff808080);
        assertThatThrownBy(() -> sheet.rgb(new byte[3]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("20×10");
    }
}
