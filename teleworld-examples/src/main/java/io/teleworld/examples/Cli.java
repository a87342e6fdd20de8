package io.teleworld.examples;

import io.teleworld.error.TeleWorldException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** How all programs here report errors: one line on the error stream and an exit code, never a stack trace. */
final class Cli {

    /** All went well. */
    static final int OK = 0;
    /** Something else than the user's input went wrong. */
    static final int FAILED = 1;
    /** The user has to change an argument, a file or a model. */
    static final int USER = 2;
    /** Ended by Ctrl-C, as shells report it. */
    static final int INTERRUPTED = 130;

    private Cli() {}

    /** The version of the jar that a program runs from. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Cli.class.getPackage().getImplementationVersion();
            return new String[] {"TeleWorld " + (version == null ? "from a build folder" : version)};
        }
    }

    /** A command line for a picocli command with this project's error handling. */
    static CommandLine of(Object command) {
        CommandLine line = new CommandLine(command);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler(Cli::usageError);
        line.setExecutionExceptionHandler((e, failed, parsed) -> failure(e, failed));
        return line;
    }

    /** An error in an argument that picocli itself cannot see. */
    static ParameterException badArgument(CommandSpec spec, String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    private static int usageError(ParameterException e, String[] args) {
        print(e.getCommandLine(), message(e) + " (--help lists the options)");
        return USER;
    }

    private static int failure(Exception e, CommandLine line) {
        print(line, message(e));
        return e instanceof TeleWorldException t && t.category() == TeleWorldException.Category.USER ? USER : FAILED;
    }

    private static void print(CommandLine line, String message) {
        PrintWriter err = line.getErr();
        err.println(line.getCommandName() + ": " + message);
        err.flush();
    }

    private static String message(Throwable e) {
        String m = e.getMessage();
        boolean expected = e instanceof TeleWorldException || e instanceof ParameterException;
        String text = m == null || !expected ? e.toString() : m;
        return text.strip().replaceAll("\\s+", " ");
    }
}
