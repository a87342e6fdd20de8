package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/**
 * What a program did.
 *
 * @param code exit code
 * @param out its standard output
 * @param err its error stream
 */
record CliRun(int code, String out, String err) {

    /** Runs a command in this process. */
    static CliRun of(Object command, String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line = Cli.of(command).setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        int code = line.execute(args);
        return new CliRun(code, out.toString(), err.toString());
    }

    /** Checks that the program refused in one line, with the code for errors that its user can mend. */
    void refusedWith(String... parts) {
        assertThat(err.lines()).as("error stream").hasSize(1);
        assertThat(err).contains(parts).doesNotContain("Exception", "\tat ");
        assertThat(code).isEqualTo(Cli.USER);
    }
}
