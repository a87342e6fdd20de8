package io.teleworld.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.training.torch.TorchTensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class OptimizerTest {

    /** Ten steps on ½·c·p² against the formulas in double precision. */
    @Test
    void adamWFollowsItsFormulas() {
        AdamW.Options o = new AdamW.Options(0.8, 0.95, 1e-6, 0.1);
        double p = 1.5;
        double m = 0;
        double v = 0;
        try (PointerScope scope = new PointerScope()) {
            Tensor t = leaf(new float[] {1.5f}, 1);
            try (AdamW adam = new AdamW(Map.of("p", t), o)) {
                for (int step = 1; step <= 10; step++) {
                    torch.sum(t.mul(t).mul(new Scalar(1.5))).backward();
                    adam.step(0.01);
                    t.mutable_grad().reset();
                    double g = 3 * p;
                    m = 0.8 * m + 0.2 * g;
                    v = 0.95 * v + 0.05 * g * g;
                    p = p * (1 - 0.01 * 0.1)
                            - 0.01
                                    * (m / (1 - Math.pow(0.8, step)))
                                    / (Math.sqrt(v / (1 - Math.pow(0.95, step))) + 1e-6);
                    assertThat(TorchTensors.item(t)).as("step %d", step).isCloseTo(p, within(1e-5));
                }
                assertThat(adam.steps()).isEqualTo(10);
            }
        }
    }

    @Test
    void parametersWithoutGradientStay() {
        try (PointerScope scope = new PointerScope()) {
            Tensor used = leaf(new float[] {1, 2}, 2);
            Tensor unused = leaf(new float[] {3, 4}, 2);
            try (Optimizer o = ParameterGroups.adamW(
                    Map.of("used", used, "unused", unused), AdamW.Options.DEFAULT.withWeightDecay(0.5))) {
                torch.sum(used).backward();
                o.step(0.1);
            }
            assertThat(TorchTensors.toFloats(unused)).containsExactly(3, 4);
            assertThat(TorchTensors.toFloats(used)).containsExactly(new float[] {0.9f, 1.9f}, within(1e-4f));
        }
    }

    /** The update of Muon is nearly semi-orthogonal, whatever the shape and scale of the gradient. */
    @Test
    void muonOrthogonalizes() {
        for (long[] shape : List.of(new long[] {6, 20}, new long[] {20, 6}, new long[] {9, 9})) {
            try (PointerScope scope = new PointerScope()) {
                Tensor g = leaf(noise(5, (int) (shape[0] * shape[1]), 40), shape);
                Tensor o = Muon.orthogonalize(g.detach(), 5, false);
                int rank = (int) Math.min(shape[0], shape[1]);
                Tensor gram = shape[0] <= shape[1] ? torch.mm(o, o.transpose(0, 1)) : torch.mm(o.transpose(0, 1), o);
                float[] a = TorchTensors.toFloats(gram);
                for (int i = 0; i < rank; i++) {
                    for (int j = 0; j < rank; j++) {
                        assertThat(a[i * rank + j]).isCloseTo(i == j ? 1f : 0f, within(0.55f));
                    }
                }
                // The same singular vectors: the product with the gradient is the nuclear norm, up to the spread.
                double aligned = TorchTensors.item(torch.sum(o.mul(g.detach())));
                assertThat(aligned).isGreaterThan(0.7 * TorchTensors.item(torch.norm(g.detach())));
            }
        }
    }

    @Test
    void muonReducesALoss() {
        try (PointerScope scope = new PointerScope()) {
            Tensor w = leaf(noise(1, 32, 1), 4, 8);
            Tensor target = TorchTensors.ofFloats(noise(2, 32, 1), 4, 8);
            try (Muon muon = new Muon(Map.of("w", w), Muon.Options.DEFAULT)) {
                double first = Double.NaN;
                double last = Double.NaN;
                for (int step = 0; step < 100; step++) {
                    Tensor loss = torch.mse_loss(w, target);
                    loss.backward();
                    muon.step(0.1 * (1 - step / 100.0));
                    w.mutable_grad().reset();
                    last = TorchTensors.item(loss);
                    first = Double.isNaN(first) ? last : first;
                }
                assertThat(last).isLessThan(0.05 * first);
            }
            assertThatThrownBy(() -> new Muon(Map.of("b", leaf(new float[2], 2)), Muon.Options.DEFAULT))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("b");
        }
    }

    @Test
    void groupsSplitByShapeAndName() {
        try (PointerScope scope = new PointerScope()) {
            Map<String, Tensor> p = new LinkedHashMap<>();
            p.put("blocks.0.weight", leaf(new float[6], 2, 3));
            p.put("blocks.0.bias", leaf(new float[2], 2));
            p.put("blocks.0.modulation", leaf(new float[6], 1, 1, 6));
            p.put("head.weight", leaf(new float[6], 3, 2));
            try (Optimizer o = ParameterGroups.muonAndAdamW(
                    p, n -> n.startsWith("blocks."), Muon.Options.DEFAULT, AdamW.Options.DEFAULT, 0.3)) {
                assertThat(o.parameters().keySet()).containsExactlyInAnyOrderElementsOf(p.keySet());
                assertThat(o.state().keySet())
                        .containsExactlyInAnyOrder(
                                "muon.m.blocks.0.weight",
                                "adam.m.head.weight",
                                "adam.v.head.weight",
                                "adam.m.blocks.0.bias",
                                "adam.v.blocks.0.bias",
                                "adam.m.blocks.0.modulation",
                                "adam.v.blocks.0.modulation");
            }
        }
    }

    @Test
    void clippingScalesAllGradientsAlike() {
        try (PointerScope scope = new PointerScope()) {
            Tensor a = leaf(new float[] {3}, 1);
            Tensor b = leaf(new float[] {2, 1}, 2);
            torch.sum(a.mul(new Scalar(3.0)))
                    .add(torch.sum(b.mul(new Scalar(4.0))))
                    .backward();
            double norm = Math.sqrt(9 + 16 + 16);
            assertThat(GradientClipping.globalNorm(List.of(a, b), 100)).isCloseTo(norm, within(1e-4));
            assertThat(TorchTensors.toFloats(b.grad())).containsExactly(4, 4);
            assertThat(GradientClipping.globalNorm(List.of(a, b), 1)).isCloseTo(norm, within(1e-4));
            assertThat(TorchTensors.item(a.grad())).isCloseTo(3 / norm, within(1e-5));
            torch.sum(a.mul(new Scalar(Double.NaN))).backward();
            assertThat(GradientClipping.globalNorm(List.of(a, b), 1)).isNaN();
        }
    }

    @Test
    void schedulesRiseAndFall() {
        LearningRate r = LearningRate.cosine(1, 0.1, 100).withWarmUp(9);
        assertThat(r.at(0)).isCloseTo(0.1, within(1e-9));
        assertThat(r.at(4)).isBetween(0.49, 0.5);
        assertThat(r.at(50)).isCloseTo(0.55, within(1e-9));
        assertThat(r.at(100)).isCloseTo(0.1, within(1e-9));
        assertThat(r.at(1000)).isCloseTo(0.1, within(1e-9));
        LearningRate t = LearningRate.constantThenLinear(2, 0, 10, 4);
        assertThat(t.at(6)).isEqualTo(2);
        assertThat(t.at(8)).isCloseTo(1, within(1e-9));
        assertThat(t.at(10)).isZero();
        assertThat(LearningRate.linear(1, 3, 4).at(2)).isEqualTo(2);
    }

    @Test
    void averageFollowsAndSwaps() {
        try (PointerScope scope = new PointerScope()) {
            Tensor p = leaf(new float[] {0}, 1);
            try (ExponentialMovingAverage ema = new ExponentialMovingAverage(Map.of("p", p), 0.5)) {
                p.detach().fill_(new Scalar(1.0));
                ema.update();
                assertThat(ema.weights().get("p").toFloatArray()).containsExactly(0.9f);
                for (int i = 0; i < 30; i++) {
                    ema.update();
                }
                p.detach().fill_(new Scalar(3.0));
                ema.update();
                assertThat(ema.weights().get("p").toFloatArray()[0]).isCloseTo(2f, within(1e-4f));
                try (ExponentialMovingAverage.Swap swap = ema.swapIn()) {
                    assertThat(TorchTensors.item(p)).isCloseTo(2, within(1e-4));
                }
                assertThat(TorchTensors.item(p)).isEqualTo(3);
            }
        }
    }

    private static Tensor leaf(float[] values, long... shape) {
        Tensor t = TorchTensors.ofFloats(values, shape);
        t.set_requires_grad(true);
        return t;
    }

    private static float[] noise(long seed, int n, double scale) {
        SplittableRandom r = new SplittableRandom(seed);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) (scale * r.nextDouble(-1, 1));
        }
        return v;
    }
}
