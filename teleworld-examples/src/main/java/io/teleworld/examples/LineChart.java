package io.teleworld.examples;

import io.teleworld.RgbImage;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.Arrays;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Curves over time as a PNG file, without a display. Confined to one thread. */
final class LineChart {

    private static final int WIDTH = 900;
    private static final int HEIGHT = 500;

    private final XYChart chart;
    private boolean empty = true;

    LineChart(String title, String horizontal, String vertical) {
        this.chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .xAxisTitle(horizontal)
                .yAxisTitle(vertical)
                .build();
    }

    /** Adds values at 0.5, 1.5, … that are means over one unit each; an empty series is left out. */
    void add(String name, double[] values) {
        if (values.length == 0 || Arrays.stream(values).noneMatch(Double::isFinite)) {
            return;
        }
        double[] x = new double[values.length];
        for (int i = 0; i < x.length; i++) {
            x[i] = i + 0.5;
        }
        chart.addSeries(name, x, values).setMarker(SeriesMarkers.NONE);
        empty = false;
    }

    /** Writes the chart; without a series there is nothing to write. */
    void write(Path file) {
        if (empty) {
            return;
        }
        BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
        Graphics2D g = image.createGraphics();
        try {
            chart.paint(g, WIDTH, HEIGHT);
        } finally {
            g.dispose();
        }
        RgbImage.of(image).writePng(file);
    }
}
