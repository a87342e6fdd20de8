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
     * A repository of a hub, such as {@code Wan-AI/Wan2.1-T2V-1.3B-Diffusers}, with the settings of the environment
     * ({@code HF_HOME}, {@code HF_TOKEN}, {@code HF_ENDPOINT}, {@code HF_HUB_OFFLINE}). Files are fetched when they are
     * needed, checked, and kept in the Hugging Face cache.
     */
    static ModelSource hub(String repository) {
        return new Hub(repository, "main", HubSettings.fromEnvironment());
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

    /**
     * A repository of a hub.
     *
     * @param repository {@code ORGANISATION/NAME}, of letters, digits, dots, hyphens and underscores
     * @param revision a branch, a tag or a commit
     * @param settings where the hub is and where its files are kept
     */
    record Hub(String repository, String revision, HubSettings settings) implements ModelSource {
        public Hub {
            Objects.requireNonNull(settings, "settings");
            if (!repository.matches("([A-Za-z0-9_][A-Za-z0-9._-]*/)?[A-Za-z0-9_][A-Za-z0-9._-]*")
                    || repository.contains("..")
                    || repository.contains("--")) {
                throw new IllegalArgumentException("repository is '" + repository
                        + "'; it must be ORGANISATION/NAME, of letters, digits, '.', '_' and '-'");
            }
            if (!revision.matches("[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
                    || revision.contains("..")
                    || revision.contains("//")
                    || revision.endsWith("/")) {
                throw new IllegalArgumentException(
                        "revision is '" + revision + "'; it must be the name of a branch or tag, or a commit");
            }
        }

        @Override
        public String toString() {
            return repository + (revision.equals("main") ? "" : "@" + revision);
        }
    }
}
