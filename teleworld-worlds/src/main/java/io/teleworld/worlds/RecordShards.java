package io.teleworld.worlds;

import io.teleworld.error.TeleWorldException;
import io.teleworld.geometry.Intrinsics;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * The program that records shards of random camera paths.
 *
 * <pre>
 * --out DIR           where to write (required)
 * --clips N           clips to record (default 64)
 * --frames T          frames per clip (default 73)
 * --size HxW          frame size (default 96x176)
 * --fov DEGREES       horizontal field of view (default 75)
 * --worlds LIST       freedoom, rooms or both (default freedoom,rooms)
 * --split train|heldout
 * --seed S            (default 1)
 * --threads N         (default 2)
 * --wad-dir DIR       where the WADs are
 * --per-shard N       clips per file (default 64)
 * --zlib              compress pictures
 * </pre>
 *
 * The same arguments give the same bytes, whatever the number of threads.
 */
public final class RecordShards {

    private static final Set<String> OPTIONS = Set.of(
            "out",
            "clips",
            "frames",
            "size",
            "fov",
            "worlds",
            "split",
            "seed",
            "threads",
            "wad-dir",
            "per-shard",
            "zlib");

    private RecordShards() {}

    /** Runs the program; exits with 2 on bad arguments and 1 on failure. */
    public static void main(String[] args) {
        int code = run(args, System.err);
        if (code != 0) {
            System.exit(code);
        }
    }

    /** Runs the program and returns its exit code; messages go to {@code messages}. */
    static int run(String[] args, PrintStream messages) {
        try {
            record(parse(args), messages);
            return 0;
        } catch (IllegalArgumentException e) {
            messages.println("record-shards: " + e.getMessage());
            return 2;
        } catch (TeleWorldException | IllegalStateException e) {
            messages.println("record-shards: " + e.getMessage());
            return 1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            messages.println("record-shards: interrupted");
            return 130;
        }
    }

    private static Map<String, String> parse(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < args.length; i++) {
            String name = args[i].startsWith("--") ? args[i].substring(2) : "";
            if (!OPTIONS.contains(name)) {
                throw new IllegalArgumentException("unknown argument " + args[i] + "; known are "
                        + OPTIONS.stream().sorted().map(o -> "--" + o).toList());
            }
            if (name.equals("zlib")) {
                options.put(name, "true");
                continue;
            }
            if (i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + " wants a value");
            }
            options.put(name, args[++i]);
        }
        return options;
    }

    private static String option(Map<String, String> options, String name, String otherwise) {
        return options.getOrDefault(name, otherwise);
    }

    private static long number(Map<String, String> options, String name, long otherwise, long least) {
        @Nullable String text = options.get(name);
        if (text == null) {
            return otherwise;
        }
        try {
            long v = Long.parseLong(text);
            if (v >= least) {
                return v;
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("--" + name + " is " + text + "; it must be a whole number", e);
        }
        throw new IllegalArgumentException("--" + name + " is " + text + "; it must be at least " + least);
    }

    private static void record(Map<String, String> options, PrintStream messages) throws InterruptedException {
        if (!options.containsKey("out")) {
            throw new IllegalArgumentException("--out DIR is missing");
        }
        Path out = Path.of(option(options, "out", ""));
        int clips = (int) number(options, "clips", 64, 1);
        int frames = (int) number(options, "frames", 73, 1);
        int threads = (int) number(options, "threads", 2, 1);
        int perShard = (int) number(options, "per-shard", 64, 1);
        long seed = number(options, "seed", 1, Long.MIN_VALUE);
        String size = option(options, "size", "96x176");
        if (!size.matches("\\d{1,4}x\\d{1,4}")) {
            throw new IllegalArgumentException("--size is " + size + "; it must look like 96x176 (height x width)");
        }
        List<Integer> sides =
                Arrays.stream(size.split("x", -1)).map(Integer::parseInt).toList();
        double fov = number(options, "fov", 75, 1);
        Intrinsics k = Intrinsics.ofHorizontalFieldOfView(sides.get(1), sides.get(0), Math.toRadians(fov));
        List<String> worlds =
                List.of(option(options, "worlds", "freedoom,rooms").split(",", -1));
        for (String w : worlds) {
            if (!w.equals("freedoom") && !w.equals("rooms")) {
                throw new IllegalArgumentException("--worlds names " + w + "; freedoom and rooms are allowed");
            }
        }
        String splitName = option(options, "split", "train");
        if (!splitName.equals("train") && !splitName.equals("heldout")) {
            throw new IllegalArgumentException("--split is " + splitName + "; train and heldout are allowed");
        }
        MapSplit split = splitName.equals("train") ? MapSplit.TRAIN : MapSplit.HELD_OUT;
        String wads = options.get("wad-dir");
        Freedoom freedoom = worlds.contains("freedoom") ? Freedoom.locate(wads == null ? null : Path.of(wads)) : null;
        double roomShare = freedoom == null ? 1 : worlds.contains("rooms") ? 0.4 : 0;
        WorldPool pool = new WorldPool(freedoom, roomShare, split);
        ClipSource source = new ClipSource(pool, k, frames, seed, 2);
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try (ShardWriter writer = new ShardWriter(out, splitName, perShard, options.containsKey("zlib"))) {
            ArrayDeque<ClipSource.Worker> idle = new ArrayDeque<>();
            for (int i = 0; i < threads; i++) {
                idle.add(source.worker());
            }
            ArrayDeque<Future<Clip>> pending = new ArrayDeque<>();
            int submitted = 0;
            for (int done = 0; done < clips; done++) {
                while (submitted < clips && pending.size() < 2 * threads) {
                    long index = submitted++;
                    pending.add(executor.submit(() -> {
                        ClipSource.Worker worker;
                        synchronized (idle) {
                            worker = idle.remove();
                        }
                        try {
                            return worker.clip(index);
                        } finally {
                            synchronized (idle) {
                                idle.add(worker);
                            }
                        }
                    }));
                }
                Clip clip = pending.remove().get();
                World world = pool.world(clip.world());
                writer.write(clip, world.unitsPerMetre(), world.instances());
                if ((done + 1) % 16 == 0 || done + 1 == clips) {
                    messages.println(String.format(
                            Locale.ROOT, "%d of %d clips (%d frames)", done + 1, clips, (done + 1) * frames));
                }
            }
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            if (cause instanceof TeleWorldException failure) {
                throw failure;
            }
            throw new IllegalStateException("recording failed: " + cause, cause);
        } finally {
            executor.shutdownNow();
        }
    }
}
