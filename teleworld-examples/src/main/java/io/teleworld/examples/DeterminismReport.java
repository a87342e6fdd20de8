package io.teleworld.examples;

import io.teleworld.KeyScript;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.error.TeleWorldException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Whether the same seed gives the same frames, in one process and after reopening the model, and another seed others. */
@Command(name = "determinism", description = "Hashes of the frames of equal and of different seeds.")
final class DeterminismReport extends Evaluation {

    @Option(names = "--frames", paramLabel = "N", description = "Frames of each session; 73 by default.")
    int frames = 73;

    @Override
    void measure(Report report) {
        int n = atLeastOne("--frames", frames);
        List<List<String>> rows = new ArrayList<>();
        Map<String, String> hashes = new LinkedHashMap<>();
        try (WorldModel opened = open(report)) {
            hashes.put("seed " + seed, hash(opened, seed, n));
            hashes.put("seed " + seed + ", again", hash(opened, seed, n));
            hashes.put("seed " + (seed + 1), hash(opened, seed + 1, n));
        }
        try (WorldModel reopened = open(report)) {
            hashes.put("seed " + seed + ", model reopened", hash(reopened, seed, n));
        }
        hashes.forEach((k, v) -> rows.add(List.of(k, v)));
        report.line("SHA-256 of %d frames, %d threads", n, model.effectiveThreads());
        report.table(List.of("session", "hash"), rows);
        String first = hashes.values().iterator().next();
        boolean same = first.equals(hashes.get("seed " + seed + ", again"))
                && first.equals(hashes.get("seed " + seed + ", model reopened"));
        boolean other = !first.equals(hashes.get("seed " + (seed + 1)));
        report.line(
                "same seed, same frames: %s; different seed, different frames: %s",
                Report.yesNo(same), Report.yesNo(other));
        report.put("frames", n);
        report.put("threads", model.effectiveThreads());
        report.put("hashes", hashes);
        report.put("sameSeedSameFrames", same);
        report.put("otherSeedOtherFrames", other);
    }

    private static String hash(WorldModel model, long seed, int frames) {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new TeleWorldException(TeleWorldException.Category.INTERNAL, "SHA-256 is missing", e);
        }
        RgbImage picture = Walk.shippedPicture();
        WorldStart start = WorldStart.image(picture).seed(seed).script(KeyScript.parse(Walk.DEFAULT_KEYS));
        for (WorldFrame frame : Play.frames(model, start, frames)) {
            digest.update(frame.image().rgb());
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
