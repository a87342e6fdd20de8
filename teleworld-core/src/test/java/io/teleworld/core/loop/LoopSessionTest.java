package io.teleworld.core.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.CameraPath;
import io.teleworld.ChainingPolicy;
import io.teleworld.FrameChunk;
import io.teleworld.Guidance;
import io.teleworld.Key;
import io.teleworld.KeyScript;
import io.teleworld.Keys;
import io.teleworld.PlyFormat;
import io.teleworld.RgbImage;
import io.teleworld.SessionStatistics;
import io.teleworld.WorldFrame;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.plan.FrameChainPlanner;
import io.teleworld.core.plan.WholeSegmentPlanner;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.geometry.Pose;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class LoopSessionTest {

    private final FakeWorld fake = new FakeWorld();

    private LoopSession start(WorldStart start, int devices) {
        return fake.factory(devices).start(start, Thread::new, () -> {});
    }

    private static WorldStart start() {
        return WorldStart.image(FakeWorld.picture()).seed(5);
    }

    private static List<WorldFrame> read(WorldSession session, int count) {
        List<WorldFrame> frames = new ArrayList<>();
        Iterator<FrameChunk> chunks = session.frames().iterator();
        while (frames.size() < count && chunks.hasNext()) {
            frames.addAll(chunks.next().frames());
        }
        return frames;
    }

    @Test
    void theStartPictureComesFirstThenFramesInOrderWithTheirPoses() {
        KeyScript script = KeyScript.parse("W*48, RIGHT*48");
        try (LoopSession session = start(start().script(script), 1)) {
            List<WorldFrame> frames = read(session, 1 + 36 * 3);
            assertThat(frames.get(0).image()).isEqualTo(FakeWorld.picture());
            for (int i = 0; i < frames.size(); i++) {
                assertThat(frames.get(i).index()).isEqualTo(i);
                assertThat(frames.get(i).timeSeconds()).isEqualTo(i / 16.0, within(1e-12));
                assertThat(frames.get(i).keys()).isEqualTo(script.at(i));
            }
            // κ = 0.25 d*/s with d* = 1, after a smooth start.
            assertThat(frames.get(32).pose().tz() - frames.get(16).pose().tz()).isEqualTo(0.25, within(0.02));
            double before = frames.get(60).pose().r02();
            double after = frames.get(76).pose().r02();
            assertThat(Math.toDegrees(Math.asin(after) - Math.asin(before))).isEqualTo(18, within(0.5));
            for (int i = 1; i < frames.size(); i++) {
                // No jump where segments meet.
                assertThat(frames.get(i).pose().distanceTo(frames.get(i - 1).pose()))
                        .isLessThan(0.02);
            }
            assertThat(frames.get(1).keyEvent()).isEqualTo(1);
            assertThat(frames.get(49).keyEvent()).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"macro", "peak", "chain", "whole"})
    void everyPlannerMakesAGaplessStreamWithAndWithoutLookahead(String planner) {
        for (int lookahead = 0; lookahead <= 2; lookahead++) {
            WorldStart s = start().lookahead(lookahead).keys(Keys.of(Key.W));
            s = switch (planner) {
                case "peak" -> s.chaining(ChainingPolicy.MIN_PEAK_MEMORY);
                case "chain" -> s.planner(new FrameChainPlanner());
                case "whole" -> s.planner(new WholeSegmentPlanner());
                default -> s;
            };
            try (LoopSession session = start(s, 1 + lookahead)) {
                List<WorldFrame> frames = read(session, 120);
                for (int i = 0; i < frames.size(); i++) {
                    assertThat(frames.get(i).index()).isEqualTo(i);
                }
                assertThat(frames.get(100).pose().tz()).isGreaterThan(0.5);
            }
        }
        assertThat(fake.openGenerations).hasValue(0);
        assertThat(fake.openStreams).hasValue(0);
    }

    @Test
    void theSameSeedGivesTheSameFramesOnAnyNumberOfDevices() {
        KeyScript script = KeyScript.parse("W*20, RIGHT+W*40, A*30");
        List<List<RgbImage>> runs = new ArrayList<>();
        for (int devices = 1; devices <= 3; devices++) {
            try (LoopSession session = start(start().script(script).lookahead(1), devices)) {
                runs.add(read(session, 100).stream().map(WorldFrame::image).toList());
            }
        }
        assertThat(runs.get(1)).isEqualTo(runs.get(0));
        assertThat(runs.get(2)).isEqualTo(runs.get(0));
        try (LoopSession session = start(start().script(script).lookahead(1).seed(6), 1)) {
            assertThat(read(session, 100).stream().map(WorldFrame::image).toList())
                    .isNotEqualTo(runs.get(0));
        }
    }

    @Test
    void twoSessionsDoNotDisturbEachOther() {
        List<RgbImage> alone;
        try (LoopSession session = start(start(), 1)) {
            alone = read(session, 73).stream().map(WorldFrame::image).toList();
        }
        try (LoopSession a = start(start(), 1);
                LoopSession b = start(start().seed(99).keys(Keys.of(Key.LEFT)), 1)) {
            List<RgbImage> frames = new ArrayList<>();
            Iterator<FrameChunk> fromA = a.frames().iterator();
            Iterator<FrameChunk> fromB = b.frames().iterator();
            while (frames.size() < 73) {
                fromB.next();
                fromA.next().frames().forEach(f -> frames.add(f.image()));
            }
            assertThat(frames).isEqualTo(alone);
        }
    }

    @Test
    void aKeyEventIsAnsweredByALaterFrameAndItsLatencyIsKept() {
        try (LoopSession session = start(start().queuedChunks(1), 1)) {
            read(session, 1);
            assertThat(session.control(Keys.of(Key.RIGHT))).isEqualTo(1);
            assertThat(session.tap(Keys.of(Key.W))).isEqualTo(2);
            Iterator<FrameChunk> chunks = session.frames().iterator();
            WorldFrame answer = chunks.next().frames().get(0);
            while (answer.keyEvent() < 2) {
                answer = chunks.next().frames().get(0);
            }
            assertThat(answer.keys()).isEqualTo(Keys.of(Key.RIGHT, Key.W));
            long index = answer.index();
            assertThat(index % 36).isEqualTo(1);
            while (answer.index() < index + 36) {
                answer = chunks.next().frames().get(0);
            }
            assertThat(answer.keys()).isEqualTo(Keys.of(Key.RIGHT));
            // The loop goes on meanwhile: both must be read at one state of the memory.
            SessionStatistics statistics;
            long points;
            do {
                points = session.memory().pointCount();
                statistics = session.statistics();
            } while (session.memory().pointCount() != points);
            assertThat(statistics.keyLatencies())
                    .hasSize(2)
                    .allSatisfy(l -> assertThat(l).isPositive());
            assertThat(statistics.timeToFirstFrame()).isPresent();
            assertThat(statistics.stages())
                    .containsKeys("START", "GUIDE", "PLAN", "POPULATE", "DECODE", "RECONSTRUCT", "REENCODE", "EMIT");
            assertThat(statistics.memoryPoints()).isPositive().isEqualTo(points);
            assertThat(statistics.nativeBytes()).isEqualTo(42);
            assertThat(statistics.frames()).isGreaterThan(index);
        }
    }

    @Test
    void aSlowReaderSlowsGeneration() throws InterruptedException {
        try (LoopSession session = start(start().queuedChunks(4).lookahead(1), 2)) {
            Thread.sleep(300);
            assertThat(fake.begun.size()).isLessThanOrEqualTo(2);
            read(session, 1 + 36 * 4);
            Thread.sleep(100);
            assertThat(fake.begun.size()).isBetween(4, 7);
        }
    }

    @Test
    void generationWithoutGuidanceGetsNone() {
        try (LoopSession session = start(start().guidance(Guidance.off()), 1)) {
            read(session, 40);
            assertThat(fake.begun)
                    .isNotEmpty()
                    .allSatisfy(i -> assertThat(i.guidance()).isEmpty());
        }
    }

    @Test
    void guidanceShowsTheWorldFromTheCommandedPose() {
        try (LoopSession session = start(start().keys(Keys.of(Key.RIGHT)), 1)) {
            read(session, 40);
            var first = fake.begun.get(0);
            assertThat(first.guidance()).hasSize(10);
            float seenAtStart = mean(first.guidance().get(0).known());
            float seenAtEnd = mean(first.guidance().get(9).known());
            assertThat(seenAtStart).isGreaterThan(0.95f);
            // 40° to the right of a field of view of 75°: about half is unknown, on the right.
            assertThat(seenAtEnd).isBetween(0.2f, 0.8f);
            float[] known = first.guidance().get(9).known();
            assertThat(known[0]).isGreaterThan(known[3]);
        }
    }

    @Test
    void withoutMemoryOnlyTheLatestSegmentIsKnown() {
        long with;
        try (LoopSession session =
                start(start().script(KeyScript.parse("RIGHT*400")).queuedChunks(1), 1)) {
            read(session, 217);
            with = session.memory().pointCount();
        }
        try (LoopSession session = start(
                start().script(KeyScript.parse("RIGHT*400")).queuedChunks(1).memory(false), 1)) {
            read(session, 217);
            assertThat(session.memory().pointCount()).isLessThan(with / 2);
        }
    }

    @Test
    void aCameraPathOverrulesTheKeys() {
        CameraPath path =
                frame -> Pose.yaw(0.01 * frame).compose(Pose.pitch(0.1)).withTranslation(0, 0, 0.002 * frame);
        try (LoopSession session = start(start().cameraPath(path).keys(Keys.of(Key.LEFT)), 1)) {
            List<WorldFrame> frames = read(session, 80);
            for (WorldFrame f : frames.subList(1, 80)) {
                assertThat(f.pose().rotationAngleTo(path.at(f.index()))).isLessThan(1e-6);
                assertThat(f.pose().distanceTo(path.at(f.index()))).isLessThan(1e-9);
            }
        }
    }

    @Test
    void aFailureIsReportedInOneLineAfterWhatWasMade() {
        fake.failAtSegment = 1;
        try (LoopSession session = start(start(), 1)) {
            List<WorldFrame> frames = new ArrayList<>();
            assertThatThrownBy(() -> session.frames().forEach(c -> frames.addAll(c.frames())))
                    .isInstanceOfSatisfying(TeleWorldException.class, e -> {
                        assertThat(e.category()).isEqualTo(TeleWorldException.Category.INTERNAL);
                        assertThat(e.getMessage()).contains("no more ideas").doesNotContain("\n");
                    });
            assertThat(frames).hasSize(37);
            assertThatThrownBy(() -> session.next(Duration.ofSeconds(1))).isInstanceOf(TeleWorldException.class);
        }
        assertThat(fake.openGenerations).hasValue(0);
        assertThat(fake.openStreams).hasValue(0);
    }

    @Test
    void closingWhileTheGeneratorIsBusyEndsTheReader() throws InterruptedException {
        fake.hangAtSegment = 1;
        LoopSession session = start(start(), 1);
        List<WorldFrame> frames = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch ended = new CountDownLatch(1);
        Thread reader = new Thread(() -> {
            session.frames().forEach(c -> frames.addAll(c.frames()));
            ended.countDown();
        });
        reader.start();
        while (frames.size() < 37) {
            Thread.sleep(1);
        }
        session.close();
        session.close();
        assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(fake.openGenerations).hasValue(0);
        assertThat(fake.openStreams).hasValue(0);
    }

    @Test
    void useAfterCloseIsRefused() {
        LoopSession session = start(start(), 1);
        session.close();
        List<org.assertj.core.api.ThrowableAssert.ThrowingCallable> uses = List.of(
                () -> session.control(Keys.NONE),
                () -> session.tap(Keys.NONE),
                session::frames,
                () -> session.next(Duration.ZERO),
                session::publisher,
                session::memory,
                session::statistics);
        uses.forEach(use -> assertThatThrownBy(use)
                .isInstanceOf(ResourceClosedException.class)
                .hasMessage("the world session is closed"));
    }

    @Test
    void thePublisherDeliversInOrderAndCompletesOnce() throws InterruptedException {
        LoopSession session = start(start(), 1);
        List<Long> indices = Collections.synchronizedList(new ArrayList<>());
        List<String> ends = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch enough = new CountDownLatch(40);
        CountDownLatch ended = new CountDownLatch(1);
        session.publisher().subscribe(new Flow.Subscriber<>() {
            @Override
            public void onSubscribe(Flow.Subscription s) {
                s.request(Long.MAX_VALUE);
            }

            @Override
            public void onNext(FrameChunk chunk) {
                chunk.frames().forEach(f -> indices.add(f.index()));
                enough.countDown();
            }

            @Override
            public void onError(Throwable t) {
                ends.add(String.valueOf(t));
                ended.countDown();
            }

            @Override
            public void onComplete() {
                ends.add("complete");
                ended.countDown();
            }
        });
        assertThat(enough.await(20, TimeUnit.SECONDS)).isTrue();
        session.close();
        assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(ends).containsExactly("complete");
        for (int i = 0; i < indices.size(); i++) {
            assertThat(indices.get(i)).isEqualTo(i);
        }
    }

    @Test
    void theMemoryIsExportedWholeOrNotAtAll(@TempDir Path folder) throws IOException {
        try (LoopSession session = start(start(), 1)) {
            read(session, 37);
            Path binary = folder.resolve("memory.ply");
            session.memory().export(PlyFormat.BINARY, binary);
            assertThat(Files.readAllBytes(binary))
                    .startsWith(
                            "ply\nformat binary_little_endian".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            Path text = folder.resolve("memory.txt.ply");
            session.memory().export(PlyFormat.ASCII, text);
            List<String> lines = Files.readAllLines(text);
            int header = lines.indexOf("end_header");
            assertThat(lines.get(2)).isEqualTo("element vertex " + (lines.size() - header - 1));
            assertThat(lines.get(header + 1).split(" ", -1)).hasSize(12);
            assertThatThrownBy(() -> session.memory().export(PlyFormat.BINARY, folder.resolve("no/such/folder.ply")))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("cannot be written");
            assertThatThrownBy(() -> session.memory().export(PlyFormat.BINARY, folder))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("is a folder");
            try (var files = Files.list(folder)) {
                assertThat(files).hasSize(2);
            }
        }
    }

    @Test
    void aBadStartPictureIsReportedByStart(@TempDir Path folder) throws IOException {
        Path text = Files.writeString(folder.resolve("x.png"), "no picture");
        assertThatThrownBy(() -> start(WorldStart.image(text), 1))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("not a picture");
    }

    private static float mean(float[] values) {
        float sum = 0;
        for (float v : values) {
            sum += v;
        }
        return sum / values.length;
    }
}
