package io.teleworld.examples;

import io.teleworld.ChainingPolicy;
import io.teleworld.WorldStart;
import io.teleworld.core.plan.FrameChainPlanner;
import io.teleworld.core.plan.WholeSegmentPlanner;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** How a session plans its segments. */
enum PlannerChoice {
    MACRO_MICRO,
    FRAME_CHAIN,
    WHOLE_SEGMENT;

    /** A start with this planner. */
    WorldStart configure(WorldStart start) {
        return switch (this) {
            case MACRO_MICRO -> start.chaining(ChainingPolicy.MAX_THROUGHPUT);
            case FRAME_CHAIN -> start.planner(new FrameChainPlanner());
            case WHOLE_SEGMENT -> start.planner(new WholeSegmentPlanner());
        };
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Reads a name on the command line. */
    static final class Converter implements ITypeConverter<PlannerChoice> {
        @Override
        public PlannerChoice convert(String value) {
            for (PlannerChoice choice : PlannerChoice.values()) {
                if (choice.toString().equals(value.toLowerCase(Locale.ROOT))) {
                    return choice;
                }
            }
            throw new TypeConversionException(
                    "'" + value + "' is no planner; there are macro-micro, frame-chain and whole-segment");
        }
    }
}
