package io.teleworld.training.optim;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Bounds gradients. Stateless. */
public final class GradientClipping {

    private GradientClipping() {}

    /**
     * Scales all gradients so that their joint Euclidean norm is at most {@code maxNorm}.
     *
     * @param maxNorm positive
     * @return the norm before; where it is not finite the gradients are left as they are, and the caller should skip the
     *     step
     */
    public static double globalNorm(Collection<Tensor> parameters, double maxNorm) {
        if (!(maxNorm > 0)) {
            throw new IllegalArgumentException("maximum norm is " + maxNorm + "; it must be positive");
        }
        try (PointerScope s = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            List<Tensor> gradients = new ArrayList<>();
            List<Tensor> norms = new ArrayList<>();
            for (Tensor p : parameters) {
                Tensor g = p.grad();
                if (g.defined()) {
                    gradients.add(g);
                    norms.add(torch.norm(g));
                }
            }
            if (gradients.isEmpty()) {
                return 0;
            }
            double norm = torch.norm(torch.stack(new TensorVector(norms.toArray(new Tensor[0]))))
                    .item_double();
            if (Double.isFinite(norm) && norm > maxNorm) {
                Scalar factor = new Scalar(maxNorm / norm);
                gradients.forEach(g -> g.mul_(factor));
            }
            return norm;
        }
    }
}
