package io.teleworld.examples;

import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.core.evaluate.FrameQuality;
import io.teleworld.core.evaluate.ImageMetrics;
import java.util.List;
import java.util.Map;

/** Agreement of a session's frames with the truth, at the truth's size. Stateless and thread-safe. */
final class Scores {

    /** Frames that are averaged: those of one latent frame. */
    static final int FRAMES = 4;

    private Scores() {}

    /** A picture at a size. */
    static RgbImage at(RgbImage image, RgbImage like) {
        return image.fit(like.width(), like.height());
    }

    static double psnr(RgbImage image, RgbImage truth) {
        return Math.min(Evaluation.MAX_PSNR, ImageMetrics.psnr(at(image, truth), truth));
    }

    /** Puts PSNR and SSIM of the last four frames up to one, under names with this ending. */
    static void put(Map<String, Object> measures, String ending, List<WorldFrame> video, HeldOutCase one, int last) {
        double psnr = 0;
        double ssim = 0;
        int count = 0;
        for (int f = Math.max(0, last - FRAMES + 1); f <= last; f++) {
            RgbImage truth = one.truth(f);
            RgbImage image = at(video.get(f).image(), truth);
            psnr += psnr(image, truth);
            ssim += ImageMetrics.ssim(image, truth);
            count++;
        }
        measures.put("psnr" + ending, psnr / count);
        measures.put("ssim" + ending, ssim / count);
    }

    /** Mean sharpness of some frames over that of the truth: 1 is as sharp as the truth, 0 flat. */
    static double sharpnessRatio(List<WorldFrame> video, HeldOutCase one, int from, int to) {
        double own = 0;
        double its = 0;
        for (int f = from; f <= to; f++) {
            RgbImage truth = one.truth(f);
            own += FrameQuality.of(at(video.get(f).image(), truth)).sharpness();
            its += FrameQuality.of(truth).sharpness();
        }
        return its == 0 ? Double.NaN : own / its;
    }
}
