package io.teleworld.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.ResourceClosedException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import org.junit.jupiter.api.Test;

class HostTensorTest {

    @Test
    void holdsLittleEndianRows() {
        HostTensor t = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        assertThat(t.shape()).containsExactly(2, 3);
        assertThat(t.elementCount()).isEqualTo(6);
        assertThat(t.hostBuffer().isDirect()).isTrue();
        assertThat(t.hostBuffer().order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
        assertThat(t.hostBuffer().get(3)).isEqualTo((byte) 0x3f);
        assertThat(t.hostBuffer().getFloat(16)).isEqualTo(5);
        assertThat(HostTensor.ofLongs(new long[] {7}).shape()).isEmpty();
        assertThat(HostTensor.zeros(DType.F32, 0, 3).elementCount()).isZero();
    }

    @Test
    void viewsShareMemoryAndAreReadOnly() {
        HostTensor t = HostTensor.zeros(DType.F32, 2);
        ByteBuffer view = t.hostBuffer();
        t.mutableBuffer().putFloat(4, 9);
        assertThat(view.getFloat(4)).isEqualTo(9);
        assertThatThrownBy(() -> view.put(0, (byte) 1)).isInstanceOf(ReadOnlyBufferException.class);
        long[] shape = t.shape();
        shape[0] = 99;
        assertThat(t.shape()).containsExactly(2);
    }

    @Test
    void wrapsWithoutCopying() {
        ByteBuffer b = ByteBuffer.allocateDirect(20)
                .order(ByteOrder.BIG_ENDIAN)
                .position(4)
                .limit(12);
        HostTensor t = HostTensor.wrap(DType.F32, b, 2);
        t.mutableBuffer().putFloat(0, 1);
        assertThat(b.get(7)).isEqualTo((byte) 0x3f);
        assertThat(b.order()).isEqualTo(ByteOrder.BIG_ENDIAN);
        assertThatThrownBy(() -> HostTensor.wrap(DType.F32, b, 3))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("8 bytes")
                .hasMessageContaining("12");
    }

    @Test
    void refusesWhatDoesNotFit() {
        assertThatThrownBy(() -> HostTensor.ofFloats(new float[5], 2, 3))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("5 values");
        assertThatThrownBy(() -> HostTensor.zeros(DType.F32, -1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> HostTensor.zeros(DType.F32, Long.MAX_VALUE, 2))
                .isInstanceOf(ArithmeticException.class);
        assertThatThrownBy(() -> HostTensor.zeros(DType.I64, 1).toFloatArray())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("I64");
    }

    @Test
    void closedTensorsRefuse() {
        HostTensor t = HostTensor.ofBooleans(new boolean[] {true}, 1);
        t.close();
        t.close();
        assertThatThrownBy(t::hostBuffer)
                .isInstanceOf(ResourceClosedException.class)
                .hasMessageContaining("BOOL[1]");
        assertThatThrownBy(t::mutableBuffer).isInstanceOf(ResourceClosedException.class);
        assertThatThrownBy(t::shape).isInstanceOf(ResourceClosedException.class);
        assertThatThrownBy(t::dtype).isInstanceOf(ResourceClosedException.class);
        assertThatThrownBy(t::elementCount).isInstanceOf(ResourceClosedException.class);
    }
}
