package io.teleworld.cuda.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shipped binary is of these sources, and nvcc turns the hot ones into code without local memory. */
class CompiledKernelsTest {

    private static final Pattern PROPERTIES =
            Pattern.compile("Function properties for (\\w+)\\s+(\\d+) bytes stack frame, (\\d+) bytes spill stores");

    @Test
    void theBinaryIsOfTheseSources() throws IOException, GeneralSecurityException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (String s : KernelLibrary.SOURCES) {
            all.writeBytes(Files.readAllBytes(
                    KernelEmulator.module(Path.of("src/main/cuda")).resolve(s)));
        }
        String digest =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(all.toByteArray()));
        KernelLibrary.Image image = KernelLibrary.binary().orElseThrow();
        assertThat(image.origin()).contains(digest);
        assertThat(image.kind()).isEqualTo(KernelLibrary.Kind.BINARY);
        // The magic number of a fat binary.
        assertThat(image.bytes()).startsWith(0x50, 0xed, 0x55, 0xba).hasSizeLessThan(1 << 20);
    }

    @Test
    void hotKernelsCompileWithoutLocalMemory(@TempDir Path directory) throws IOException {
        Assumptions.assumeTrue(KernelEmulator.has("nvcc"), "no nvcc");
        // Element types of one width compile alike; attention and convolution are the ones with many registers.
        List<String> hot = List.of("attention.cu", "convolution.cu");
        List<String> seen = new ArrayList<>();
        for (String file : hot) {
            String log = KernelEmulator.run(
                    directory,
                    List.of(
                            "nvcc",
                            "-std=c++17",
                            "-gencode=arch=compute_90a,code=sm_90a",
                            "-Xptxas",
                            "-v",
                            "-cubin",
                            "-o",
                            directory.resolve("hot.cubin").toString(),
                            KernelEmulator.module(Path.of("src/main/cuda"))
                                    .resolve(file)
                                    .toString()));
            // The compiler's words where products of warpgroups would wait for each other, or registers stay as they
            // are.
            assertThat(log).doesNotContainIgnoringCase("serialized").doesNotContainIgnoringCase("ignored");
            Matcher m = PROPERTIES.matcher(log);
            while (m.find()) {
                seen.add(m.group(1));
                assertThat(m.group(2) + " " + m.group(3)).as(m.group(1)).isEqualTo("0 0");
            }
            String module = new String(Files.readAllBytes(directory.resolve("hot.cubin")), StandardCharsets.ISO_8859_1);
            assertThat(module).contains("tw_");
        }
        assertThat(seen)
                .containsExactlyInAnyOrder(
                        "tw_conv_nhwc_bf16",
                        "tw_channels_last",
                        "tw_conv_tile",
                        "tw_conv_group",
                        "tw_window_lists",
                        "tw_flash_64",
                        "tw_flash_64_masked",
                        "tw_flash_64_added",
                        "tw_flash_128",
                        "tw_flash_128_masked",
                        "tw_flash_128_added",
                        "tw_flash_group_64",
                        "tw_flash_group_64_masked",
                        "tw_flash_group_64_added",
                        "tw_flash_group_128",
                        "tw_flash_group_128_masked",
                        "tw_flash_group_128_added",
                        "tw_flash_group_384");
    }
}
