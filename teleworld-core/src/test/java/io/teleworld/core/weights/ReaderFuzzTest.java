package io.teleworld.core.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A few hundred spoilt files per reader; the program {@link ReaderFuzz} goes on for longer. */
final class ReaderFuzzTest {

    @ParameterizedTest
    @EnumSource
    void spoiltFilesAreReadOrRefused(ReaderFuzz.Target target) throws IOException {
        for (byte[] seed : target.seeds()) {
            assertThat(seed).isNotEmpty();
        }
        ReaderFuzz.Outcome o = ReaderFuzz.run(target, 20, 600, 20_000_000_000L);
        assertThat(o.failures.keySet()).as(o.toString()).isEmpty();
        assertThat(o.files).isGreaterThan(50);
        assertThat(o.files - o.accepted).as(o.toString()).isGreaterThan(25);
    }
}
