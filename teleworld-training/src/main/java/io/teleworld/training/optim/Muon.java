package io.teleworld.training.optim;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Momentum whose update is orthogonalised, for weight matrices of hidden layers (K. Jordan, "Muon: an optimizer for
 * hidden layers in neural networks", 2024). With momentum b ← μb + (1−μ)g and Nesterov's look-ahead, the update is the
 * nearest semi-orthogonal matrix, found with five quintic Newton-Schulz iterations, times 0.2·√max(rows, columns), so
 * that its root mean square is that of Adam's and both share learning rates (Liu et al., "Muon is scalable for LLM
 * training", 2025). Convolution weights [M,C,k,k] count as matrices [M, C·k·k].
 */
public final class Muon extends AbstractOptimizer {

    /**
     * Settings. Immutable.
     *
     * @param momentum μ, in [0, 1)
     * @param weightDecay decoupled, not negative
     * @param iterations of Newton and Schulz, at least 1
     * @param bf16 whether these run in bf16, which is enough for the optimiser and faster
     */
    public record Options(double momentum, double weightDecay, int iterations, boolean bf16) {

        /** μ = 0.95, no decay, 5 iterations in bf16. */
        public static final Options DEFAULT = new Options(0.95, 0, 5, true);

        public Options {
            if (!(momentum >= 0 && momentum < 1) || !(weightDecay >= 0) || iterations < 1) {
                throw new IllegalArgumentException("momentum is " + momentum + " (in [0, 1)), weight decay "
                        + weightDecay + " (not negative), iterations " + iterations + " (at least 1)");
            }
        }

        public Options withWeightDecay(double lambda) {
            return new Options(momentum, lambda, iterations, bf16);
        }
    }

    private static final double A = 3.4445;
    private static final double B = -4.7750;
    private static final double C = 2.0315;

    private final Options options;
    private final Map<String, Tensor> momenta = new HashMap<>();

    /**
     * Makes an optimiser of matrices.
     *
     * @throws IllegalArgumentException if a parameter has fewer than two axes
     */
    public Muon(Map<String, Tensor> parameters, Options options) {
        super(parameters);
        this.options = options;
        parameters.forEach((name, p) -> {
            if (p.dim() < 2) {
                throw new IllegalArgumentException(
                        "parameter " + name + " has " + p.dim() + " axes; Muon needs at least 2");
            }
            momenta.put(name, newState("muon.m." + name, p));
        });
    }

    @Override
    void update(String name, Tensor p, Tensor g, double rate, long step) {
        Tensor m = momenta.get(name);
        if (m == null) {
            throw new IllegalStateException("parameter " + name + " is unknown");
        }
        m.lerp_(g, new Scalar(1 - options.momentum()));
        Tensor ahead = torch.lerp(g, m, new Scalar(options.momentum()));
        long rows = p.size(0);
        long columns = p.numel() / rows;
        Tensor direction = orthogonalize(ahead.reshape(rows, columns), options.iterations(), options.bf16())
                .reshape_as(p);
        if (options.weightDecay() > 0) {
            p.mul_(new Scalar(1 - rate * options.weightDecay()));
        }
        p.add_(direction, new Scalar(-rate * 0.2 * Math.sqrt((double) Math.max(rows, columns))));
    }

    /**
     * A matrix with the singular vectors of {@code matrix} and singular values near 1 (within about [0.7, 1.2]); fp32,
     * temporaries in the innermost scope.
     */
    static Tensor orthogonalize(Tensor matrix, int iterations, boolean bf16) {
        boolean tall = matrix.size(0) > matrix.size(1);
        Tensor x = matrix.div(torch.norm(matrix).add(new Scalar(1e-20)));
        x = bf16 ? x.to(ScalarType.BFloat16) : x;
        x = tall ? x.transpose(0, 1).contiguous() : x;
        for (int i = 0; i < iterations; i++) {
            Tensor gram = torch.mm(x, x.transpose(0, 1));
            Tensor polynomial = torch.addmm(gram, gram, gram, new Scalar(B), new Scalar(C));
            x = torch.addmm(x, polynomial, x, new Scalar(A), new Scalar(1.0));
        }
        x = tall ? x.transpose(0, 1) : x;
        return x.to(ScalarType.Float);
    }
}
