package io.teleworld.training.torch;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.global.torch;

/** Opens LibTorch on the host processor or, with a CUDA build of it, on a card. Thread-safe. */
public final class TorchRuntimeProvider implements TensorRuntimeProvider {

    /** The runtime's name. */
    public static final String NAME = "torch";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Availability probe() {
        try {
            return new Availability.Available(devices());
        } catch (TeleWorldException e) {
            return new Availability.Unavailable(String.valueOf(e.getMessage()));
        } catch (LinkageError e) {
            return new Availability.Unavailable("LibTorch cannot be loaded: " + TorchNative.rootMessage(e));
        }
    }

    private static List<Device> devices() {
        TorchNative.load();
        List<Device> out = new ArrayList<>();
        out.add(new Device(
                Device.CPU,
                System.getProperty("os.arch") + " with " + Runtime.getRuntime().availableProcessors() + " processors",
                -1));
        if (torch.cuda_is_available()) {
            out.add(new Device("cuda:0", "CUDA card 0", -1));
        }
        return out;
    }

    @Override
    public TensorRuntime create(RuntimeOptions options) {
        List<Device> known = devices();
        Device chosen = known.stream()
                .filter(d -> d.id().equals(options.deviceId()))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("runtime " + NAME + " has no device '"
                        + options.deviceId() + "'; it has "
                        + known.stream().map(Device::id).toList()));
        int threads = options.threads() == 0 ? Runtime.getRuntime().availableProcessors() : options.threads();
        TorchNative.setThreads(threads);
        return new TorchRuntime(chosen, known);
    }
}
