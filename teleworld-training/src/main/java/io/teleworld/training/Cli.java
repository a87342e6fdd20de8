package io.teleworld.training;

import io.teleworld.error.TeleWorldException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** How the commands report errors: one line on the error stream and an exit code, never a stack trace. */
final class Cli {

    /** All went well. */
    static final int OK = 0;
    /** Something else than the user's input went wrong, or nothing was learnt. */
    static final int FAILED = 1;
    /** The user has to change an argument, a file or a model. */
    static final int USER = 2;

    private Cli() {}

    /** A command line with this project's error handling, its subcommands included. */
    static CommandLine of(Object command) {
        CommandLine line = new CommandLine(command);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler((e, args) -> {
            print(e.getCommandLine(), message(e) + " (--help lists the options)");
            return USER;
        });
        line.setExecutionExceptionHandler((e, failed, parsed) -> {
            print(failed, message(e));
            return e instanceof TeleWorldException t && t.category() == TeleWorldException.Category.USER
                    ? USER
                    : FAILED;
        });
        return line;
    }

    /** An error in an argument that picocli itself cannot see. */
    static ParameterException badArgument(CommandSpec spec, String message) {
        return new ParameterException(spec.commandLine(), message);
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
