package io.teleworld.core.text;

import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;

/** One token per character and an end mark, for tests. */
public final class LetterTokenizerProvider implements TokenizerProvider {

    @Override
    public Availability probe() {
        return new Availability.Available(List.of(new Device(Device.CPU, "letters", -1)));
    }

    @Override
    public Tokenizer open(Path file) {
        return new Tokenizer() {
            @Override
            public long[] encode(String text) {
                return LongStream.concat(text.chars().mapToLong(c -> 2 + c % 60), LongStream.of(1))
                        .toArray();
            }

            @Override
            public void close() {}
        };
    }
}
