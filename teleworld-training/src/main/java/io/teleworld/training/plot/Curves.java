package io.teleworld.training.plot;

import io.teleworld.training.optim.LossHistory;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws series over steps into a PNG file. Stateless. */
public final class Curves {

    private static final int WIDTH = 900;
    private static final int HEIGHT = 500;
    private static final int MOST_POINTS = 500;

    private Curves() {}

    /**
     * Draws every series of a history as a line; long ones are averaged down to 500 points. Values that are not finite,
     * and on a logarithmic axis those that are not positive, are left out.
     *
     * @param logarithmic whether the value axis is
     */
    public static void write(Path file, String title, LossHistory history, boolean logarithmic) throws IOException {
        XYChart chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .xAxisTitle("step")
                .yAxisTitle("value")
                .build();
        chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Line);
        chart.getStyler().setYAxisLogarithmic(logarithmic);
        boolean any = false;
        for (String name : history.names()) {
            any |= addSeries(chart, name, history.points(name), logarithmic);
        }
        Path folder = file.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        if (any) {
            BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
            Graphics2D g = image.createGraphics();
            try {
                chart.paint(g, WIDTH, HEIGHT);
            } finally {
                g.dispose();
            }
            if (!ImageIO.write(image, "png", file.toFile())) {
                throw new IOException("no PNG writer on this Java runtime");
            }
        }
    }

    private static boolean addSeries(XYChart chart, String name, List<LossHistory.Point> all, boolean logarithmic) {
        List<LossHistory.Point> points = all.stream()
                .filter(p -> Double.isFinite(p.value()) && (!logarithmic || p.value() > 0))
                .toList();
        if (points.isEmpty()) {
            return false;
        }
        int run = (points.size() + MOST_POINTS - 1) / MOST_POINTS;
        List<Double> x = new ArrayList<>();
        List<Double> y = new ArrayList<>();
        for (int i = 0; i < points.size(); i += run) {
            List<LossHistory.Point> part = points.subList(i, Math.min(points.size(), i + run));
            x.add(part.stream().mapToLong(LossHistory.Point::step).average().orElseThrow());
            y.add(part.stream().mapToDouble(LossHistory.Point::value).average().orElseThrow());
        }
        chart.addSeries(name, x, y).setMarker(SeriesMarkers.NONE);
        return true;
    }
}
