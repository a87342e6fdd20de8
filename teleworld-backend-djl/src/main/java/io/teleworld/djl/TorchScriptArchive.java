package io.teleworld.djl;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A saved TorchScript module without parameters: a zip of its source and of a pickle that names its class. Stateless.
 *
 * <p>The format is the one that {@code torch.jit.load} reads, of version 10, under which operators have their present
 * signatures: {@code code/__torch__.py} holds the class {@code Net}, {@code data.pkl} the instance, {@code constants.pkl}
 * the source's constants, which are none.
 */
final class TorchScriptArchive {

    /** PROTO 2, GLOBAL __torch__.Net, EMPTY_TUPLE, NEWOBJ, EMPTY_DICT, BUILD, STOP. */
    private static final String INSTANCE = "\u0080\u0002c__torch__\nNet\n)\u0081}b.";

    /** PROTO 2, EMPTY_TUPLE, STOP. */
    private static final String NO_CONSTANTS = "\u0080\u0002).";

    private TorchScriptArchive() {}

    /** The archive of a module with these methods, each indented by two. */
    static byte[] of(String methods) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(out)) {
            add(zip, "graph/data.pkl", INSTANCE.getBytes(StandardCharsets.ISO_8859_1));
            String source = "class Net(Module):\n  __parameters__ = []\n  __buffers__ = []\n" + methods;
            add(zip, "graph/code/__torch__.py", source.getBytes(StandardCharsets.UTF_8));
            add(zip, "graph/constants.pkl", NO_CONSTANTS.getBytes(StandardCharsets.ISO_8859_1));
            add(zip, "graph/version", "10\n".getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return out.toByteArray();
    }

    private static void add(ZipOutputStream zip, String name, byte[] content) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(content);
        ZipEntry entry = new ZipEntry(name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCrc(crc.getValue());
        entry.setTime(0);
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }
}
