package io.teleworld.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.ResourceClosedException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;

/** A scope tree against a list of lists that says what should be closed, and in which order. */
class ScopeTest {

    private record Step(int kind, int a, int b) {}

    /** Something that a scope owns; equality is deliberately useless, since scopes must go by identity. */
    private static final class Thing implements AutoCloseable {
        private final int id;
        private final List<String> log;

        Thing(int id, List<String> log) {
            this.id = id;
            this.log = log;
        }

        @Override
        public void close() {
            log.add("t" + id);
        }

        @Override
        public boolean equals(@Nullable Object o) {
            return o instanceof Thing;
        }

        @Override
        public int hashCode() {
            return 1;
        }

        @Override
        public String toString() {
            return "t" + id;
        }
    }

    /** What a scope should be: its members in the order of adoption. */
    private static final class Model {
        private final Scope scope;
        private final @Nullable Model parent;
        private final List<Object> members = new ArrayList<>();
        private boolean closed;

        Model(Scope scope, @Nullable Model parent) {
            this.scope = scope;
            this.parent = parent;
        }

        void close(List<String> expected) {
            if (closed) {
                return;
            }
            closed = true;
            if (parent != null) {
                remove(parent.members, this);
            }
            List<Object> snapshot = new ArrayList<>(members);
            members.clear();
            for (int k = snapshot.size() - 1; k >= 0; k--) {
                if (snapshot.get(k) instanceof Model m) {
                    m.close(expected);
                } else {
                    expected.add(snapshot.get(k).toString());
                }
            }
        }

        static boolean remove(List<Object> from, Object what) {
            for (int k = 0; k < from.size(); k++) {
                if (from.get(k) == what) {
                    from.remove(k);
                    return true;
                }
            }
            return false;
        }
    }

    @Provide
    Arbitrary<List<Step>> steps() {
        return Combinators.combine(
                        Arbitraries.integers().between(0, 9),
                        Arbitraries.integers().between(0, 1000),
                        Arbitraries.integers().between(0, 1000))
                .as(Step::new)
                .list()
                .ofMaxSize(60);
    }

    @Property(tries = 400)
    void behavesLikeItsModel(@ForAll("steps") List<Step> steps) {
        List<String> log = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        List<Thing> things = new ArrayList<>();
        List<Model> scopes = new ArrayList<>(List.of(new Model(Scope.root("root"), null)));
        for (Step s : steps) {
            Model m = scopes.get(s.a() % scopes.size());
            Model other = scopes.get(s.b() % scopes.size());
            Thing t = things.isEmpty() ? new Thing(-1, log) : things.get(s.b() % things.size());
            switch (s.kind()) {
                case 0, 1, 2, 3 -> {
                    Thing fresh = new Thing(things.size(), log);
                    things.add(fresh);
                    if (m.closed) {
                        expected.add(fresh.toString());
                        assertThatThrownBy(() -> m.scope.adopt(fresh)).isInstanceOf(ResourceClosedException.class);
                    } else {
                        m.members.add(fresh);
                        assertThat(m.scope.adopt(fresh)).isSameAs(fresh);
                    }
                }
                case 4 -> {
                    if (m.closed) {
                        assertThatThrownBy(() -> m.scope.child("late")).isInstanceOf(ResourceClosedException.class);
                    } else {
                        Model child = new Model(m.scope.child("child"), m);
                        m.members.add(child);
                        scopes.add(child);
                    }
                }
                case 5 -> {
                    if (Model.remove(m.members, t)) {
                        assertThat(m.scope.release(t)).isSameAs(t);
                    } else {
                        assertThatThrownBy(() -> m.scope.release(t)).isInstanceOf(IllegalArgumentException.class);
                    }
                }
                case 6, 7 -> {
                    Thing moved = things.isEmpty() ? t : things.get((s.a() + s.b()) % things.size());
                    if (!Model.remove(m.members, moved)) {
                        assertThatThrownBy(() -> m.scope.moveTo(other.scope, moved))
                                .isInstanceOf(IllegalArgumentException.class);
                    } else if (other.closed) {
                        expected.add(moved.toString());
                        assertThatThrownBy(() -> m.scope.moveTo(other.scope, moved))
                                .isInstanceOf(ResourceClosedException.class);
                    } else {
                        other.members.add(moved);
                        m.scope.moveTo(other.scope, moved);
                    }
                }
                case 8 -> {
                    if (Model.remove(m.members, t)) {
                        expected.add(t.toString());
                    }
                    m.scope.closeEarly(t);
                }
                default -> {
                    // The root rarely, since nothing happens after that.
                    if (m.parent != null || s.b() % 10 == 0) {
                        m.close(expected);
                        m.scope.close();
                    }
                }
            }
            for (Model each : scopes) {
                assertThat(each.scope.size()).isEqualTo(each.members.size());
                assertThat(each.scope.isClosed()).isEqualTo(each.closed);
            }
            assertThat(log).isEqualTo(expected);
        }
        scopes.get(0).close(expected);
        scopes.get(0).scope.close();
        scopes.get(0).scope.close();
        assertThat(log).isEqualTo(expected).doesNotHaveDuplicates();
        assertThat(scopes).allMatch(each -> each.scope.isClosed());
    }

    @Example
    void closesEverythingAndCollectsFailures() {
        List<String> log = new ArrayList<>();
        Scope root = Scope.root("root");
        root.adopt(new Thing(1, log));
        root.adopt(failing("first adopted"));
        Scope child = root.child("child");
        child.adopt(failing("in child"));
        child.adopt(new Thing(2, log));
        root.adopt(() -> {
            throw new java.io.IOException("checked");
        });
        assertThatThrownBy(root::close)
                .isInstanceOf(IllegalStateException.class)
                .hasRootCauseMessage("checked")
                .satisfies(e -> assertThat(e.getSuppressed())
                        .extracting(Throwable::getMessage)
                        .containsExactly("in child", "first adopted"));
        assertThat(log).containsExactly("t2", "t1");
        root.close();
        assertThat(child.isClosed()).isTrue();
    }

    @Example
    void aLateObjectIsClosedAtOnce() {
        Scope root = Scope.root("session");
        root.close();
        assertThatThrownBy(() -> root.adopt(failing("stuck")))
                .isInstanceOf(ResourceClosedException.class)
                .hasMessageContaining("session")
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
    }

    @Example
    void threadsShareAScope() throws Exception {
        AtomicInteger open = new AtomicInteger();
        Scope root = Scope.root("shared");
        CountDownLatch start = new CountDownLatch(1);
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            List<Future<?>> done = new ArrayList<>();
            for (int k = 0; k < 4; k++) {
                done.add(pool.submit(() -> {
                    start.await();
                    for (int i = 0; i < 500; i++) {
                        open.incrementAndGet();
                        AutoCloseable c = open::decrementAndGet;
                        try {
                            root.adopt(c);
                        } catch (ResourceClosedException closedMeanwhile) {
                            continue;
                        }
                        if (i % 3 == 0) {
                            root.closeEarly(c);
                        }
                    }
                    return null;
                }));
            }
            start.countDown();
            Thread.sleep(2);
            root.close();
            for (Future<?> f : done) {
                f.get();
            }
        } finally {
            pool.shutdownNow();
        }
        assertThat(open).hasValue(0);
        assertThat(root.size()).isZero();
    }

    private static AutoCloseable failing(String message) {
        return () -> {
            throw new IllegalStateException(message);
        };
    }
}
