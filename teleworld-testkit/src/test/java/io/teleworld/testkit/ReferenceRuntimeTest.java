package io.teleworld.testkit;

import io.teleworld.runtime.TensorRuntime;

/** The interpreter with its own kernels for composites. */
class ReferenceRuntimeTest extends TensorRuntimeContract {

    @Override
    protected TensorRuntime createRuntime() {
        return new ReferenceRuntime();
    }
}
