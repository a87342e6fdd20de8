package io.teleworld.core;

import io.teleworld.ModelOptions;
import io.teleworld.ModelSource;
import io.teleworld.WorldModel;
import io.teleworld.WorldModelProvider;

/** Opens model packages with the runtimes on the class path; found with {@link java.util.ServiceLoader}. Thread-safe. */
public final class CoreWorldModelProvider implements WorldModelProvider {

    /** Called by {@link java.util.ServiceLoader}. */
    public CoreWorldModelProvider() {}

    @Override
    public WorldModel open(ModelSource source, ModelOptions options) {
        return PackagedWorldModel.open(source, options);
    }
}
