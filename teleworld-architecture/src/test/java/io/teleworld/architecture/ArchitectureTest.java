package io.teleworld.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static io.teleworld.architecture.Modules.API;
import static io.teleworld.architecture.Modules.CLASSES;
import static io.teleworld.architecture.Modules.CORE;
import static io.teleworld.architecture.Modules.CUDA;
import static io.teleworld.architecture.Modules.DJL;
import static io.teleworld.architecture.Modules.EXAMPLES;
import static io.teleworld.architecture.Modules.GOLDENS;
import static io.teleworld.architecture.Modules.ONNX;
import static io.teleworld.architecture.Modules.TESTKIT;
import static io.teleworld.architecture.Modules.TEXT;
import static io.teleworld.architecture.Modules.TRAINING;
import static io.teleworld.architecture.Modules.WORLDS;
import static io.teleworld.architecture.Modules.in;
import static io.teleworld.architecture.Modules.inAnyModule;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import com.tngtech.archunit.library.GeneralCodingRules;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The arrows of the architecture: examples → core → api ← backend-*, worlds → api, training → core, worlds, text → core. */
class ArchitectureTest {

    private static final String[] RUNTIME_LIBRARIES = {"ai.onnxruntime..", "org.bytedeco..", "ai.djl..", "org.tribuo.."
    };

    @Test
    void everyModuleIsSeen() {
        // Without this, a renamed folder would turn every rule below into a rule about nothing.
        Set<String> seen =
                CLASSES.stream().flatMap(type -> Modules.of(type).stream()).collect(Collectors.toSet());
        assertThat(seen).containsExactlyInAnyOrderElementsOf(Modules.ALL);
    }

    @Test
    void apiDependsOnTheJdkAndJSpecifyOnly() {
        classes()
                .that(in(API))
                .should()
                .onlyDependOnClassesThat(in(API).or(resideInAnyPackage("java..", "javax.imageio..", "org.jspecify..")))
                .check(CLASSES);
    }

    @Test
    void testkitDependsOnTheApiAndTestLibrariesOnly() {
        classes()
                .that(in(TESTKIT))
                .should()
                .onlyDependOnClassesThat(in(API, TESTKIT)
                        .or(resideInAnyPackage(
                                "java..",
                                "org.jspecify..",
                                "org.junit..",
                                "org.assertj..",
                                "net.jqwik..",
                                "org.opentest4j..")))
                .check(CLASSES);
    }

    @Test
    void coreDependsOnTheApiAndNeverOnAnotherModule() {
        noClasses()
                .that(in(CORE))
                .should()
                .dependOnClassesThat(inAnyModule().and(not(in(API, CORE))))
                .check(CLASSES);
    }

    @ParameterizedTest
    @ValueSource(strings = {ONNX, DJL, CUDA})
    void backendsDependOnTheApiAndNeverOnAnotherModule(String backend) {
        noClasses()
                .that(in(backend))
                .should()
                .dependOnClassesThat(inAnyModule().and(not(in(API, backend))))
                .check(CLASSES);
    }

    @Test
    void worldsDependOnTheApiAndNeverOnAnotherModule() {
        noClasses()
                .that(in(WORLDS))
                .should()
                .dependOnClassesThat(inAnyModule().and(not(in(API, WORLDS))))
                .check(CLASSES);
    }

    @Test
    void textDependsOnCoreAndNeverOnAnotherModule() {
        noClasses()
                .that(in(TEXT))
                .should()
                .dependOnClassesThat(inAnyModule().and(not(in(API, CORE, TEXT))))
                .check(CLASSES);
    }

    @Test
    void trainingDependsOnCoreAndWorlds() {
        noClasses()
                .that(in(TRAINING))
                .should()
                .dependOnClassesThat(inAnyModule().and(not(in(API, CORE, WORLDS, TRAINING))))
                .check(CLASSES);
    }

    @Test
    void nothingDependsOnTheExamples() {
        noClasses()
                .that(not(in(EXAMPLES)))
                .should()
                .dependOnClassesThat(in(EXAMPLES))
                .check(CLASSES);
    }

    @Test
    void theGoldensSeeCoreAndNothingSeesThem() {
        noClasses()
                .that(in(GOLDENS))
                .should()
                .dependOnClassesThat(inAnyModule().and(not(in(API, CORE, GOLDENS))))
                .check(CLASSES);
        noClasses()
                .that(not(in(GOLDENS)))
                .should()
                .dependOnClassesThat(in(GOLDENS))
                .check(CLASSES);
    }

    @Test
    void onlyBackendsTextTrainingAndExamplesNameARuntimesTypes() {
        noClasses()
                .that(in(API, CORE, WORLDS, TESTKIT, GOLDENS))
                .should()
                .dependOnClassesThat(resideInAnyPackage(RUNTIME_LIBRARIES))
                .check(CLASSES);
    }

    @ParameterizedTest
    @ValueSource(strings = {API, CORE, ONNX, DJL, CUDA, TEXT, WORLDS, TRAINING})
    void packagesOfAModuleHaveNoCycles(String module) {
        SlicesRuleDefinition.slices()
                .assignedFrom(new PackagesOf(module))
                .should()
                .beFreeOfCycles()
                .check(CLASSES);
    }

    @Test
    void noPackageIsSplitBetweenModules() {
        Map<String, Set<String>> modulesOf = CLASSES.stream()
                .collect(Collectors.groupingBy(
                        JavaClass::getPackageName,
                        Collectors.flatMapping(
                                type -> Modules.of(type).stream(), Collectors.toCollection(TreeSet::new))));
        modulesOf.values().removeIf(modules -> modules.size() < 2);
        assertThat(modulesOf).isEmpty();
    }

    @Test
    void everyPackageIsNullMarked() {
        classes().that(inAnyModule()).should(beInANullMarkedPackage()).check(CLASSES);
    }

    @Test
    void librariesDoNotPrint() {
        noClasses()
                .that(in(API, CORE, ONNX, DJL, CUDA, TEXT, WORLDS).and(not(isAProgram())))
                .should(GeneralCodingRules.ACCESS_STANDARD_STREAMS)
                .check(CLASSES);
    }

    @Test
    void librariesKeepNoMutableStaticsAndNoThreadLocals() {
        fields().that()
                .areDeclaredInClassesThat(in(API, CORE, ONNX, DJL, CUDA, TEXT, WORLDS))
                .and()
                .areStatic()
                .should()
                .beFinal()
                .andShould()
                .notHaveRawType(ThreadLocal.class)
                .check(CLASSES);
    }

    @Test
    void librariesThrowNoAssertionErrors() {
        noClasses()
                .that(in(API, CORE, ONNX, DJL, CUDA, TEXT, WORLDS, TRAINING))
                .should()
                .callConstructorWhere(com.tngtech.archunit.core.domain.JavaCall.Predicates.target(
                        com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner(
                                JavaClass.Predicates.assignableTo(AssertionError.class))))
                .check(CLASSES);
    }

    /** A class with a main method talks to whoever started it. */
    private static DescribedPredicate<JavaClass> isAProgram() {
        return DescribedPredicate.describe(
                "a program", type -> type.tryGetMethod("main", String[].class).isPresent());
    }

    private static ArchCondition<JavaClass> beInANullMarkedPackage() {
        return new ArchCondition<>("be in a @NullMarked package") {
            @Override
            public void check(JavaClass type, ConditionEvents events) {
                boolean marked = type.getPackage().isAnnotatedWith(NullMarked.class);
                events.add(new SimpleConditionEvent(
                        type, marked, type.getPackageName() + " has no package-info.java with @NullMarked"));
            }
        };
    }

    private record PackagesOf(String module) implements SliceAssignment {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
            return Modules.of(type).filter(module::equals).isPresent()
                    ? SliceIdentifier.of(type.getPackageName())
                    : SliceIdentifier.ignore();
        }

        @Override
        public String getDescription() {
            return "packages of " + module;
        }
    }
}
