package io.teleworld.training.torch;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * Runs the shards of one batch side by side, each on a thread of its own with one LibTorch thread, and adds up their
 * gradients in the shared parameters.
 *
 * <p>On few cores this beats LibTorch's threads inside every operator: nothing waits at the end of each small operator,
 * and a core that other work delays delays only its shard. With at most two shards the result does not depend on which
 * ends first, because a sum of two is commutative. Confined to one thread; the owner closes it.
 */
public final class ShardedBackward implements AutoCloseable {

    /** The loss of one shard. */
    public interface ShardLoss {

        /**
         * Runs forward on one shard; the scope around the call takes all temporaries.
         *
         * @param shard from 0
         * @return a scalar that backward starts from, scaled so that the sum over shards is the batch's loss
         */
        Tensor compute(int shard);
    }

    private final int shards;
    private final ExecutorService threads;

    /**
     * Sets LibTorch to one thread per operator if there is more than one shard.
     *
     * @param shards how many run side by side, usually the number of cores
     */
    public ShardedBackward(int shards) {
        if (shards < 1) {
            throw new IllegalArgumentException("shards is " + shards + "; at least 1");
        }
        this.shards = shards;
        if (shards > 1) {
            TorchNative.setThreads(1);
        }
        this.threads = Executors.newFixedThreadPool(shards, task -> {
            Thread t = new Thread(task, "training-shard");
            t.setDaemon(true);
            return t;
        });
    }

    public int shards() {
        return shards;
    }

    /**
     * Computes every shard's loss and its gradients, which add to those that the parameters hold.
     *
     * @return the shards' losses
     */
    public double[] run(ShardLoss loss) {
        List<Callable<Double>> work = new ArrayList<>();
        for (int i = 0; i < shards; i++) {
            int shard = i;
            work.add(() -> {
                try (PointerScope scope = new PointerScope()) {
                    Tensor l = loss.compute(shard);
                    l.backward();
                    return TorchTensors.item(l);
                }
            });
        }
        double[] out = new double[shards];
        try {
            List<Future<Double>> done = threads.invokeAll(work);
            for (int i = 0; i < shards; i++) {
                out[i] = done.get(i).get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new java.util.concurrent.CancellationException("training step was interrupted");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException r) {
                throw r;
            }
            throw new IllegalStateException(e.getCause());
        }
        return out;
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
