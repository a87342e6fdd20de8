package io.teleworld.djl;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.JniUtils;
import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.util.ArrayList;
import java.util.List;

/**
 * Opens DJL's PyTorch engine on the host processor or, with a CUDA build of PyTorch, on a card. Thread-safe.
 *
 * <p>PyTorch's native libraries come from the class path ({@code ai.djl.pytorch:pytorch-native-cpu}) or from the folder
 * that {@code PYTORCH_LIBRARY_PATH} names; they are unpacked into DJL's cache ({@code DJL_CACHE_DIR}, by default
 * {@code ~/.djl.ai}) at first use. Nothing is downloaded and nothing is reported. A process that has already loaded
 * another PyTorch, such as that of the training module, cannot load this one. The number of threads holds for the whole
 * process, as PyTorch has only one.
 */
public final class DjlRuntimeProvider implements TensorRuntimeProvider {

    /** The runtime's name. */
    public static final String NAME = "djl";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Availability probe() {
        try {
            return new Availability.Available(devices(DjlEngine.get()));
        } catch (TeleWorldException e) {
            return new Availability.Unavailable(String.valueOf(e.getMessage()));
        }
    }

    private static List<Device> devices(Engine engine) {
        List<Device> out = new ArrayList<>();
        out.add(new Device(
                Device.CPU,
                System.getProperty("os.arch") + " with " + Runtime.getRuntime().availableProcessors() + " processors",
                -1));
        for (int i = 0; i < engine.getGpuCount(); i++) {
            out.add(new Device("cuda:" + i, "CUDA card " + i, -1));
        }
        return out;
    }

    @Override
    public TensorRuntime create(RuntimeOptions options) {
        Engine engine = DjlEngine.get();
        List<Device> known = devices(engine);
        Device chosen = known.stream()
                .filter(d -> d.id().equals(options.deviceId()))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("runtime " + NAME + " has no device '"
                        + options.deviceId() + "'; it has "
                        + known.stream().map(Device::id).toList()));
        JniUtils.setNumThreads(options.threads() == 0 ? Runtime.getRuntime().availableProcessors() : options.threads());
        List<Device> ordered = new ArrayList<>(known);
        ordered.remove(chosen);
        ordered.add(0, chosen);
        int card = known.indexOf(chosen) - 1;
        ai.djl.Device device = card < 0 ? ai.djl.Device.cpu() : ai.djl.Device.gpu(card);
        return DjlEngine.call(
                "opening runtime " + NAME,
                () -> new DjlTensorRuntime(
                        ordered, (PtNDManager) NDManager.newBaseManager(device, engine.getEngineName())));
    }
}
