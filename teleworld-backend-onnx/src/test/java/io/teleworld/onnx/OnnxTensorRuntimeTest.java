package io.teleworld.onnx;

import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.testkit.TensorRuntimeContract;

class OnnxTensorRuntimeTest extends TensorRuntimeContract {

    @Override
    protected TensorRuntime createRuntime() {
        return new OnnxRuntimeProvider().create(RuntimeOptions.cpu());
    }
}
