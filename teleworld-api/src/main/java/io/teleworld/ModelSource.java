package io.teleworld;

import java.nio.file.Path;
import java.util.Objects;

/** Where a model package is. Immutable. */
public sealed interface ModelSource {

    /** A package on the class path, under {@code io/teleworld/models/<name>/}. */
    static ModelSource bundled(String name) {
        return new Bundled(name, ModelSource.class.getClassLoader());
    }

    /** A package in a folder. */
    static ModelSource directory(Path directory) {
        return new Directory(directory);
    }

    /**
     * A package on the class path.
     *
     * @param name letters, digits, dots, hyphens and underscores
     * @param classLoader where to look
     */
    record Bundled(String name, ClassLoader classLoader) implements ModelSource {
        public Bundled {
            Objects.requireNonNull(classLoader, "classLoader");
            if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
                throw new IllegalArgumentException("model name is '" + name
                        + "'; it must begin with a letter or digit and hold letters, digits, '.', '_' and '-' only");
            }
        }

        @Override
        public String toString() {
            return "bundled model " + name;
        }
    }

    /**
     * A package in a folder.
     *
     * @param path the folder that holds model_index.json
     */
    record Directory(Path path) implements ModelSource {
        public Directory {
            Objects.requireNonNull(path, "path");
        }

        @Override
        public String toString() {
            return path.toString();
        }
    }
}
