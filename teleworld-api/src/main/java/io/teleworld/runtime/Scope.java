package io.teleworld.runtime;

import io.teleworld.error.ResourceClosedException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Owner of tensors and other native objects; scopes form a tree.
 *
 * <p>Thread-safe. Closing a scope closes what it owns and its child scopes, newest first; it is idempotent, closes
 * everything even if some of it fails, and throws the first failure with the others suppressed. Using a closed scope
 * throws {@link ResourceClosedException}; with {@code -Dteleworld.trackResources=true} its cause shows where the scope
 * was closed.
 */
public final class Scope implements AutoCloseable {

    private static final boolean TRACK = Boolean.getBoolean("teleworld.trackResources");

    private final String name;
    private final @Nullable Scope parent;
    private final Set<Identity> members = new LinkedHashSet<>();
    private boolean closed;
    private @Nullable Throwable closeSite;

    private record Identity(AutoCloseable object) {
        @Override
        public boolean equals(@Nullable Object o) {
            return o instanceof Identity i && i.object == object;
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(object);
        }
    }

    private Scope(String name, @Nullable Scope parent) {
        this.name = name;
        this.parent = parent;
    }

    /** A new tree of scopes. */
    public static Scope root(String name) {
        return new Scope(name, null);
    }

    /** A scope that ends with this one at the latest. */
    public Scope child(String childName) {
        return adopt(new Scope(name + "/" + childName, this));
    }

    /**
     * Makes this scope the owner of an object and returns it.
     *
     * @throws ResourceClosedException if this scope is closed; the object is then closed too
     */
    public <T extends AutoCloseable> T adopt(T object) {
        synchronized (this) {
            if (!closed) {
                members.add(new Identity(object));
                return object;
            }
        }
        ResourceClosedException failure = closedException();
        try {
            object.close();
        } catch (Exception e) {
            failure.addSuppressed(e);
        }
        throw failure;
    }

    /**
     * Moves an object that this scope owns to another scope.
     *
     * @throws IllegalArgumentException if this scope does not own it
     */
    public <T extends AutoCloseable> T moveTo(Scope destination, T object) {
        release(object);
        return destination.adopt(object);
    }

    /**
     * Gives up ownership of an object without closing it; the caller owns it from now on.
     *
     * @throws IllegalArgumentException if this scope does not own it
     */
    public synchronized <T extends AutoCloseable> T release(T object) {
        if (!members.remove(new Identity(object))) {
            throw new IllegalArgumentException("scope " + name + " does not own " + object);
        }
        return object;
    }

    /** Closes an object that this scope owns before the scope ends; one that it does not own is left alone. */
    public void closeEarly(AutoCloseable object) {
        synchronized (this) {
            if (!members.remove(new Identity(object))) {
                return;
            }
        }
        closeAll(List.of(object));
    }

    /** How many objects and child scopes this scope owns now. */
    public synchronized int size() {
        return members.size();
    }

    /** Whether {@link #close} has begun. */
    public synchronized boolean isClosed() {
        return closed;
    }

    /** The name that its messages use. */
    public String name() {
        return name;
    }

    @Override
    public void close() {
        List<AutoCloseable> newestFirst = new ArrayList<>();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            closeSite = TRACK ? new Throwable("closed here") : null;
            members.forEach(i -> newestFirst.add(0, i.object()));
            members.clear();
        }
        Scope p = parent;
        if (p != null) {
            p.forget(this);
        }
        closeAll(newestFirst);
    }

    private synchronized void forget(Scope child) {
        members.remove(new Identity(child));
    }

    private synchronized ResourceClosedException closedException() {
        return new ResourceClosedException("scope " + name, closeSite);
    }

    private static void closeAll(List<? extends AutoCloseable> objects) {
        RuntimeException first = null;
        for (AutoCloseable c : objects) {
            try {
                c.close();
            } catch (Exception e) {
                RuntimeException r = e instanceof RuntimeException x ? x : new IllegalStateException(e);
                if (first == null) {
                    first = r;
                } else {
                    first.addSuppressed(r);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }

    @Override
    public String toString() {
        return "scope " + name + " of " + size();
    }
}
