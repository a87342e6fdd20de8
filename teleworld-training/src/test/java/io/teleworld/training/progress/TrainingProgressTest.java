package io.teleworld.training.progress;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;

class TrainingProgressTest {

    private static final class Hands extends Clock {
        private Instant now = Instant.EPOCH;

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }

        @Override
        public Instant instant() {
            return now;
        }
    }

    @Test
    void tellsSpeedAndRemainingTime() {
        Hands clock = new Hands();
        try (TrainingProgress p = TrainingProgress.logging("vae", 100, 200, clock)) {
            assertThat(p.line()).contains("unknown time");
            for (int i = 0; i < 20; i++) {
                clock.now = clock.now.plusSeconds(2);
                p.step(8, 0.5);
            }
            assertThat(p.line()).isEqualTo("vae: step 120/200, loss 0.5000, 4.0 samples/s, 0:02:40 left");
        }
    }
}
