package io.teleworld.training.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.runtime.Availability;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.testkit.TensorRuntimeContract;
import org.junit.jupiter.api.Test;

class TorchRuntimeTest extends TensorRuntimeContract {

    @Override
    protected TensorRuntime createRuntime() {
        return new TorchRuntimeProvider().create(new RuntimeOptions("cpu", 1));
    }

    @Test
    void isFoundByName() {
        var provider = RuntimeRegistry.load(getClass().getClassLoader()).get("torch");
        assertThat(provider.probe()).isInstanceOf(Availability.Available.class);
        assertThatThrownBy(() -> provider.create(new RuntimeOptions("tpu:9", 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("tpu:9")
                .hasMessageContaining("cpu");
    }
}
