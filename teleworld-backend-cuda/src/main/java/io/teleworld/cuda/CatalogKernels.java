package io.teleworld.cuda;

import io.teleworld.cuda.kernel.KernelCatalog;
import io.teleworld.cuda.kernel.KernelChoice;
import io.teleworld.cuda.kernel.KernelLaunch;
import io.teleworld.cuda.kernel.MixedKernels;
import io.teleworld.cuda.plan.KernelSource;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Op;
import io.teleworld.graph.TensorType;
import java.util.List;
import java.util.Set;

/** The shipped kernels as plans ask for them. Products that reach it are computed by their own kernels. */
final class CatalogKernels implements KernelSource {

    /** The runtime's memory, and a block that is faster in parts. */
    private static final Set<Class<? extends Op>> LACKING =
            Set.of(Op.ReadState.class, Op.WriteState.class, Op.MemoryBlock.class);

    @Override
    public boolean supports(Class<? extends Op> op) {
        return !LACKING.contains(op);
    }

    @Override
    public List<TensorType> workspace(Op op, List<TensorType> inputs, List<TensorType> outputs) {
        return KernelCatalog.workspace(op, inputs, outputs);
    }

    @Override
    public List<KernelLaunch> quantise(TensorType x, int from, int codes, int scales) {
        long width = x.shape().dim(-1).known();
        long rows = x.shape().elementCount().known() / width;
        return List.of(MixedKernels.quantiseRows(x.dtype(), from, codes, scales, rows, width));
    }

    @Override
    public List<KernelLaunch> quantised(
            Op op, List<TensorType> inputs, List<Integer> inputBuffers, int codes, int scales) {
        return op instanceof Op.ModulatedLayerNorm m && MixedKernels.quantises(op, inputs)
                ? List.of(MixedKernels.quantisedModulatedLayerNorm(m, inputs, inputBuffers, codes, scales))
                : List.of();
    }

    @Override
    public List<KernelLaunch> launches(
            Op op,
            List<TensorType> inputs,
            List<TensorType> outputs,
            List<Integer> inputBuffers,
            List<Integer> outputBuffers) {
        if (MixedKernels.takes(op, inputs, outputs)) {
            return List.of(MixedKernels.choose(op, inputs, outputs, inputBuffers, outputBuffers));
        }
        KernelChoice choice = KernelCatalog.choose(op, inputs, outputs, inputBuffers, outputBuffers);
        if (choice instanceof KernelChoice.Kernels k) {
            return k.launches();
        }
        if (choice instanceof KernelChoice.Product p) {
            return List.of(p.fallback());
        }
        throw new TeleWorldException(
                TeleWorldException.Category.BACKEND,
                ((KernelChoice.Unsupported) choice).reason() + " of " + inputs + " to " + outputs);
    }
}
