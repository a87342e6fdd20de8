package io.teleworld.training.data;

import io.teleworld.error.ModelFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Mean and deviation of each latent channel, with which latents are normalised. Immutable.
 *
 * @param mean per channel
 * @param std per channel, positive
 */
public record LatentStatistics(List<Double> mean, List<Double> std) {

    /** The file beside a cache. */
    public static final String FILE = "statistics.json";

    private static final int SAMPLE = 400;
    private static final double LEAST = 1e-4;

    public LatentStatistics {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
        if (mean.size() != std.size() || std.stream().anyMatch(s -> !(s > 0))) {
            throw new IllegalArgumentException(
                    "means are " + mean + ", deviations " + std + "; as many of both are needed, deviations positive");
        }
    }

    /**
     * Measures the target latents of up to 400 segments that are spread evenly over a cache.
     *
     * @throws IllegalArgumentException if the cache is empty
     */
    public static LatentStatistics of(LatentCache cache) {
        LatentCache.Header h = cache.header();
        if (h.segments() == 0) {
            throw new IllegalArgumentException("a latent cache without segments has no statistics");
        }
        int area = h.height() * h.width();
        LatentCache.Segment segment = LatentCache.Segment.of(h);
        float[] target = segment.target();
        double[] sum = new double[h.channels()];
        double[] squares = new double[h.channels()];
        int count = Math.min(SAMPLE, h.segments());
        for (int i = 0; i < count; i++) {
            cache.read((int) ((long) i * h.segments() / count), segment);
            for (int k = 0; k < target.length; k++) {
                int c = k / area % h.channels();
                sum[c] += target[k];
                squares[c] += (double) target[k] * target[k];
            }
        }
        double n = (double) count * h.frames() * area;
        List<Double> mean = new ArrayList<>();
        List<Double> std = new ArrayList<>();
        for (int c = 0; c < h.channels(); c++) {
            double m = sum[c] / n;
            mean.add(m);
            std.add(Math.max(LEAST, Math.sqrt(Math.max(0, squares[c] / n - m * m))));
        }
        return new LatentStatistics(mean, std);
    }

    /** Writes {@value #FILE} into a folder. */
    public void write(Path folder) throws IOException {
        Files.write(folder.resolve(FILE), new JsonMapper().writeValueAsBytes(this));
    }

    /**
     * Reads {@value #FILE} of a folder.
     *
     * @throws ModelFormatException if it is missing or damaged
     */
    public static LatentStatistics read(Path folder) {
        Path file = folder.resolve(FILE);
        try {
            return new JsonMapper().readValue(Files.readAllBytes(file), LatentStatistics.class);
        } catch (IOException | JacksonException e) {
            throw new ModelFormatException(file.toString(), "is not a file of latent statistics: " + e.getMessage(), e);
        }
    }

    /** The means as an array. */
    public float[] means() {
        return floats(mean);
    }

    /** The deviations as an array. */
    public float[] deviations() {
        return floats(std);
    }

    private static float[] floats(List<Double> values) {
        float[] out = new float[values.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = values.get(i).floatValue();
        }
        return out;
    }
}
