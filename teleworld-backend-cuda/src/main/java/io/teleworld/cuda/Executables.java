package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.plan.RunShape;
import io.teleworld.cuda.plan.StaticPlan;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Captured runs that read and write one state's memory, the least recently used ones forgotten. Confined to the device. */
final class Executables {

    /**
     * A captured run.
     *
     * @param plan what it does
     * @param executable launches it
     * @param generation which of the program's memory it was captured with
     */
    record Entry(StaticPlan plan, CudaDriver.Executable executable, long generation) {}

    private final int most;
    private final LinkedHashMap<RunShape, Entry> byShape = new LinkedHashMap<>(16, 0.75f, true);

    Executables(int most) {
        this.most = most;
    }

    /** A run that was captured with the program's present memory, or null. */
    @Nullable
    Entry find(RunShape shape, long generation) {
        Entry e = byShape.get(shape);
        if (e != null && e.generation() != generation) {
            byShape.remove(shape);
            e.executable().close();
            return null;
        }
        return e;
    }

    void put(RunShape shape, Entry entry) {
        byShape.put(shape, entry);
        Iterator<Map.Entry<RunShape, Entry>> oldest = byShape.entrySet().iterator();
        while (byShape.size() > most) {
            Entry e = oldest.next().getValue();
            oldest.remove();
            e.executable().close();
        }
    }

    void close() {
        byShape.values().forEach(e -> e.executable().close());
        byShape.clear();
    }
}
