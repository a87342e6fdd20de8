package io.teleworld;

/** What makes {@link WorldModel#open} work; found with {@link java.util.ServiceLoader}. Thread-safe. */
@FunctionalInterface
public interface WorldModelProvider {

    /** See {@link WorldModel#open(ModelSource, ModelOptions)}. */
    WorldModel open(ModelSource source, ModelOptions options);
}
