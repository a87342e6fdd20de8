package io.teleworld.runtime;

import io.teleworld.error.TeleWorldException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** The runtimes that are on the class path. Immutable and thread-safe. */
public final class RuntimeRegistry {

    private final Map<String, TensorRuntimeProvider> providers;
    private final List<String> broken;

    private RuntimeRegistry(Map<String, TensorRuntimeProvider> providers, List<String> broken) {
        this.providers = providers;
        this.broken = List.copyOf(broken);
    }

    /**
     * Finds providers with {@link ServiceLoader}; one that cannot be loaded is remembered and reported only when a
     * runtime is not found.
     *
     * @throws IllegalStateException if two providers have one name
     */
    public static RuntimeRegistry load(ClassLoader loader) {
        Map<String, TensorRuntimeProvider> found = new TreeMap<>();
        List<String> broken = new ArrayList<>();
        var it = ServiceLoader.load(TensorRuntimeProvider.class, loader).iterator();
        while (true) {
            try {
                if (!it.hasNext()) {
                    break;
                }
                TensorRuntimeProvider p = it.next();
                TensorRuntimeProvider other = found.putIfAbsent(p.name(), p);
                if (other != null) {
                    throw new IllegalStateException("runtime " + p.name() + " is provided by "
                            + other.getClass().getName() + " and by "
                            + p.getClass().getName());
                }
            } catch (ServiceConfigurationError e) {
                broken.add(String.valueOf(e.getMessage()));
            }
        }
        return new RuntimeRegistry(found, broken);
    }

    /** The names that are there. */
    public List<String> names() {
        return List.copyOf(providers.keySet());
    }

    /**
     * The provider of a name.
     *
     * @throws TeleWorldException of category USER that lists the known names
     */
    public TensorRuntimeProvider get(String name) {
        TensorRuntimeProvider p = providers.get(name);
        if (p == null) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    "no runtime is named '" + name + "'; on the class path are " + providers.keySet()
                            + (broken.isEmpty() ? "" : ", and these failed to load: " + broken));
        }
        return p;
    }

    /**
     * The first available provider in an order of preference.
     *
     * @throws TeleWorldException of category BACKEND that gives the reason for each that was passed over
     */
    public TensorRuntimeProvider firstAvailable(List<String> preference) {
        List<String> reasons = new ArrayList<>();
        for (String name : preference) {
            TensorRuntimeProvider p = providers.get(name);
            if (p == null) {
                reasons.add(name + ": not on the class path");
                continue;
            }
            Availability a = p.probe();
            if (a instanceof Availability.Available) {
                return p;
            }
            reasons.add(name + ": " + ((Availability.Unavailable) a).reason());
        }
        throw new TeleWorldException(
                TeleWorldException.Category.BACKEND,
                "no runtime can be used: " + String.join("; ", reasons)
                        + (broken.isEmpty() ? "" : "; failed to load: " + broken));
    }
}
