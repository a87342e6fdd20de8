package io.teleworld.testkit;

import io.teleworld.runtime.TensorRuntime;

/** The interpreter with composites expanded: their definitions against their kernels. */
class ExpandedReferenceRuntimeTest extends TensorRuntimeContract {

    @Override
    protected TensorRuntime createRuntime() {
        return new ReferenceRuntime(true);
    }
}
