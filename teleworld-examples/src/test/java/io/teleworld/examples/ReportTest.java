package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.core.evaluate.Bootstrap;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ReportTest {

    @TempDir
    private Path out = Path.of(".");

    @Test
    void whatIsNoNumberInJsonIsNull() throws IOException {
        StringWriter text = new StringWriter();
        Report report = new Report("odd", new PrintWriter(text));
        report.put("rate", 0.0 / 0);
        report.put("single", Float.NEGATIVE_INFINITY);
        report.put("interval", new Bootstrap.Interval(1.5, Double.NaN, Double.POSITIVE_INFINITY, 7));
        report.put("runs", List.of(Map.of("first", Double.NaN, "frames", 3), List.of(2.5, Double.NaN)));
        report.put("array", new double[] {1, Double.NEGATIVE_INFINITY});
        report.write(out);
        String json = Files.readString(out.resolve("odd.json"));
        assertThat(json).doesNotContain("NaN").doesNotContain("Infinity");
        JsonNode read = JsonMapper.shared().readTree(json);
        for (String path : List.of(
                "/rate", "/single", "/interval/lower", "/interval/upper", "/runs/0/first", "/runs/1/1", "/array/1")) {
            assertThat(read.at(path).isNull()).as(path).isTrue();
        }
        assertThat(read.at("/interval/mean").asDouble()).isEqualTo(1.5);
        assertThat(read.at("/runs/0/frames").asInt()).isEqualTo(3);
        assertThat(read.at("/runs/1/0").asDouble()).isEqualTo(2.5);
    }

    @Test
    void aFigureThatIsMissingIsADash() {
        assertThat(Report.text(Double.NaN)).isEqualTo("–");
        assertThat(Report.text(new Bootstrap.Interval(1, 0.5, Double.NaN, 7))).isEqualTo("1.00 [0.50, –]");
    }
}
