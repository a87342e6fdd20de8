package io.teleworld.architecture;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.Source;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Optional;

/** The project's classes, and which Maven module each one was built in. */
final class Modules {

    static final String API = "teleworld-api";
    static final String TESTKIT = "teleworld-testkit";
    static final String CORE = "teleworld-core";
    static final String ONNX = "teleworld-backend-onnx";
    static final String DJL = "teleworld-backend-djl";
    static final String CUDA = "teleworld-backend-cuda";
    static final String TEXT = "teleworld-text";
    static final String WORLDS = "teleworld-worlds";
    static final String TRAINING = "teleworld-training";
    static final String EXAMPLES = "teleworld-examples";
    static final String GOLDENS = "teleworld-goldens";

    static final List<String> ALL =
            List.of(API, TESTKIT, CORE, ONNX, DJL, CUDA, TEXT, WORLDS, TRAINING, EXAMPLES, GOLDENS);

    static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("io.teleworld");

    private Modules() {}

    /** The module whose target folder or jar the class was read from; packages say nothing certain about it. */
    static Optional<String> of(JavaClass type) {
        String uri = type.getSource().map(Source::getUri).map(Object::toString).orElse("");
        return ALL.stream()
                .filter(module -> uri.contains("/" + module + "/target/") || uri.contains("/" + module + "-"))
                .findFirst();
    }

    static DescribedPredicate<JavaClass> in(String... modules) {
        List<String> names = List.of(modules);
        return DescribedPredicate.describe(
                "in " + String.join(", ", names),
                type -> of(type.getBaseComponentType()).filter(names::contains).isPresent());
    }

    static DescribedPredicate<JavaClass> inAnyModule() {
        return in(ALL.toArray(String[]::new));
    }
}
