package io.teleworld.testkit;

import io.teleworld.runtime.Device;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.TensorRuntime;

/**
 * The contract of a runtime on the class path, for machines without a build: the system property {@value #RUNTIME} names
 * it, {@value #DEVICE} its device.
 */
public final class NamedRuntimeContract extends TensorRuntimeContract {

    /** Names the runtime; the oracle itself by default. */
    public static final String RUNTIME = "teleworld.contract.runtime";

    /** Names the device; the host by default. */
    public static final String DEVICE = "teleworld.contract.device";

    /** Made by JUnit. */
    public NamedRuntimeContract() {
        // The properties say the rest.
    }

    @Override
    protected TensorRuntime createRuntime() {
        return RuntimeRegistry.load(NamedRuntimeContract.class.getClassLoader())
                .get(System.getProperty(RUNTIME, "reference"))
                .create(new RuntimeOptions(System.getProperty(DEVICE, Device.CPU), 0));
    }
}
