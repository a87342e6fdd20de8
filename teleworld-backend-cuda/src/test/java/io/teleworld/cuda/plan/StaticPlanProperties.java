package io.teleworld.cuda.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.kernel.KernelLaunch;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Op;
import io.teleworld.graph.TensorType;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.testkit.GraphCase;
import io.teleworld.testkit.RandomGraphs;
import io.teleworld.testkit.ReferenceRuntime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;

class StaticPlanProperties {

    /** One launch per operator, whose arguments are its buffers. */
    private static final KernelSource ANY = new KernelSource() {
        @Override
        public boolean supports(Class<? extends Op> op) {
            return true;
        }

        @Override
        public List<KernelLaunch> launches(
                Op op,
                List<TensorType> inputs,
                List<TensorType> outputs,
                List<Integer> inputBuffers,
                List<Integer> outputBuffers) {
            List<KernelLaunch.Argument> arguments = new ArrayList<>();
            inputBuffers.forEach(b -> arguments.add(new KernelLaunch.Buffer(b, 0)));
            outputBuffers.forEach(b -> arguments.add(new KernelLaunch.Buffer(b, 0)));
            return List.of(new KernelLaunch(op.name(), 1, 1, 1, 32, 1, 1, 0, arguments));
        }

        @Override
        public List<KernelLaunch> quantise(TensorType x, int from, int codes, int scales) {
            return quantised(new Op.Relu(), List.of(x), List.of(from), codes, scales);
        }

        @Override
        public List<KernelLaunch> quantised(
                Op op, List<TensorType> inputs, List<Integer> inputBuffers, int codes, int scales) {
            List<KernelLaunch.Argument> arguments = new ArrayList<>();
            inputBuffers.forEach(b -> arguments.add(new KernelLaunch.Buffer(b, 0)));
            arguments.add(new KernelLaunch.Buffer(codes, 0));
            arguments.add(new KernelLaunch.Buffer(scales, 0));
            return List.of(new KernelLaunch("quantised", 1, 1, 1, 32, 1, 1, 0, arguments));
        }
    };

    private static StaticPlan plan(GraphCase c, DType narrow) {
        Graph g = c.graph();
        Map<String, Long> symbols;
        try (ReferenceRuntime r = new ReferenceRuntime();
                Program p = r.compile(g, c.asWeights(), Precision.FP32);
                Scope scope = Scope.root("bind")) {
            symbols = ProgramChecks.bind(g, c.inputs(), p.newState(scope), RunOptions.DEFAULT);
        }
        ElementTypes types = ElementTypes.of(g, narrow);
        return StaticPlan.of(
                g, RunShape.stateless(symbols), WeightLayout.of(types), StateLayout.of(types), ANY, true, types);
    }

    /** What is written is not touched by another buffer until it was read for the last time. */
    @Property(tries = 200)
    void nothingIsOverwrittenBeforeItsLastUse(@ForAll @LongRange(min = 0, max = 100_000) long seed) {
        for (DType narrow : List.of(DType.F32, DType.BF16)) {
            StaticPlan plan = plan(RandomGraphs.draw(seed), narrow);
            // Who wrote each byte last, by 16 bytes: a step may only read what its own buffer's memory was given.
            Map<Long, Integer> writer = new HashMap<>();
            for (StaticPlan.Step step : plan.steps()) {
                for (int id : step.reads()) {
                    StaticPlan.Buffer b = plan.buffers().get(id);
                    if (b.region() == Region.WORKSPACE) {
                        for (long at = b.offset() / 16; at < (b.offset() + b.bytes() + 15) / 16; at++) {
                            assertThat(writer)
                                    .as("%s reads %s in %s", step, b, plan)
                                    .containsKey(at);
                        }
                        Set<Integer> writers = new HashSet<>();
                        for (long at = b.offset() / 16; at < (b.offset() + b.bytes() + 15) / 16; at++) {
                            writers.add(writer.get(at));
                        }
                        assertThat(writers).as("writers of what %s reads", step).hasSizeLessThanOrEqualTo(1);
                    }
                }
                for (int id : step.writes()) {
                    StaticPlan.Buffer b = plan.buffers().get(id);
                    assertThat(b.region()).isIn(Region.WORKSPACE, Region.OUTPUT, Region.STATE);
                    for (int other : step.reads()) {
                        StaticPlan.Buffer r = plan.buffers().get(other);
                        assertThat(r.region() == b.region()
                                        && r.region() == Region.WORKSPACE
                                        && r.offset() < b.offset() + b.bytes()
                                        && b.offset() < r.offset() + r.bytes())
                                .as("%s writes over what it reads", step)
                                .isFalse();
                    }
                    if (b.region() == Region.WORKSPACE) {
                        for (long at = b.offset() / 16; at < (b.offset() + b.bytes() + 15) / 16; at++) {
                            writer.put(at, id);
                        }
                    }
                }
            }
        }
    }

    @Property(tries = 200)
    void theWorkspaceIsNoSmallerThanWhatLivesAndNoLargerThanAll(@ForAll @LongRange(min = 0, max = 100_000) long seed) {
        GraphCase c = RandomGraphs.draw(seed);
        StaticPlan plan = plan(c, DType.F32);
        long sum = 0;
        Set<Integer> written = new HashSet<>();
        for (StaticPlan.Step s : plan.steps()) {
            for (int id : s.writes()) {
                StaticPlan.Buffer b = plan.buffers().get(id);
                if (b.region() == Region.WORKSPACE && written.add(id)) {
                    sum += BufferPlanner.align(b.bytes());
                }
            }
        }
        assertThat(plan.memory().workspaceBytes()).isBetween(plan.liveBytes(), sum);
        for (StaticPlan.Buffer b : plan.buffers()) {
            if (b.region() == Region.WORKSPACE) {
                assertThat(b.offset() + b.bytes())
                        .isLessThanOrEqualTo(plan.memory().workspaceBytes());
            }
        }
        for (Map.Entry<String, Value> e : c.graph().outputs().entrySet()) {
            StaticPlan.Buffer b = plan.buffers().get(plan.outputs().get(e.getKey()));
            assertThat(b.region()).isEqualTo(Region.OUTPUT);
            assertThat(b.dtype()).isEqualTo(e.getValue().dtype());
            assertThat(b.offset() + b.bytes()).isLessThanOrEqualTo(plan.memory().outputBytes());
        }
    }
}
