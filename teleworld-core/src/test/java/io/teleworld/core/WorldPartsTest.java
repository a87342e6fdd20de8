package io.teleworld.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.runtime.Device;
import org.junit.jupiter.api.Test;

class WorldPartsTest {

    private static final Device HOST = new Device(Device.CPU, "a processor", -1);
    private static final Device CARD = new Device("cuda:0", "a card", -1);

    @Test
    void theHostWorksOnTwoTasksIfItMayUseTwoProcessors() {
        assertThat(WorldParts.tasksAtOnce(HOST, 1)).isEqualTo(1);
        assertThat(WorldParts.tasksAtOnce(HOST, 2)).isEqualTo(2);
        assertThat(WorldParts.tasksAtOnce(HOST, 16)).isEqualTo(2);
        assertThat(WorldParts.tasksAtOnce(HOST, 0))
                .isEqualTo(Math.min(2, Runtime.getRuntime().availableProcessors()));
        assertThat(WorldParts.tasksAtOnce(CARD, 8)).isEqualTo(1);
    }
}
