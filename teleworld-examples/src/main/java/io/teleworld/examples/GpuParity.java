package io.teleworld.examples;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;

/**
 * Agreement of a runtime with the oracle and with golden files, through the tools of the testkit and the goldens where they
 * are on the class path. Confined to one thread.
 *
 * @param line where it is printed
 * @param goldens a folder of golden files, or null
 * @param seed of random inputs, or null for a new one
 * @param small few cases without the contract
 */
record GpuParity(
        CommandLine line,
        String runtime,
        String device,
        @Nullable Path goldens,
        @Nullable Long seed,
        boolean small) {

    /** The exit code: 0 if all agrees, 1 if not. */
    int run(List<Precision> wanted, TensorRuntimeProvider provider) {
        List<Precision> precisions = new ArrayList<>(wanted);
        if (precisions.isEmpty()) {
            try (TensorRuntime r = provider.create(new RuntimeOptions(device, 0))) {
                for (Precision p : Precision.values()) {
                    if (r.precisions().contains(p) && p != Precision.FP16) {
                        precisions.add(p);
                    }
                }
            }
        }
        String names =
                precisions.stream().map(p -> p.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(","));
        List<String> arguments =
                new ArrayList<>(List.of("--runtime", runtime, "--device", device, "--precision", names));
        Long given = seed;
        if (given != null) {
            arguments.addAll(List.of("--seed", given.toString()));
        }
        if (small) {
            arguments.addAll(List.of("--operators", "1", "--networks", "10", "--graphs", "3", "--contract", "no"));
        }
        int code = tool("teleworld-parity", arguments);
        Path folder = goldens;
        if (folder != null) {
            for (Precision p : precisions) {
                List<String> golden = new ArrayList<>(
                        List.of(folder.toString(), "--runtime", runtime, "--device", device, "--precision", p.name()));
                if (p != Precision.FP32) {
                    golden.addAll(List.of("--relative", p == Precision.BF16 ? "0.02" : "0.05"));
                }
                code = Math.max(code, tool("teleworld-goldens", golden));
            }
        }
        return code;
    }

    private int tool(String name, List<String> arguments) {
        return ServiceLoader.load(ToolProvider.class, GpuParity.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get)
                .filter(t -> t.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new TeleWorldException(
                        TeleWorldException.Category.USER,
                        name + " is not on the class path; with Maven add -Dexec.classpathScope=test"))
                .run(line.getOut(), line.getErr(), arguments.toArray(String[]::new));
    }
}
