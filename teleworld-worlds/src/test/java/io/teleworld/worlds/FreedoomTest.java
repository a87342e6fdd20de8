package io.teleworld.worlds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/** Against the real maps, where they are installed. */
@EnabledIf("io.teleworld.worlds.Freedoom#available")
class FreedoomTest {

    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(88, 48, Math.toRadians(75));
    private final Freedoom freedoom = Freedoom.locate();

    @Test
    void mapsAreSplit() {
        List<String> heldOut = freedoom.maps(MapSplit.HELD_OUT).stream()
                .map(Freedoom.MapRef::map)
                .toList();
        assertThat(freedoom.maps()).hasSizeGreaterThanOrEqualTo(32);
        for (Freedoom.MapRef m : freedoom.maps(MapSplit.TRAIN)) {
            assertThat(heldOut).doesNotContain(m.map());
        }
        assertThatThrownBy(() -> freedoom.world("E9M9"))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("E9M9");
    }

    @Test
    void wallsFloorsAndSkyAreWhereATracerFindsThem() {
        Freedoom.MapRef ref = freedoom.maps(MapSplit.TRAIN).get(0);
        FreedoomWorld world = freedoom.world(ref);
        DoomMap map = freedoom.map(ref);
        BspTree tree = new BspTree(map);
        SplittableRandom random = new SplittableRandom(1);
        RenderTarget t = new RenderTarget(88, 48);
        int behind = 0;
        int wrong = 0;
        int compared = 0;
        for (int i = 0; i < 12; i++) {
            Pose p = world.spawn(random).compose(Pose.pitch(0.8 * (random.nextDouble() - 0.5)));
            world.render(p, CAMERA, 0, t);
            int sector = tree.leaves.get(tree.leafAt(p.tx(), p.tz())).sector;
            for (int y = 1; y < 48; y += 5) {
                for (int x = 1; x < 88; x += 5) {
                    float z = t.depth()[y * 88 + x];
                    if (t.label()[y * 88 + x] > World.LABEL_STATIC) {
                        continue;
                    }
                    double d = Tracer.depth(map, sector, Tracer.ray(p, CAMERA, x, y));
                    compared++;
                    behind += z > 1.001 * d ? 1 : 0;
                    boolean same = Double.isInfinite(d) ? Float.isInfinite(z) : Math.abs(z - d) < 1e-3 * d;
                    wrong += same ? 0 : 1;
                }
            }
        }
        // Railings and grates stand in front of what the tracer finds; nothing may lie behind it.
        assertThat(compared).isGreaterThan(1000);
        assertThat(behind).as("of " + compared).isLessThanOrEqualTo(compared / 500);
        assertThat(wrong).as("of " + compared).isLessThanOrEqualTo(compared / 8);
    }

    @Test
    void monstersMoveAndFlowFollowsThem() {
        FreedoomWorld world = freedoom.world(freedoom.maps(MapSplit.TRAIN).get(0));
        assertThat(world.instances()).anyMatch(InstanceInfo::dynamic).anyMatch(i -> !i.dynamic());
        SplittableRandom random = new SplittableRandom(2);
        RenderTarget a = new RenderTarget(88, 48);
        RenderTarget b = new RenderTarget(88, 48);
        int kept = 0;
        int lost = 0;
        for (int k = 0; k < 60; k++) {
            Pose p = world.spawn(random);
            world.render(p, CAMERA, 1, a);
            world.render(p, CAMERA, 1.2, b);
            float[] flow = world.flow(p, 1, p, 1.2, CAMERA);
            for (int i = 0; i < 88 * 48; i++) {
                boolean dynamic = a.label()[i] > 1
                        && world.instances().get(a.label()[i] - 2).dynamic();
                if (dynamic && Math.hypot(flow[2 * i], flow[2 * i + 1]) > 0.5) {
                    int x = (int) Math.min(87, Math.max(0, i % 88 + 0.5 + flow[2 * i]));
                    int y = (int) Math.min(47, Math.max(0, i / 88 + 0.5 + flow[2 * i + 1]));
                    if (b.label()[y * 88 + x] == a.label()[i]) {
                        kept++;
                    } else {
                        lost++;
                    }
                }
            }
        }
        assertThat(kept).isGreaterThan(100);
        // Legs move and outlines change with the walking frames.
        assertThat(lost).isLessThan(kept / 2);
    }
}
