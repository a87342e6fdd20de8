package io.teleworld.training;

import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.recipe.NetworkFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Averages networks that were trained from the same beginning (model soups, Wortsman et al. 2022). */
@Command(
        name = "average",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Averages the weights of runs that began with the same weights.")
final class AverageWeights implements Callable<Integer> {

    /** A configuration of each kind of network that can be averaged. */
    private static final Map<String, Object> KINDS = Map.of(
            "transformer", VideoTransformerConfig.nano(),
            "autoencoder", VideoAutoencoderConfig.nano(),
            "geometry", GeometryNetConfig.nano(),
            "super-resolution", SuperResolutionConfig.nano());

    @Spec
    @Nullable
    CommandSpec spec;

    @Parameters(arity = "2..*", paramLabel = "FILE", description = "Runs' folders or weight files, two or more.")
    List<Path> files = List.of();

    @Option(
            names = "--shares",
            split = ",",
            paramLabel = "X",
            description = "One positive number per file; all the same by default.")
    List<Double> shares = List.of();

    @Option(
            names = "--network",
            paramLabel = "KIND",
            description = "transformer (the default), autoencoder, geometry or super-resolution.")
    String network = "transformer";

    @Option(names = "--out", paramLabel = "DIR", description = "target/training/average by default.")
    Path out = Path.of("target", "training", "average");

    @Override
    public Integer call() throws IOException {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        List<Double> each = shares.isEmpty() ? Collections.nCopies(files.size(), 1.0) : shares;
        Object kind = KINDS.get(network);
        if (kind == null) {
            throw Cli.badArgument(
                    command, "--network is " + network + "; allowed are " + new TreeSet<>(KINDS.keySet()));
        }
        try {
            average(kind, each);
        } catch (IllegalArgumentException e) {
            throw Cli.badArgument(command, String.valueOf(e.getMessage()));
        }
        Path file = out.resolve(NetworkFile.NAME);
        command.commandLine().getOut().println("average: " + file);
        return Cli.OK;
    }

    private <C> void average(C defaults, List<Double> each) throws IOException {
        List<NetworkFile<C>> read = new ArrayList<>();
        for (Path file : files) {
            read.add(NetworkFile.read(file, defaults));
        }
        NetworkFile.average(read, each)
                .write(
                        out.resolve(NetworkFile.NAME),
                        Map.of("average_of", files.toString(), "shares", each.toString()));
    }
}
