package io.teleworld.goldens;

import java.io.PrintWriter;
import java.util.spi.ToolProvider;

/** {@link GoldenCheck} as a {@link ToolProvider} named {@value #NAME}, with its arguments. Thread-safe. */
public final class GoldenTool implements ToolProvider {

    /** The tool's name. */
    public static final String NAME = "teleworld-goldens";

    /** Made by the service loader. */
    public GoldenTool() {
        // Stateless.
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int run(PrintWriter out, PrintWriter err, String... args) {
        return GoldenCheck.commandLine().setOut(out).setErr(err).execute(args);
    }
}
