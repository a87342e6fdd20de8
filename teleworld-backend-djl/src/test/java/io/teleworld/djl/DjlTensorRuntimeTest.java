package io.teleworld.djl;

import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.testkit.TensorRuntimeContract;

class DjlTensorRuntimeTest extends TensorRuntimeContract {

    @Override
    protected TensorRuntime createRuntime() {
        return new DjlRuntimeProvider().create(new RuntimeOptions("cpu", 1));
    }
}
