package io.teleworld.testkit;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * Compares a runtime with the oracle in every precision, on a machine without a build; found as the {@link ToolProvider}
 * {@value #NAME}. Thread-safe.
 *
 * <p>Arguments: {@code --runtime NAME}, {@code --device ID}, {@code --precision P,P}, {@code --seed N} (random without
 * it, printed in any case), {@code --operators N} cases of each operator, {@code --networks N} of {@link NetworkCases},
 * {@code --graphs N} of {@link RandomGraphs} (fp32), {@code --contract no} to leave out {@link NamedRuntimeContract}. Before
 * each run that is compared the same program runs on inputs of NaN, so that what a kernel does not write shows. Exit code
 * 0 if all agrees, 1 if not, 2 for wrong arguments, 3 if the runtime is not available.
 */
public final class ParityTool implements ToolProvider {

    /** The tool's name. */
    public static final String NAME = "teleworld-parity";

    private static final int PRINTED_FAILURES = 10;

    /** Made by the service loader. */
    public ParityTool() {
        // Stateless.
    }

    @Override
    public String name() {
        return NAME;
    }

    /** How far ‖a−e‖ may be from 0, relative to ‖e‖. */
    static double bound(Precision precision) {
        return switch (precision) {
            case FP32 -> 1e-4;
            case FP16 -> 1e-2;
            case BF16 -> 2e-2;
            default -> 5e-2;
        };
    }

    @Override
    public int run(PrintWriter out, PrintWriter err, String... args) {
        Map<String, String> given = new LinkedHashMap<>(Map.of(
                "--runtime",
                "cuda",
                "--device",
                "cuda:0",
                "--precision",
                "fp32,bf16",
                "--seed",
                Long.toString(System.nanoTime() & 0xffffff),
                "--operators",
                "6",
                "--networks",
                "40",
                "--graphs",
                "60",
                "--contract",
                "yes"));
        for (int i = 0; i < args.length; i += 2) {
            if (!given.containsKey(args[i]) || i + 1 == args.length) {
                err.println(NAME + ": " + args[i] + " is unknown or has no value; there are " + given.keySet());
                return 2;
            }
            given.put(args[i], args[i + 1]);
        }
        try {
            return new Session(out, given).run();
        } catch (IllegalArgumentException e) {
            err.println(NAME + ": " + e.getMessage());
            return 2;
        }
    }

    private static final class Session {

        private final PrintWriter out;
        private final Map<String, String> given;
        private final long seed;

        Session(PrintWriter out, Map<String, String> given) {
            this.out = out;
            this.given = given;
            this.seed = Long.parseLong(value("--seed"));
        }

        private String value(String name) {
            return Objects.requireNonNull(given.get(name), name);
        }

        private int count(String name) {
            return Integer.parseInt(value(name));
        }

        int run() {
            TensorRuntimeProvider provider =
                    RuntimeRegistry.load(ParityTool.class.getClassLoader()).get(value("--runtime"));
            if (provider.probe() instanceof Availability.Unavailable missing) {
                out.println("Unavailable(" + missing.reason() + ")");
                out.flush();
                return 3;
            }
            out.printf("parity with the oracle, seed %d, outputs poisoned%n", seed);
            int failed = 0;
            try (TensorRuntime runtime = provider.create(new RuntimeOptions(value("--device"), 0));
                    ReferenceRuntime reference = new ReferenceRuntime()) {
                for (String name : value("--precision").split(",")) {
                    Precision p = precision(name);
                    if (!runtime.precisions().contains(p)) {
                        out.printf("%s: not a precision of runtime %s%n", p, runtime.name());
                        failed++;
                        continue;
                    }
                    failed += precision(runtime, reference, p);
                }
            }
            if (value("--contract").equals("yes")) {
                failed += contract();
            }
            out.printf("parity: %s%n", failed == 0 ? "all agree" : failed + " FAILED, seed " + seed);
            out.flush();
            return failed == 0 ? 0 : 1;
        }

        private static Precision precision(String name) {
            String upper = name.strip().toUpperCase(Locale.ROOT);
            return Arrays.stream(Precision.values())
                    .filter(p -> p.name().equals(upper) || p.name().equals(upper + "_LINEAR"))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException(
                            "precision " + name + " is unknown; there are " + Arrays.toString(Precision.values())));
        }

        private int precision(TensorRuntime runtime, ReferenceRuntime reference, Precision p) {
            SplittableRandom seeds = new SplittableRandom(seed);
            List<GraphCase> cases = new ArrayList<>();
            for (Class<? extends Op> op : Op.all()) {
                if (runtime.operators().contains(op) || Op.Composite.class.isAssignableFrom(op)) {
                    for (int i = 0; i < count("--operators"); i++) {
                        cases.add(OperatorCases.draw(op, seeds.nextInt()));
                    }
                }
            }
            for (int i = 0; i < count("--networks"); i++) {
                cases.add(NetworkCases.draw(seeds.nextInt()));
            }
            int few = p == Precision.FP32 ? count("--graphs") : 0;
            for (int i = 0; i < few; i++) {
                cases.add(RandomGraphs.draw(seeds.nextInt()));
            }
            int failed = 0;
            double worst = 0;
            String worstCase = "none";
            for (int i = 0; i < cases.size(); i++) {
                GraphCase c = cases.get(i);
                // Operators of a random graph may each enlarge a rounding error a little.
                double bound = i >= cases.size() - few ? 10 * bound(p) : bound(p);
                String failure = null;
                try {
                    double e = error(runtime, reference, c, p);
                    if (e / bound > worst) {
                        worst = e / bound;
                        worstCase = c.label();
                    }
                    failure = e <= bound ? null : String.format(Locale.ROOT, "relative error %.2e", e);
                } catch (RuntimeException | AssertionError e) {
                    failure = String.valueOf(e);
                }
                if (failure != null && ++failed <= PRINTED_FAILURES) {
                    out.printf("FAIL %s, %s: %s%n", p, c.label(), failure);
                    out.flush();
                }
            }
            out.printf(
                    Locale.ROOT,
                    "%s: %d of %d cases within %.0e of the norm; the worst uses %.2f of it (%s)%n",
                    p,
                    cases.size() - failed,
                    cases.size(),
                    bound(p),
                    worst,
                    worstCase);
            out.flush();
            return failed;
        }

        /** The largest relative error of any output; infinite where a shape, an integer or a NaN differs. */
        private static double error(TensorRuntime runtime, ReferenceRuntime reference, GraphCase c, Precision p) {
            try (Scope scope = Scope.root("parity");
                    Program expected = reference.compile(c.graph(), c.asWeights(), Precision.FP32);
                    Program actual = runtime.compile(c.graph(), c.asWeights(), p)) {
                actual.run(poison(c.inputs()), actual.newState(scope), RunOptions.DEFAULT, scope);
                Map<String, Tensor> e = expected.run(c.inputs(), expected.newState(scope), RunOptions.DEFAULT, scope);
                Map<String, Tensor> a = actual.run(c.inputs(), actual.newState(scope), RunOptions.DEFAULT, scope);
                double most = 0;
                for (Map.Entry<String, Tensor> out : e.entrySet()) {
                    most = Math.max(most, error(a.get(out.getKey()), out.getValue()));
                }
                return most;
            }
        }

        private static double error(@Nullable Tensor actual, Tensor expected) {
            if (actual == null
                    || actual.dtype() != expected.dtype()
                    || !Arrays.equals(actual.shape(), expected.shape())) {
                return Double.POSITIVE_INFINITY;
            }
            NdArray a = NdArray.of(actual);
            NdArray e = NdArray.of(expected);
            double difference = 0;
            double norm = 0;
            for (int i = 0; i < e.size(); i++) {
                double x = a.flat(i);
                double y = e.flat(i);
                if (Double.compare(x, y) == 0) {
                    norm += Double.isFinite(y) ? y * y : 0;
                } else if (!Double.isFinite(x)
                        || !Double.isFinite(y)
                        || !expected.dtype().isFloat()) {
                    return Double.POSITIVE_INFINITY;
                } else {
                    difference += (x - y) * (x - y);
                    norm += y * y;
                }
            }
            // Below 1e-6 an element, which only sums that cancel reach, nothing relative can be said.
            return Math.sqrt(difference / Math.max(norm, 1e-12 * Math.max(1, e.size())));
        }

        /** The same shapes with NaN wherever there are floats. */
        private static Map<String, HostTensor> poison(Map<String, HostTensor> inputs) {
            Map<String, HostTensor> bad = new LinkedHashMap<>();
            inputs.forEach((name, t) -> {
                if (t.dtype() == io.teleworld.tensor.DType.F32) {
                    float[] values = new float[Math.toIntExact(t.elementCount())];
                    Arrays.fill(values, Float.NaN);
                    bad.put(name, HostTensor.ofFloats(values, t.shape()));
                } else {
                    bad.put(name, t);
                }
            });
            return bad;
        }

        // -------------------------------------------------------------------------------------- contract

        private int contract() {
            System.setProperty(NamedRuntimeContract.RUNTIME, value("--runtime"));
            System.setProperty(NamedRuntimeContract.DEVICE, value("--device"));
            LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                    .selectors(DiscoverySelectors.selectClass(NamedRuntimeContract.class))
                    .build();
            SummaryGeneratingListener listener = new SummaryGeneratingListener();
            try {
                Launcher launcher = LauncherFactory.create();
                launcher.execute(request, listener);
            } catch (RuntimeException e) {
                throw new TeleWorldException(
                        TeleWorldException.Category.INTERNAL, "the contract could not be run: " + e, e);
            }
            TestExecutionSummary s = listener.getSummary();
            s.getFailures().stream()
                    .limit(PRINTED_FAILURES)
                    .forEach(f -> out.printf(
                            "FAIL contract, %s: %s%n",
                            f.getTestIdentifier().getDisplayName(),
                            String.valueOf(f.getException()).lines().limit(8).toList()));
            out.printf("contract: %d of %d checks passed%n", s.getTestsSucceededCount(), s.getTestsFoundCount());
            out.flush();
            long bad = s.getTotalFailureCount() + (s.getTestsFoundCount() == 0 ? 1 : 0);
            return Math.toIntExact(bad);
        }
    }
}
