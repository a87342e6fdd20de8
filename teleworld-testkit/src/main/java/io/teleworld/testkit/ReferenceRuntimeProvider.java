package io.teleworld.testkit;

import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.util.List;

/** Provides {@link ReferenceRuntime} under the name {@code reference}; always available. Thread-safe. */
public final class ReferenceRuntimeProvider implements TensorRuntimeProvider {

    @Override
    public String name() {
        return ReferenceRuntime.NAME;
    }

    @Override
    public Availability probe() {
        return new Availability.Available(List.of(ReferenceRuntime.DEVICE));
    }

    @Override
    public TensorRuntime create(RuntimeOptions options) {
        if (!options.deviceId().equals(Device.CPU)) {
            throw new IllegalArgumentException("device is " + options.deviceId() + "; known is " + Device.CPU);
        }
        return new ReferenceRuntime();
    }
}
