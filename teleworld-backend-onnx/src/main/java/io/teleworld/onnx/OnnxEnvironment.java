package io.teleworld.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * The one environment of ONNX Runtime that a process has; it is closed at exit. Stateless and thread-safe.
 *
 * <p>ONNX Runtime 1.29 prepares telemetry when the environment is made, and for that matches the process's command line
 * against regular expressions by recursion, a few hundred bytes of stack for each character. A class path of 4,000
 * characters, which Maven makes easily, overflows the stack of a Java thread there, and the process ends with SIGSEGV
 * before anything can report it. So the environment is made on a thread whose stack suits the command line. Telemetry is
 * switched off right after; the environment variable {@code ORT_DISABLE_TELEMETRY=1}, which Java cannot set for its own
 * process, keeps it from being prepared at all.
 *
 * @see <a href="https://github.com/vespa-engine/vespa/pull/37786">The same crash, met by others</a>
 */
final class OnnxEnvironment {

    private static final long BASE_STACK = 4L << 20;
    /** Four times of what was measured. Untouched stack costs addresses only. */
    private static final long STACK_PER_CHARACTER = 1 << 10;

    private OnnxEnvironment() {}

    /**
     * The environment; made at the first call. It logs nothing, since failures become exceptions.
     *
     * @throws LinkageError if the native library cannot be loaded
     */
    static OrtEnvironment get() {
        FutureTask<OrtEnvironment> made = new FutureTask<>(OnnxEnvironment::make);
        long stack = BASE_STACK + STACK_PER_CHARACTER * commandLineLength();
        new Thread(null, made, "teleworld-onnx-environment", stack).start();
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return made.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof Error error) {
                        throw error;
                    }
                    throw new IllegalStateException(e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static OrtEnvironment make() throws OrtException {
        OrtEnvironment environment =
                OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, "teleworld");
        environment.setTelemetry(false);
        return environment;
    }

    private static long commandLineLength() {
        try {
            return Files.readAllBytes(Path.of("/proc/self/cmdline")).length;
        } catch (IOException e) {
            // Not on Linux. Options are short beside these two.
            return System.getProperty("java.class.path", "").length()
                    + (long) System.getProperty("sun.java.command", "").length();
        }
    }
}
