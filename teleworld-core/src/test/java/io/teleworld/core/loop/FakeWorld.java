package io.teleworld.core.loop;

import io.teleworld.FrameGenerator;
import io.teleworld.FrameGeometry;
import io.teleworld.GenerationStage;
import io.teleworld.Keyframe;
import io.teleworld.LatentFrame;
import io.teleworld.Reconstructor;
import io.teleworld.RgbImage;
import io.teleworld.SegmentInput;
import io.teleworld.StreamDecoder;
import io.teleworld.SuperResolver;
import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.decode.FrameEncoder;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.Seeds;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.plan.SegmentMap;
import io.teleworld.geometry.Intrinsics;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/**
 * Networks by hand, without weights: a latent cell is the mean colour of its 8×8 block in the last picture, the generator
 * copies the guidance (or its first frame) and adds a little noise, and everything is a wall at distance 2.
 */
final class FakeWorld implements FrameGenerator, FrameEncoder, StreamDecoder, Reconstructor {

    static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(32, 16, Math.toRadians(75));
    private static final int BLOCK = 8;
    private static final int W = CAMERA.width() / BLOCK;
    private static final int H = CAMERA.height() / BLOCK;

    final List<SegmentInput> begun = Collections.synchronizedList(new ArrayList<>());
    final List<List<Keyframe>> reconstructed = Collections.synchronizedList(new ArrayList<>());
    final AtomicInteger openGenerations = new AtomicInteger();
    final AtomicInteger openStreams = new AtomicInteger();
    volatile int failAtSegment = Integer.MAX_VALUE;
    volatile int hangAtSegment = Integer.MAX_VALUE;

    SessionFactory factory(int devices) {
        return new SessionFactory(
                SegmentMap.MACRO_MICRO,
                this,
                GuidanceConfig.DEFAULT.holes(),
                () -> this,
                this,
                this,
                SuperResolver::identity,
                CAMERA,
                16,
                CameraOptions.DEFAULT,
                MemoryOptions.DEFAULT,
                devices,
                System::nanoTime,
                () -> 42);
    }

    static RgbImage picture() {
        byte[] rgb = new byte[3 * CAMERA.width() * CAMERA.height()];
        for (int y = 0; y < CAMERA.height(); y++) {
            for (int x = 0; x < CAMERA.width(); x++) {
                int i = 3 * (y * CAMERA.width() + x);
                rgb[i] = (byte) (x * 8);
                rgb[i + 1] = (byte) (y * 15);
                rgb[i + 2] = (byte) 90;
            }
        }
        return new RgbImage(CAMERA.width(), CAMERA.height(), rgb);
    }

    @Override
    public List<LatentFrame> encode(float[] frames, int count) {
        int area = CAMERA.width() * CAMERA.height();
        List<LatentFrame> latents = new ArrayList<>();
        for (int last = 0; last < count; last += 4) {
            float[] values = new float[3 * H * W];
            for (int c = 0; c < 3; c++) {
                for (int i = 0; i < area; i++) {
                    int x = i % CAMERA.width();
                    int y = i / CAMERA.width();
                    values[(c * H + y / BLOCK) * W + x / BLOCK] +=
                            frames[last * 3 * area + c * area + i] / (BLOCK * BLOCK);
                }
            }
            latents.add(new LatentFrame(3, H, W, values));
        }
        return latents;
    }

    @Override
    public Stream open() {
        openStreams.incrementAndGet();
        return new Stream() {
            private boolean first = true;
            private boolean closed;

            @Override
            public List<RgbImage> decode(LatentFrame latent) {
                byte[] rgb = new byte[3 * CAMERA.width() * CAMERA.height()];
                for (int i = 0; i < rgb.length; i++) {
                    int x = i / 3 % CAMERA.width();
                    int y = i / 3 / CAMERA.width();
                    float v = latent.values()[(i % 3 * H + y / BLOCK) * W + x / BLOCK];
                    rgb[i] = (byte) Math.max(0, Math.min(255, Math.round(127.5f + 127.5f * v)));
                }
                RgbImage image = new RgbImage(CAMERA.width(), CAMERA.height(), rgb);
                List<RgbImage> out = first ? List.of(image) : List.of(image, image, image, image);
                first = false;
                return out;
            }

            @Override
            public void close() {
                if (!closed) {
                    closed = true;
                    openStreams.decrementAndGet();
                }
            }
        };
    }

    @Override
    public SegmentGeneration begin(SegmentInput input) {
        begun.add(input);
        openGenerations.incrementAndGet();
        return new SegmentGeneration() {
            private boolean closed;

            @Override
            public Map<Integer, LatentFrame> generate(GenerationStage stage, BooleanSupplier cancelled) {
                if (input.segment() >= failAtSegment) {
                    throw new IllegalStateException("no more ideas");
                }
                while (input.segment() >= hangAtSegment) {
                    if (cancelled.getAsBoolean()) {
                        throw new CancellationException();
                    }
                    Thread.onSpinWait();
                }
                Map<Integer, LatentFrame> made = new HashMap<>();
                for (int f : stage.frames()) {
                    LatentFrame from = input.guidance().isEmpty()
                            ? java.util.Objects.requireNonNull(input.given().get(1))
                            : input.guidance().get(f - 1).latent();
                    float[] values = from.values().clone();
                    for (int i = 0; i < values.length; i++) {
                        values[i] += 0.05f * (Seeds.of(input.seed(), f, i) % 100) / 100;
                    }
                    made.put(f, new LatentFrame(3, H, W, values));
                }
                return made;
            }

            @Override
            public void close() {
                if (!closed) {
                    closed = true;
                    openGenerations.decrementAndGet();
                }
            }
        };
    }

    @Override
    public List<FrameGeometry> reconstruct(List<Keyframe> keyframes) {
        reconstructed.add(keyframes);
        List<FrameGeometry> all = new ArrayList<>();
        for (Keyframe k : keyframes) {
            int n = CAMERA.width() * CAMERA.height();
            float[] depth = new float[n];
            java.util.Arrays.fill(depth, 1);
            float[] confidence = new float[n];
            java.util.Arrays.fill(confidence, 1);
            all.add(new FrameGeometry(depth, confidence, CAMERA, k.pose(), new boolean[n]));
        }
        return all;
    }
}
