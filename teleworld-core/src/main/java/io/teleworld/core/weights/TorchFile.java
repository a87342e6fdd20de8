package io.teleworld.core.weights;

import io.teleworld.core.weights.PickleReader.TensorView;
import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A file that {@code torch.save} wrote ({@code .pt}, {@code .pth}, {@code .ckpt}): a zip archive with a pickle and one
 * entry per storage. The pickle is read as data; whatever in it is not a tensor, a container, text or a number is
 * refused, so opening a file from anywhere runs nothing. Files from before PyTorch 1.6, which are no archives, are refused
 * too.
 *
 * <p>Immutable and thread-safe; the tensors that it gives are views that must not be written. Nested dictionaries and lists
 * become names joined with dots ({@code generator_ema.model.blocks.0.ffn.0.weight}); a tensor that stands alone is called
 * {@value #ALONE}. Stored entries are mapped and read when they are used, so a file needs no more memory than what is
 * read of it. Tensors with other than row-major strides are copied.
 */
public final class TorchFile implements TensorFile {

    /** The name of a tensor that is the whole file. */
    public static final String ALONE = "tensor";

    private static final long LARGEST_PICKLE = 128L << 20;
    private static final int DEEPEST = 32;
    private static final int LONGEST_NAME = 1024;

    private record Entry(TensorView view, ZipDirectory.Entry storage) {}

    private final String file;
    private final ZipDirectory zip;
    private final Map<String, Entry> entries;

    private TorchFile(String file, ZipDirectory zip, Map<String, Entry> entries) {
        this.file = file;
        this.zip = zip;
        this.entries = Collections.unmodifiableMap(entries);
    }

    /**
     * Opens a file on disk. Nothing has to be closed: mapped memory goes with the tensors that use it.
     *
     * @throws ModelFormatException if it cannot be read, contradicts itself or holds more than tensors and containers;
     *     names the offset
     */
    public static TorchFile open(Path path) {
        try {
            return parse(ByteSource.file(path));
        } catch (IOException e) {
            throw new ModelFormatException(path.toString(), "cannot be read: " + e, e);
        }
    }

    /**
     * Reads a file that is in memory.
     *
     * @param name for messages
     */
    public static TorchFile of(String name, byte[] bytes) {
        try {
            return parse(ByteSource.memory(name, bytes));
        } catch (IOException e) {
            throw new ModelFormatException(name, "cannot be read: " + e, e);
        }
    }

    @Override
    public String description() {
        return file;
    }

    @Override
    public Set<String> names() {
        return entries.keySet();
    }

    @Override
    public DType dtype(String name) {
        return entry(name).view().dtype();
    }

    @Override
    public long[] shape(String name) {
        return extents(entry(name).view());
    }

    @Override
    public HostTensor tensor(String name) {
        Entry e = entry(name);
        TensorView v = e.view();
        int size = v.dtype().byteSize();
        long[] shape = extents(v);
        long count = HostTensor.elementCount(shape);
        try {
            if (isRowMajor(v)) {
                ByteBuffer bytes = zip.read(e.storage(), v.offset() * size, count * size);
                if (count > 0 && bytes.alignmentOffset(0, size) != 0) {
                    bytes = ByteBuffer.allocateDirect(bytes.remaining())
                            .put(bytes)
                            .flip();
                }
                return HostTensor.wrap(v.dtype(), bytes, shape);
            }
            return gathered(e, count);
        } catch (IOException failure) {
            throw new ModelFormatException(file, "tensor " + name + " cannot be read: " + failure, failure);
        }
    }

    private static long[] extents(TensorView v) {
        return v.shape().stream().mapToLong(Long::longValue).toArray();
    }

    private static boolean isRowMajor(TensorView v) {
        long expected = 1;
        for (int i = v.shape().size() - 1; i >= 0; i--) {
            if (v.shape().get(i) == 0) {
                return true;
            }
            if (v.shape().get(i) != 1 && v.strides().get(i) != expected) {
                return false;
            }
            expected *= v.shape().get(i);
        }
        return true;
    }

    private HostTensor gathered(Entry e, long count) throws IOException {
        TensorView v = e.view();
        int size = v.dtype().byteSize();
        int rank = v.shape().size();
        long span = 1;
        for (int i = 0; i < rank; i++) {
            span += (v.shape().get(i) - 1) * v.strides().get(i);
        }
        ByteBuffer from = zip.read(e.storage(), v.offset() * size, span * size);
        HostTensor out = HostTensor.zeros(v.dtype(), extents(v));
        ByteBuffer to = out.mutableBuffer();
        long[] index = new long[rank];
        long at = 0;
        for (int n = 0; n < count; n++) {
            int a = (int) at * size;
            switch (size) {
                case 1 -> to.put(from.get(a));
                case 2 -> to.putShort(from.getShort(a));
                case 4 -> to.putInt(from.getInt(a));
                default -> to.putLong(from.getLong(a));
            }
            for (int i = rank - 1; i >= 0; i--) {
                at += v.strides().get(i);
                if (++index[i] < v.shape().get(i)) {
                    break;
                }
                at -= v.strides().get(i) * v.shape().get(i);
                index[i] = 0;
            }
        }
        return out;
    }

    private Entry entry(String name) {
        Entry e = entries.get(name);
        if (e == null) {
            throw new IllegalArgumentException(file + " has no tensor " + name);
        }
        return e;
    }

    // ------------------------------------------------------------------------------------------ reading

    private static TorchFile parse(ByteSource source) throws IOException {
        String file = source.name();
        if (source.size() >= 2 && (source.read(0, 2).getShort(0) & 0xFF) == 0x80) {
            throw new ModelFormatException(
                    file,
                    "offset 0: this is a bare pickle, the format of torch.save before PyTorch 1.6; load it there and save"
                            + " it anew");
        }
        ZipDirectory zip = ZipDirectory.read(source);
        String root = root(file, zip);
        ZipDirectory.Entry order = zip.entries().get(root + "byteorder");
        if (order != null && order.size() <= 16) {
            String text = StandardCharsets.US_ASCII.decode(zip.read(order)).toString();
            if (!text.equals("little")) {
                throw new ModelFormatException(
                        file, "offset " + order.at() + ": byte order is '" + text + "'; little is supported");
            }
        }
        ZipDirectory.Entry pickle = zip.entries().get(root + "data.pkl");
        if (pickle == null) {
            throw new IllegalStateException("the root of " + file + " has a data.pkl, or it is none");
        }
        if (pickle.size() > LARGEST_PICKLE) {
            throw new ModelFormatException(
                    file,
                    "offset " + pickle.at() + ": data.pkl is " + pickle.size() + " bytes long; allowed are "
                            + LARGEST_PICKLE);
        }
        Object content = PickleReader.read(file, pickle.at(), zip.read(pickle));
        Map<String, Entry> entries = new TreeMap<>();
        // A tree of n values takes at least n bytes; more can only come from containers that hold each other.
        new Flattener(file, zip, root, entries, pickle).add("", content, 0);
        return new TorchFile(file, zip, entries);
    }

    /** The folder of everything: {@code torch.save} names it after the file. */
    private static String root(String file, ZipDirectory zip) {
        List<String> pickles = zip.entries().keySet().stream()
                .filter(n -> n.matches("[^/]+/data\\.pkl"))
                .toList();
        if (pickles.size() != 1) {
            throw new ModelFormatException(
                    file,
                    "offset 0: the archive holds " + pickles.size()
                            + " entries NAME/data.pkl; a file of torch.save has one");
        }
        return pickles.get(0).substring(0, pickles.get(0).length() - "data.pkl".length());
    }

    /** Names the tensors of nested containers. */
    private static final class Flattener {
        private final String file;
        private final ZipDirectory zip;
        private final String root;
        private final Map<String, Entry> entries;
        /** Of the pickle: what is wrong with its containers is wrong with all of it. */
        private final String place;

        private long left;

        Flattener(String file, ZipDirectory zip, String root, Map<String, Entry> entries, ZipDirectory.Entry pickle) {
            this.file = file;
            this.place = "offset " + pickle.at() + ": ";
            this.zip = zip;
            this.root = root;
            this.entries = entries;
            this.left = 64 + pickle.size();
        }

        void add(String name, Object value, int depth) {
            if (--left < 0) {
                throw new ModelFormatException(
                        file, place + "containers refer to each other so often that they never end");
            }
            if (depth > DEEPEST || name.length() > LONGEST_NAME) {
                throw new ModelFormatException(
                        file,
                        place + "containers are nested more than " + DEEPEST + " deep, or names longer than "
                                + LONGEST_NAME);
            }
            if (value instanceof TensorView view) {
                put(name.isEmpty() ? ALONE : name, view);
            } else if (value instanceof PickleReader.Dict dict) {
                dict.items().forEach((k, v) -> add(join(name, k), v, depth + 1));
            } else if (value instanceof PickleReader.Sequence list) {
                addAll(name, list.items(), depth);
            } else if (value instanceof PickleReader.Tuple tuple) {
                addAll(name, tuple.items(), depth);
            }
        }

        private void addAll(String name, List<Object> items, int depth) {
            for (int i = 0; i < items.size(); i++) {
                add(join(name, i), items.get(i), depth + 1);
            }
        }

        private static String join(String name, Object key) {
            return name.isEmpty() ? key.toString() : name + "." + key;
        }

        private void put(String name, TensorView view) {
            String path = root + "data/" + view.storage().key();
            ZipDirectory.Entry entry = zip.entries().get(path);
            DType own = view.storage().dtype();
            long bytes = view.storage().elements() * (own == null ? 1 : own.byteSize());
            if (entry == null || entry.size() != bytes) {
                throw new ModelFormatException(
                        file,
                        place + "tensor " + name + ": " + path + " should have " + bytes + " bytes, but "
                                + (entry == null ? "is missing" : "at offset " + entry.at() + " has " + entry.size()));
            }
            if (entries.put(name, new Entry(view, entry)) != null) {
                throw new ModelFormatException(file, place + "two tensors are named " + name);
            }
        }
    }

    @Override
    public String toString() {
        return file + ", " + entries.size() + " tensors";
    }
}
