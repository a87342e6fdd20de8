package io.teleworld.training.data;

import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.FloatFormats;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Segments encoded once by the autoencoder, so that training the transformer reads latents instead of pictures.
 *
 * <p>A folder with {@code latents.json} and {@code latents.bin}: fixed-size records, one {@link Segment} each, latents in
 * fp16 (not normalised), masks and weights as bytes (255 = 1); optionally {@code styles.bin}, a byte per record, 0 for no
 * style and else the code of a {@link WorldStyle}. Reading is thread-safe; a writer is confined to one thread.
 */
public final class LatentCache implements AutoCloseable {

    /**
     * What a cache holds.
     *
     * @param segments number of records
     * @param frames latent frames of a segment
     * @param channels latent channels
     * @param height latent rows
     * @param width latent columns
     * @param maskChannels channels of the guidance mask
     */
    public record Header(int segments, int frames, int channels, int height, int width, int maskChannels) {

        public Header {
            if (segments < 0 || frames < 1 || channels < 1 || height < 1 || width < 1 || maskChannels < 0) {
                throw new IllegalArgumentException("latent cache of " + segments + " segments of " + frames + "×"
                        + channels + "×" + height + "×" + width + " with " + maskChannels + " mask channels");
            }
        }

        int latentCount() {
            return frames * channels * height * width;
        }

        int maskCount() {
            return frames * maskChannels * height * width;
        }

        int weightCount() {
            return frames * height * width;
        }

        int recordBytes() {
            return 3 * 2 * latentCount() + maskCount() + weightCount();
        }

        Header withSegments(int n) {
            return new Header(n, frames, channels, height, width, maskChannels);
        }
    }

    private static final String HEADER_FILE = "latents.json";
    private static final String DATA_FILE = "latents.bin";
    private static final String STYLE_FILE = "styles.bin";

    private final Header header;
    private final FileChannel data;
    private final byte[] styles;

    private LatentCache(Header header, FileChannel data, byte[] styles) {
        this.header = header;
        this.data = data;
        this.styles = styles;
    }

    /**
     * Opens a cache for reading.
     *
     * @throws ModelFormatException if the folder holds none, or its data file has another size than its header says
     */
    public static LatentCache open(Path folder) {
        Path headerFile = folder.resolve(HEADER_FILE);
        try {
            Header h = new JsonMapper().readValue(Files.readAllBytes(headerFile), Header.class);
            FileChannel c = FileChannel.open(folder.resolve(DATA_FILE), StandardOpenOption.READ);
            long expected = (long) h.segments() * h.recordBytes();
            long size = c.size();
            if (size < expected) {
                c.close();
                throw new ModelFormatException(
                        folder.resolve(DATA_FILE).toString(),
                        "holds " + size + " bytes; " + h.segments() + " segments need " + expected);
            }
            Path styleFile = folder.resolve(STYLE_FILE);
            byte[] styles = Files.exists(styleFile) ? Files.readAllBytes(styleFile) : new byte[h.segments()];
            if (styles.length < h.segments()) {
                c.close();
                throw new ModelFormatException(
                        styleFile.toString(), "holds " + styles.length + " styles of " + h.segments() + " segments");
            }
            return new LatentCache(h, c, styles);
        } catch (IOException | JacksonException e) {
            throw new ModelFormatException(headerFile.toString(), "is not a latent cache: " + e.getMessage(), e);
        }
    }

    public Header header() {
        return header;
    }

    /**
     * The style of a segment, if it has one.
     *
     * @param index in [0, segments)
     * @throws ModelFormatException if the file names a style that there is not
     */
    public Optional<WorldStyle> style(int index) {
        int n = styles[Objects.checkIndex(index, header.segments())];
        if (n == 0) {
            return Optional.empty();
        }
        Optional<WorldStyle> style = WorldStyle.ofCode(n);
        if (style.isEmpty()) {
            throw new ModelFormatException(
                    STYLE_FILE, "segment " + index + " has style " + n + "; there are " + WorldStyle.values().length);
        }
        return style;
    }

    /**
     * The arrays of one segment, for reuse; row-major. Mutable, not thread-safe.
     *
     * @param target true latents [frames, channels, h, w], as the autoencoder makes them
     * @param context the latents that the session had, of the same shape: given frames, and what the generator made
     * @param guidance encoded guidance, of the same shape
     * @param mask of the guidance, [frames, maskChannels, h, w] in [0, 1]
     * @param weight how far the target counts, [frames, h, w] in [0, 1]
     */
    @SuppressWarnings("ArrayRecordComponent") // buffers to be filled; never compared
    public record Segment(float[] target, float[] context, float[] guidance, float[] mask, float[] weight) {

        /** Arrays of a cache's size. */
        public static Segment of(Header h) {
            return new Segment(
                    new float[h.latentCount()],
                    new float[h.latentCount()],
                    new float[h.latentCount()],
                    new float[h.maskCount()],
                    new float[h.weightCount()]);
        }

        private boolean fits(Header h) {
            return target.length == h.latentCount()
                    && context.length == h.latentCount()
                    && guidance.length == h.latentCount()
                    && mask.length == h.maskCount()
                    && weight.length == h.weightCount();
        }

        @Override
        public String toString() {
            return "segment of " + target.length + ", " + context.length + " and " + guidance.length
                    + " latent values, " + mask.length + " of the mask and " + weight.length + " weights";
        }
    }

    /**
     * Reads one segment.
     *
     * @param index in [0, segments)
     * @param into receives it
     */
    public void read(int index, Segment into) {
        if (index < 0 || index >= header.segments()) {
            throw new IndexOutOfBoundsException("segment " + index + " of " + header.segments());
        }
        if (!into.fits(header)) {
            throw new IllegalArgumentException("buffers are a " + into + "; the cache holds " + header);
        }
        ByteBuffer b = ByteBuffer.allocate(header.recordBytes()).order(ByteOrder.LITTLE_ENDIAN);
        try {
            long at = (long) index * header.recordBytes();
            while (b.hasRemaining()) {
                int n = data.read(b, at + b.position());
                if (n < 0) {
                    throw new IOException("latent cache ends inside segment " + index);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        b.flip();
        for (float[] latents : new float[][] {into.target(), into.context(), into.guidance()}) {
            for (int i = 0; i < latents.length; i++) {
                latents[i] = FloatFormats.f16ToFloat(b.getShort());
            }
        }
        for (float[] shares : new float[][] {into.mask(), into.weight()}) {
            for (int i = 0; i < shares.length; i++) {
                shares[i] = (b.get() & 0xff) / 255f;
            }
        }
    }

    @Override
    public void close() {
        try {
            data.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Appends segments to a new cache, or to one of the same shape; the header is rewritten after each segment. */
    public static final class Writer implements AutoCloseable {

        private final Path folder;
        private final FileChannel data;
        private final FileChannel styles;
        private Header header;

        /**
         * Opens a folder for writing.
         *
         * @param folder made if it is missing
         * @param shape the shape; its segment count is ignored
         * @throws IllegalArgumentException if the folder holds a cache of another shape
         */
        public Writer(Path folder, Header shape) throws IOException {
            this.folder = folder;
            Files.createDirectories(folder);
            int existing = 0;
            if (Files.exists(folder.resolve(HEADER_FILE))) {
                try (LatentCache old = LatentCache.open(folder)) {
                    existing = old.header().segments();
                    if (!old.header().equals(shape.withSegments(existing))) {
                        throw new IllegalArgumentException(
                                folder + " holds " + old.header() + "; cannot append " + shape);
                    }
                }
            }
            header = shape.withSegments(existing);
            data = FileChannel.open(folder.resolve(DATA_FILE), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            data.truncate((long) existing * header.recordBytes());
            data.position(data.size());
            styles = FileChannel.open(folder.resolve(STYLE_FILE), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            styles.truncate(existing);
            // Older caches lack the file: their segments have no style.
            styles.write(ByteBuffer.allocate((int) (existing - styles.size())), styles.size());
            styles.position(existing);
        }

        /** How many segments there are, those of a cache that was there before included. */
        public int segments() {
            return header.segments();
        }

        /**
         * Appends one segment without a style.
         *
         * @throws IllegalArgumentException if it is of another size
         */
        public void append(Segment segment) throws IOException {
            append(segment, Optional.empty());
        }

        /**
         * Appends one segment.
         *
         * @throws IllegalArgumentException if it is of another size
         */
        public void append(Segment segment, Optional<WorldStyle> style) throws IOException {
            if (!segment.fits(header)) {
                throw new IllegalArgumentException("segment is a " + segment + "; the cache holds " + header);
            }
            ByteBuffer b = ByteBuffer.allocate(header.recordBytes()).order(ByteOrder.LITTLE_ENDIAN);
            for (float[] latents : new float[][] {segment.target(), segment.context(), segment.guidance()}) {
                for (float v : latents) {
                    b.putShort(FloatFormats.floatToF16(v));
                }
            }
            for (float[] shares : new float[][] {segment.mask(), segment.weight()}) {
                for (float v : shares) {
                    b.put((byte) Math.round(255 * Math.max(0, Math.min(1, v))));
                }
            }
            b.flip();
            while (b.hasRemaining()) {
                data.write(b);
            }
            styles.write(ByteBuffer.wrap(
                    new byte[] {(byte) style.map(WorldStyle::code).orElse(0).intValue()}));
            header = header.withSegments(header.segments() + 1);
            Path temp = folder.resolve(HEADER_FILE + ".tmp");
            Files.write(temp, new JsonMapper().writeValueAsBytes(header));
            Files.move(
                    temp,
                    folder.resolve(HEADER_FILE),
                    java.nio.file.StandardCopyOption.REPLACE_EXISTING,
                    java.nio.file.StandardCopyOption.ATOMIC_MOVE);
        }

        @Override
        public void close() throws IOException {
            try (data) {
                styles.close();
            }
        }
    }
}
