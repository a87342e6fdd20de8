package io.teleworld;

import io.teleworld.error.TeleWorldException;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/**
 * Loaded networks from which worlds are started. Thread-safe; sessions of one model are independent of each other. The
 * caller closes it; closing it closes its sessions, and is idempotent.
 */
public interface WorldModel extends AutoCloseable {

    /** Opens a model package with the first runtime that works here. */
    static WorldModel open(ModelSource source) {
        return open(source, ModelOptions.DEFAULT);
    }

    /**
     * Opens a model package.
     *
     * @throws io.teleworld.error.ModelFormatException if the package is missing or damaged; one line names the file and
     *     what is wrong with it
     * @throws TeleWorldException of category BACKEND if no runtime can be used
     */
    static WorldModel open(ModelSource source, ModelOptions options) {
        try {
            for (WorldModelProvider provider :
                    ServiceLoader.load(WorldModelProvider.class, WorldModel.class.getClassLoader())) {
                return provider.open(source, options);
            }
        } catch (ServiceConfigurationError e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    "the world model provider cannot be loaded: " + e.getMessage(),
                    e);
        }
        throw new TeleWorldException(
                TeleWorldException.Category.USER,
                "no world model provider is on the class path; add the artifact teleworld-core");
    }

    /** The model's name, picture size and frame rate. */
    ModelDescription description();

    /** The names that {@link Prompt#style} may have, sorted; many models have none. */
    default List<String> styles() {
        return List.of();
    }

    /**
     * Starts a world. Generation begins at once, on threads of the session.
     *
     * @throws TeleWorldException of category USER if the start picture cannot be read, or the model cannot make anything
     *     of the prompt
     */
    WorldSession start(WorldStart start);

    @Override
    void close();
}
