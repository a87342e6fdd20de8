package io.teleworld.core.schedule;

import io.teleworld.GenerationStage;
import io.teleworld.Planner;
import io.teleworld.SegmentPlan;
import io.teleworld.StageKind;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The tasks of every segment and what each waits for. Immutable.
 *
 * <p>GUIDE(s) → PLAN(s); PLAN(s) → POPULATE(s) stage by stage; the latent frames of a segment are decoded, upscaled and
 * emitted in order as soon as they are made; REENCODE(s) → PLAN(s+1); RECONSTRUCT(s) → GUIDE(s+1) (paper §3.3.1,
 * §3.6.1). What REENCODE and RECONSTRUCT wait for is the {@link HandoffMode}.
 */
public final class TaskGraph {

    /** Where the pictures of keyframes and of the hand-off come from. */
    public enum HandoffMode {
        /** From a clip of the planned frames, decoded apart: the next segment can start before this one is populated. */
        CLIP,
        /** From the segment's own decoded stream: exactly the pictures that are shown, and nothing is decoded twice. */
        STREAM
    }

    private final Planner planner;
    private final HandoffMode mode;

    /** The graph of a planner's segments. */
    public TaskGraph(Planner planner, HandoffMode mode) {
        this.planner = Objects.requireNonNull(planner, "planner");
        this.mode = Objects.requireNonNull(mode, "hand-off mode");
    }

    /** The plan of a segment. */
    public SegmentPlan plan(int segment) {
        return planner.plan(segment);
    }

    /** Where hand-off pictures come from. */
    public HandoffMode mode() {
        return mode;
    }

    /** All tasks of a segment. */
    public List<Task> tasks(int segment) {
        SegmentPlan plan = plan(segment);
        List<Task> tasks = new ArrayList<>();
        tasks.add(new Task(segment, TaskKind.GUIDE, 0));
        for (int i = 0; i < plan.stages().size(); i++) {
            tasks.add(stageTask(segment, plan.stages().get(i), i));
        }
        tasks.add(new Task(segment, TaskKind.REENCODE, 0));
        tasks.add(new Task(segment, TaskKind.RECONSTRUCT, 0));
        for (int f : plan.emitted()) {
            tasks.add(new Task(segment, TaskKind.DECODE, f));
            tasks.add(new Task(segment, TaskKind.UPSCALE, f));
            tasks.add(new Task(segment, TaskKind.EMIT, f));
        }
        return tasks;
    }

    private static Task stageTask(int segment, GenerationStage stage, int index) {
        return new Task(segment, stage.kind() == StageKind.PLAN ? TaskKind.PLAN : TaskKind.POPULATE, index);
    }

    /** The tasks that must be complete before {@code task} may start. */
    public List<Task> dependencies(Task task) {
        int s = task.segment();
        SegmentPlan plan = plan(s);
        List<Task> deps = new ArrayList<>();
        switch (task.kind()) {
            case GUIDE -> {
                if (s > 0) {
                    deps.add(new Task(s - 1, TaskKind.GUIDE, 0));
                    deps.add(new Task(s - 1, TaskKind.RECONSTRUCT, 0));
                }
            }
            case PLAN, POPULATE -> {
                if (task.part() > 0) {
                    deps.add(stageTask(s, plan.stages().get(task.part() - 1), task.part() - 1));
                } else {
                    deps.add(new Task(s, TaskKind.GUIDE, 0));
                    if (s > 0) {
                        deps.add(new Task(s - 1, TaskKind.REENCODE, 0));
                    }
                }
            }
            case REENCODE -> deps.add(pictureOf(s, plan, List.of(plan.handoff())));
            case RECONSTRUCT -> {
                deps.add(pictureOf(s, plan, plan.keyframes()));
                if (s > 0) {
                    deps.add(new Task(s - 1, TaskKind.RECONSTRUCT, 0));
                }
            }
            case DECODE -> {
                deps.add(makerOf(s, plan, task.part()));
                addPrevious(deps, task);
            }
            case UPSCALE -> {
                deps.add(new Task(s, TaskKind.DECODE, task.part()));
                addPrevious(deps, task);
            }
            case EMIT -> {
                deps.add(new Task(s, TaskKind.UPSCALE, task.part()));
                addPrevious(deps, task);
            }
        }
        return deps;
    }

    /** Decoding restarts with each segment; upscaling and emission run on over all of them. */
    private void addPrevious(List<Task> deps, Task task) {
        int s = task.segment();
        if (task.part() > 2) {
            deps.add(new Task(s, task.kind(), task.part() - 1));
        } else if (s > 0 && task.kind() != TaskKind.DECODE) {
            deps.add(new Task(s - 1, task.kind(), plan(s - 1).handoff()));
        }
    }

    private Task pictureOf(int segment, SegmentPlan plan, List<Integer> frames) {
        int last = 2;
        for (int f : frames) {
            last = Math.max(last, f);
        }
        if (mode == HandoffMode.STREAM && last <= plan.handoff()) {
            return new Task(segment, TaskKind.DECODE, last);
        }
        return makerOf(segment, plan, last);
    }

    private static Task makerOf(int segment, SegmentPlan plan, int frame) {
        for (int i = 0; i < plan.stages().size(); i++) {
            if (plan.stages().get(i).frames().contains(frame)) {
                return stageTask(segment, plan.stages().get(i), i);
            }
        }
        return new Task(segment, TaskKind.GUIDE, 0);
    }
}
