package io.teleworld.training.optim;

import io.teleworld.core.weights.Safetensors;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a run needs to go on where it stopped, in one safetensors file: parameters ({@code parameter.*}),
 * averages ({@code average.*}), optimiser state ({@code optimizer.*}), series ({@code history.*}) and, in the header,
 * counters and the recipe's settings as JSON. Confined to one thread while it saves or resumes.
 *
 * <p>Saving is atomic: a new file is written beside the old one, forced to the disk and moved into its place, so that a
 * process that dies leaves the old or the new checkpoint. A resumed run equals one that was never interrupted bit for
 * bit, if its data depends on the seed and the step alone.
 */
public final class TrainingCheckpoint {

    /**
     * Where a run stands. Immutable.
     *
     * @param step steps made
     * @param samples training samples seen
     * @param seconds time spent training
     * @param seed what all randomness of the run derives from, together with the step
     * @param config the recipe's settings as JSON, for the reader's eye and for refusing to resume another recipe
     */
    public record Position(long step, long samples, double seconds, long seed, String config) {}

    private static final String PARAMETER = "parameter.";
    private static final String AVERAGE = "average.";
    private static final String OPTIMIZER = "optimizer.";
    private static final String HISTORY = "history.";

    private final Map<String, Tensor> parameters;
    private final Optimizer optimizer;
    private final @Nullable ExponentialMovingAverage average;
    private final LossHistory history;

    /** Names what belongs to the run; all of it is borrowed. */
    public TrainingCheckpoint(
            Map<String, Tensor> parameters,
            Optimizer optimizer,
            @Nullable ExponentialMovingAverage average,
            LossHistory history) {
        this.parameters = new LinkedHashMap<>(parameters);
        this.optimizer = optimizer;
        this.average = average;
        this.history = history;
    }

    /**
     * Writes the checkpoint.
     *
     * @throws TeleWorldException of category RESOURCE if the file cannot be written; an older one is then still there
     */
    public void save(Path file, Position position) {
        Map<String, HostTensor> tensors = new TreeMap<>();
        parameters.forEach((n, t) -> tensors.put(PARAMETER + n, TorchTensors.toHost(t)));
        optimizer.state().forEach((n, t) -> tensors.put(OPTIMIZER + n, TorchTensors.toHost(t)));
        Map<String, String> metadata = new TreeMap<>();
        metadata.put("format", "teleworld-training-1");
        metadata.put("step", Long.toString(position.step()));
        metadata.put("samples", Long.toString(position.samples()));
        metadata.put("seconds", Double.toString(position.seconds()));
        metadata.put("seed", Long.toString(position.seed()));
        metadata.put("config", position.config());
        metadata.put("optimizer_steps", Long.toString(optimizer.steps()));
        if (average != null) {
            average.averages().forEach((n, t) -> tensors.put(AVERAGE + n, TorchTensors.toHost(t)));
            metadata.put("average_updates", Long.toString(average.updates()));
        }
        List<String> names = history.names();
        for (int i = 0; i < names.size(); i++) {
            metadata.put(HISTORY + i, names.get(i));
            tensors.put(HISTORY + i, series(history.points(names.get(i))));
        }
        try {
            writeAtomically(file, tensors, metadata);
        } catch (IOException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.RESOURCE, "cannot write checkpoint " + file + ": " + e.getMessage(), e);
        }
    }

    private static HostTensor series(List<LossHistory.Point> points) {
        HostTensor t = HostTensor.zeros(DType.F64, points.size(), 2);
        var b = t.mutableBuffer().asDoubleBuffer();
        points.forEach(p -> b.put((double) p.step()).put(p.value()));
        return t;
    }

    private static void writeAtomically(Path file, Map<String, HostTensor> tensors, Map<String, String> metadata)
            throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        try {
            Safetensors.write(temporary, tensors, metadata);
            try (FileChannel c = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                c.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /**
     * Fills everything from a checkpoint.
     *
     * @return where the run stood
     * @throws ModelFormatException if the file is damaged or holds another run's tensors; nothing is changed then
     */
    public Position resume(Path file) {
        Safetensors source = Safetensors.open(file);
        Map<Tensor, HostTensor> copies = new LinkedHashMap<>();
        collect(file, source, PARAMETER, parameters, copies);
        collect(file, source, OPTIMIZER, optimizer.state(), copies);
        if (average != null) {
            collect(file, source, AVERAGE, average.averages(), copies);
        }
        Map<String, String> m = source.metadata();
        Position position = new Position(
                number(file, m, "step"),
                number(file, m, "samples"),
                Double.parseDouble(m.getOrDefault("seconds", "0")),
                number(file, m, "seed"),
                m.getOrDefault("config", "{}"));
        long optimizerSteps = number(file, m, "optimizer_steps");
        long averageUpdates = average == null ? 0 : number(file, m, "average_updates");
        try (PointerScope s = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            copies.forEach((to, from) -> {
                try (PointerScope one = new PointerScope()) {
                    to.detach().copy_(TorchTensors.of(from));
                }
            });
        }
        optimizer.restoreSteps(optimizerSteps);
        if (average != null) {
            average.restoreUpdates(averageUpdates);
        }
        history.clear();
        for (int i = 0; m.containsKey(HISTORY + i); i++) {
            String name = m.getOrDefault(HISTORY + i, "");
            HostTensor t = source.tensor(HISTORY + i);
            var b = t.hostBuffer().asDoubleBuffer();
            while (b.hasRemaining()) {
                long step = (long) b.get();
                history.add(name, step, b.get());
            }
        }
        return position;
    }

    /** Only the parameters or, if there are any, their averages; for using a checkpoint without training on. */
    public static Map<String, HostTensor> weights(Path file, boolean averaged) {
        Safetensors source = Safetensors.open(file);
        boolean has = source.names().stream().anyMatch(n -> n.startsWith(AVERAGE));
        String prefix = averaged && has ? AVERAGE : PARAMETER;
        Map<String, HostTensor> out = new TreeMap<>();
        for (String n : source.names()) {
            if (n.startsWith(prefix)) {
                out.put(n.substring(prefix.length()), source.tensor(n));
            }
        }
        return out;
    }

    private static void collect(
            Path file, Safetensors source, String prefix, Map<String, Tensor> into, Map<Tensor, HostTensor> copies) {
        into.forEach((name, t) -> {
            String full = prefix + name;
            if (!source.names().contains(full)) {
                throw new ModelFormatException(file.toString(), "tensor " + full + " is missing; this is another run");
            }
            HostTensor stored = source.tensor(full);
            long[] shape = TorchTensors.shape(t);
            if (!Arrays.equals(stored.shape(), shape)) {
                throw new ModelFormatException(
                        file.toString(),
                        "tensor " + full + " has shape " + Arrays.toString(stored.shape()) + "; this run has "
                                + Arrays.toString(shape));
            }
            copies.put(t, stored);
        });
    }

    private static long number(Path file, Map<String, String> metadata, String key) {
        String v = metadata.get(key);
        try {
            return Long.parseLong(v == null ? "" : v);
        } catch (NumberFormatException e) {
            throw new ModelFormatException(
                    file.toString(), "header entry " + key + " is " + v + "; a number is needed");
        }
    }
}
