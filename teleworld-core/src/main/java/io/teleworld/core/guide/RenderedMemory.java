package io.teleworld.core.guide;

import io.teleworld.GuidanceFrame;
import io.teleworld.MemoryView;
import io.teleworld.RgbImage;
import io.teleworld.core.memory.GuidanceView;
import io.teleworld.core.memory.MemoryRenderer;
import io.teleworld.core.memory.MemorySnapshot;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** A version of the 4D memory that renders itself (paper §3.4.2). Thread-safe. */
public final class RenderedMemory implements MemoryView {

    /** Renderers and views, which hold scratch memory, for reuse. Thread-safe. */
    public static final class Renderers {

        private final Intrinsics camera;
        private final ArrayDeque<Pair> idle = new ArrayDeque<>();

        private record Pair(MemoryRenderer renderer, GuidanceView view) {}

        /** Renderers for one camera. */
        public Renderers(Intrinsics camera) {
            this.camera = camera;
        }

        private Pair take() {
            synchronized (idle) {
                Pair pair = idle.poll();
                if (pair != null) {
                    return pair;
                }
            }
            return new Pair(new MemoryRenderer(), new GuidanceView(camera.width(), camera.height()));
        }

        private void giveBack(Pair pair) {
            synchronized (idle) {
                idle.push(pair);
            }
        }
    }

    private final MemorySnapshot snapshot;
    private final Renderers renderers;

    /** A view of one version. */
    public RenderedMemory(MemorySnapshot snapshot, Renderers renderers) {
        this.snapshot = snapshot;
        this.renderers = renderers;
    }

    /** The version that is rendered. */
    public MemorySnapshot snapshot() {
        return snapshot;
    }

    @Override
    public long pointCount() {
        return (long) snapshot.cellCount() + snapshot.dynamicPoints();
    }

    @Override
    public List<GuidanceFrame> render(List<Pose> poses, List<Double> times) {
        if (poses.size() != times.size()) {
            throw new IllegalArgumentException(
                    "there are " + poses.size() + " poses and " + times.size() + " times; as many are needed");
        }
        Renderers.Pair pair = renderers.take();
        try {
            List<GuidanceFrame> frames = new ArrayList<>(poses.size());
            for (int i = 0; i < poses.size(); i++) {
                pair.renderer().render(snapshot, poses.get(i), renderers.camera, times.get(i), pair.view());
                frames.add(copy(pair.view()));
            }
            return frames;
        } finally {
            renderers.giveBack(pair);
        }
    }

    private static GuidanceFrame copy(GuidanceView view) {
        float[] depth = view.depth();
        float[] inverse = new float[depth.length];
        for (int i = 0; i < depth.length; i++) {
            inverse[i] = depth[i] > 0 ? 1 / depth[i] : 0;
        }
        return new GuidanceFrame(
                new RgbImage(view.width(), view.height(), view.rgb().clone()),
                view.mask().clone(),
                inverse);
    }
}
