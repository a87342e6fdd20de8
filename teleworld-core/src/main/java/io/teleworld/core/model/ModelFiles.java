package io.teleworld.core.model;

import io.teleworld.ModelSource;
import io.teleworld.core.hub.HubRepository;
import io.teleworld.error.ModelFormatException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The files of a model package, wherever they are. Thread-safe. */
public interface ModelFiles {

    /** What the package is called in messages. */
    String description();

    /**
     * Opens a file; the caller closes it.
     *
     * @param path relative, with forward slashes, for example {@code transformer/config.json}
     * @throws FileNotFoundException if there is none
     */
    InputStream open(String path) throws IOException;

    /** Whether a file is there. */
    boolean exists(String path);

    /** The file on disk, where it is one; such a file can be mapped instead of read. */
    default Optional<Path> onDisk(String path) {
        return Optional.empty();
    }

    /** The whole file. */
    default byte[] bytes(String path) {
        try (InputStream in = open(path)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new ModelFormatException(description() + "/" + path, "cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * The files of a source.
     *
     * @throws io.teleworld.error.TeleWorldException if a hub cannot be reached or refuses
     */
    static ModelFiles of(ModelSource source) {
        if (source instanceof ModelSource.Directory d) {
            return directory(d.path());
        }
        if (source instanceof ModelSource.Hub h) {
            return hub(HubRepository.open(h));
        }
        ModelSource.Bundled b = (ModelSource.Bundled) source;
        return classPath(b.classLoader(), "io/teleworld/models/" + b.name());
    }

    /** The files of a folder. */
    static ModelFiles directory(Path root) {
        return new ModelFiles() {
            @Override
            public String description() {
                return root.toString();
            }

            @Override
            public InputStream open(String path) throws IOException {
                return Files.newInputStream(root.resolve(path));
            }

            @Override
            public boolean exists(String path) {
                return Files.isRegularFile(root.resolve(path));
            }

            @Override
            public Optional<Path> onDisk(String path) {
                return exists(path) ? Optional.of(root.resolve(path)) : Optional.empty();
            }
        };
    }

    /** The files of a hub's repository, each fetched when it is first opened. */
    static ModelFiles hub(HubRepository repository) {
        return new ModelFiles() {
            @Override
            public String description() {
                return repository.toString();
            }

            @Override
            public InputStream open(String path) throws IOException {
                if (!exists(path)) {
                    throw new FileNotFoundException(path + " is not in " + repository);
                }
                return Files.newInputStream(repository.fetch(path));
            }

            @Override
            public boolean exists(String path) {
                return repository.files().contains(path);
            }

            @Override
            public Optional<Path> onDisk(String path) {
                return exists(path) ? Optional.of(repository.fetch(path)) : Optional.empty();
            }
        };
    }

    /**
     * The files below a class path folder.
     *
     * @param root without slashes at either end
     */
    static ModelFiles classPath(ClassLoader loader, String root) {
        return new ModelFiles() {
            @Override
            public String description() {
                return "class path " + root;
            }

            @Override
            public InputStream open(String path) throws IOException {
                InputStream in = loader.getResourceAsStream(root + "/" + path);
                if (in == null) {
                    throw new FileNotFoundException(path + " is not on the class path under " + root);
                }
                return in;
            }

            @Override
            public boolean exists(String path) {
                return loader.getResource(root + "/" + path) != null;
            }
        };
    }
}
