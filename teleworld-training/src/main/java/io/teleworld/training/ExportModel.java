package io.teleworld.training;

import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.model.ModelPackageWriter;
import io.teleworld.core.model.ModelPackageWriter.Storage;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.runtime.Precision;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.data.WorldStyle;
import io.teleworld.training.recipe.NetworkFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Writes trained networks as a model package that sessions open. */
@Command(
        name = "export",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Writes a model package from trained networks.")
final class ExportModel implements Callable<Integer> {

    private static final Path RUNS = Path.of("target", "training");
    private static final Map<String, String> SOURCE = Map.of("source", "trained by teleworld-training");

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(names = "--autoencoder", paramLabel = "FILE", description = "target/training/autoencoder by default.")
    Path autoencoder = RUNS.resolve("autoencoder");

    @Option(names = "--geometry", paramLabel = "FILE", description = "target/training/geometry by default.")
    Path geometry = RUNS.resolve("geometry");

    @Option(names = "--transformer", paramLabel = "FILE", description = "target/training/transformer by default.")
    Path transformer = RUNS.resolve("transformer");

    @Option(
            names = "--start-geometry",
            paramLabel = "FILE",
            description =
                    "A geometry net for start pictures (geometry --start) to put into the package; none by default.")
    @Nullable
    Path startGeometry;

    @Option(
            names = "--super-resolution",
            paramLabel = "FILE",
            description = "A super-resolution network to put into the package; none by default.")
    @Nullable
    Path superResolution;

    @Option(
            names = "--only-super-resolution",
            description = "Put it into the package that is in --out already and leave the rest as it is.")
    boolean only;

    @Option(
            names = "--styles",
            description = "Puts the named styles into the package, for a transformer that was trained with them.")
    boolean styles;

    @Option(
            names = "--latents",
            paramLabel = "DIR",
            description = "Where encode left its statistics; target/training/latents by default.")
    Path latents = RUNS.resolve("latents");

    @Option(names = "--out", paramLabel = "DIR", description = "target/training/model by default.")
    Path out = RUNS.resolve("model");

    @Option(
            names = "--sampling-steps",
            paramLabel = "T[,T...]",
            split = ",",
            description = "Timesteps of the sessions' steps, falling; by default those of the size.")
    @Nullable
    List<Integer> samplingSteps;

    @Option(names = "--size", description = "nano (the default, as shipped) or tiny.")
    ModelSize size = ModelSize.NANO;

    @Option(names = "--storage", description = "f16 (the default), f32, bf16 or int8.")
    private Storage storage = Storage.F16;

    @Option(
            names = "--transformer-storage",
            description = "How the transformer alone is stored; as --storage by default. Int8 loses nothing where the"
                    + " transformer's precision is int8_linear.")
    @Nullable
    private Storage transformerStorage;

    @Option(
            names = "--transformer-precision",
            paramLabel = "P",
            description =
                    "Arithmetic of the transformer where users ask for no other: fp32 (the default), int8_linear, ….")
    private Precision transformerPrecision = Precision.FP32;

    @Override
    public Integer call() throws IOException {
        Path enlarger = superResolution;
        if (only) {
            if (enlarger == null) {
                throw Cli.badArgument(
                        Objects.requireNonNull(spec, "command specification"),
                        "--only-super-resolution needs --super-resolution FILE");
            }
            enlarge(ModelPackageWriter.into(out, SOURCE), enlarger);
            return Cli.OK;
        }
        NetworkFile<VideoAutoencoderConfig> vae = NetworkFile.autoencoder(autoencoder, size.autoencoder());
        NetworkFile<GeometryNetConfig> depth = NetworkFile.read(geometry, size.geometry());
        NetworkFile<VideoTransformerConfig> video = NetworkFile.read(transformer, size.transformer());
        LatentStatistics statistics = LatentStatistics.read(latents);
        ModelPackageWriter writer = new ModelPackageWriter(out, SOURCE)
                .world(size.world()
                        .withPrecision(new TeleWorldConfig.NetworkPrecision(
                                transformerPrecision, Precision.FP32, Precision.FP32)))
                .scheduler(scheduler())
                .transformer(video.config(), video.weights(), Objects.requireNonNullElse(transformerStorage, storage))
                .vae(vae.config().withLatentStatistics(statistics.mean(), statistics.std()), vae.weights(), storage)
                .geometry(depth.config(), depth.weights(), storage);
        if (styles) {
            Map<String, HostTensor> embeddings = new TreeMap<>();
            for (WorldStyle s : WorldStyle.values()) {
                embeddings.put(
                        s.title(),
                        s.embedding(video.config().textLen(), video.config().textDim()));
            }
            writer.styles(embeddings);
        }
        Path first = startGeometry;
        if (first != null) {
            NetworkFile<GeometryNetConfig> net = NetworkFile.read(first, size.geometry());
            writer.startGeometry(net.config(), net.weights(), storage);
        }
        if (enlarger != null) {
            enlarge(writer, enlarger);
        }
        return Cli.OK;
    }

    private SchedulerConfig scheduler() {
        List<Integer> chosen = samplingSteps;
        return chosen == null ? size.scheduler() : size.scheduler().withDenoisingSteps(chosen);
    }

    private void enlarge(ModelPackageWriter writer, Path file) throws IOException {
        NetworkFile<SuperResolutionConfig> large = NetworkFile.read(file, size.superResolution());
        writer.superResolution(large.config(), large.weights(), storage);
    }
}
