package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the README shows works. */
class ReadmeTest {

    private static final Path README = Path.of("..", "README.md");

    @TempDir
    private Path classes = Path.of(".");

    private static List<String> blocks(String language) throws IOException {
        Matcher block = Pattern.compile("```" + language + "\\R(.*?)```", Pattern.DOTALL)
                .matcher(Files.readString(README));
        List<String> found = new ArrayList<>();
        while (block.find()) {
            found.add(block.group(1));
        }
        return found;
    }

    @Test
    void theSnippetCompiles() throws IOException {
        List<String> snippets = blocks("java");
        assertThat(snippets).hasSize(1);
        JavaFileObject source =
                new SimpleJavaFileObject(URI.create("memory:///Stroll.java"), JavaFileObject.Kind.SOURCE) {
                    @Override
                    public CharSequence getCharContent(boolean ignoreErrors) {
                        return snippets.get(0);
                    }
                };
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> problems = new DiagnosticCollector<>();
        boolean compiled = compiler.getTask(
                        null,
                        null,
                        problems,
                        List.of("-proc:none", "-d", classes.toString(), "-cp", System.getProperty("java.class.path")),
                        null,
                        List.of(source))
                .call();
        assertThat(compiled).as(problems.getDiagnostics().toString()).isTrue();
    }

    @Test
    void opensWithTheWalkAndThenTheTests() throws IOException {
        List<String> commands = blocks("bash");
        assertThat(commands.get(0).strip()).isEqualTo("mvn -q -pl teleworld-examples -am compile exec:java@walk");
        assertThat(commands.get(1).strip()).isEqualTo("mvn -B verify");
    }

    @Test
    void linksLeadSomewhere() throws IOException {
        Matcher link = Pattern.compile("]\\(([^)#]+)").matcher(Files.readString(README));
        int links = 0;
        while (link.find()) {
            if (!link.group(1).startsWith("http")) {
                assertThat(README.resolveSibling(link.group(1))).exists();
                links++;
            }
        }
        assertThat(links).isPositive();
    }
}
