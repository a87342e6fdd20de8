package io.teleworld.core.weights;

import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.DType;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads a pickle as data. It builds text, numbers, lists, tuples, dictionaries and descriptions of tensors; every global
 * but those that {@code torch.save} needs for these is refused, and none is ever called: the names below only select what
 * this class does itself. Work and memory are linear in the length of the pickle. Confined to one thread.
 */
final class PickleReader {

    /** Python's None. */
    enum None {
        NONE
    }

    /** A dictionary; keys are text or whole numbers. */
    record Dict(Map<Object, Object> items) {}

    /** A list. */
    record Sequence(List<Object> items) {}

    /** A tuple. */
    record Tuple(List<Object> items) {}

    /**
     * Where a tensor's elements are.
     *
     * @param key name of the storage's entry
     * @param dtype of its elements; null where only bytes are counted
     * @param elements how many, or bytes where {@code dtype} is null
     */
    record Storage(String key, @Nullable DType dtype, long elements) {}

    /**
     * A view of a storage.
     *
     * @param offset of its first element, in elements
     * @param strides per axis, in elements
     */
    record TensorView(Storage storage, DType dtype, long offset, List<Long> shape, List<Long> strides) {}

    private enum Function {
        ORDERED_DICT,
        SIZE,
        REBUILD_TENSOR,
        REBUILD_TENSOR_OF_TYPE,
        REBUILD_PARAMETER
    }

    /** A typed storage class; null dtype for the untyped one. */
    private record StorageType(@Nullable DType dtype) {}

    private enum Mark {
        MARK
    }

    private static final Map<String, Object> GLOBALS = Map.ofEntries(
            Map.entry("collections OrderedDict", Function.ORDERED_DICT),
            Map.entry("torch Size", Function.SIZE),
            Map.entry("torch._utils _rebuild_tensor", Function.REBUILD_TENSOR),
            Map.entry("torch._utils _rebuild_tensor_v2", Function.REBUILD_TENSOR),
            Map.entry("torch._utils _rebuild_tensor_v3", Function.REBUILD_TENSOR_OF_TYPE),
            Map.entry("torch._utils _rebuild_parameter", Function.REBUILD_PARAMETER),
            Map.entry("torch DoubleStorage", new StorageType(DType.F64)),
            Map.entry("torch FloatStorage", new StorageType(DType.F32)),
            Map.entry("torch HalfStorage", new StorageType(DType.F16)),
            Map.entry("torch BFloat16Storage", new StorageType(DType.BF16)),
            Map.entry("torch LongStorage", new StorageType(DType.I64)),
            Map.entry("torch IntStorage", new StorageType(DType.I32)),
            Map.entry("torch CharStorage", new StorageType(DType.I8)),
            Map.entry("torch ByteStorage", new StorageType(DType.U8)),
            Map.entry("torch BoolStorage", new StorageType(DType.BOOL)),
            Map.entry("torch UntypedStorage", new StorageType(null)),
            Map.entry("torch.storage UntypedStorage", new StorageType(null)),
            Map.entry("torch float64", DType.F64),
            Map.entry("torch float32", DType.F32),
            Map.entry("torch float16", DType.F16),
            Map.entry("torch bfloat16", DType.BF16),
            Map.entry("torch float8_e4m3fn", DType.F8_E4M3),
            Map.entry("torch int64", DType.I64),
            Map.entry("torch int32", DType.I32),
            Map.entry("torch int8", DType.I8),
            Map.entry("torch uint8", DType.U8),
            Map.entry("torch bool", DType.BOOL));

    private static final int LARGEST_RANK = 16;

    private final String file;
    private final long base;
    private final ByteBuffer in;
    private final List<Object> stack = new ArrayList<>();
    private final Map<Integer, Object> memo = new HashMap<>();
    private int opAt;

    private PickleReader(String file, long base, ByteBuffer in) {
        this.file = file;
        this.base = base;
        this.in = in.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * The object that a pickle describes.
     *
     * @param base offset of the pickle within the file, for messages
     * @throws ModelFormatException on anything that is not plain data, naming the offset
     */
    static Object read(String file, long base, ByteBuffer pickle) {
        return new PickleReader(file, base, pickle).run();
    }

    private Object run() {
        while (true) {
            opAt = in.position();
            int op = u8();
            switch (op) {
                case 0x80 -> protocol();
                case 0x95 -> count(i64(), "frame");
                case '.' -> {
                    Object result = pop();
                    if (!stack.isEmpty()) {
                        throw bad("the pickle ends with " + stack.size() + " unused values");
                    }
                    return result;
                }
                case '(' -> stack.add(Mark.MARK);
                case '0' -> pop();
                case '1' -> popMark();
                case '2' -> {
                    Object top = pop();
                    stack.add(top);
                    stack.add(top);
                }
                case 'N' -> stack.add(None.NONE);
                case 0x88 -> stack.add(true);
                case 0x89 -> stack.add(false);
                case 'J' -> stack.add((long) i32());
                case 'K' -> stack.add((long) u8());
                case 'M' -> stack.add((long) (u8() | u8() << 8));
                case 'G' -> stack.add(Double.longBitsToDouble(Long.reverseBytes(i64())));
                case 0x8A -> stack.add(whole(u8()));
                case 'X' -> stack.add(text(i32() & 0xFFFFFFFFL));
                case 0x8C, 'U' -> stack.add(text(u8()));
                case 0x8D -> stack.add(text(i64()));
                case 'T' -> stack.add(text(i32()));
                case ']' -> stack.add(new Sequence(new ArrayList<>()));
                case '}' -> stack.add(new Dict(new LinkedHashMap<>()));
                case ')' -> stack.add(new Tuple(List.of()));
                case 't' -> stack.add(new Tuple(popMark()));
                case 'l' -> stack.add(new Sequence(popMark()));
                case 'd' -> {
                    List<Object> items = popMark();
                    stack.add(fill(new Dict(new LinkedHashMap<>()), items));
                }
                case 0x85 -> stack.add(new Tuple(popLast(1)));
                case 0x86 -> stack.add(new Tuple(popLast(2)));
                case 0x87 -> stack.add(new Tuple(popLast(3)));
                case 'a' -> {
                    Object item = pop();
                    top(Sequence.class, "a list").items().add(item);
                }
                case 'e' -> {
                    List<Object> items = popMark();
                    top(Sequence.class, "a list").items().addAll(items);
                }
                case 's' -> {
                    List<Object> pair = popLast(2);
                    fill(top(Dict.class, "a dictionary"), pair);
                }
                case 'u' -> {
                    List<Object> items = popMark();
                    fill(top(Dict.class, "a dictionary"), items);
                }
                case 'q' -> memo.put(u8(), peek());
                case 'r' -> memo.put(i32(), peek());
                case 0x94 -> memo.put(memo.size(), peek());
                case 'h' -> stack.add(remembered(u8()));
                case 'j' -> stack.add(remembered(i32()));
                case 'c' -> stack.add(global(line(), line()));
                case 0x93 -> {
                    List<Object> names = popLast(2);
                    if (!(names.get(0) instanceof String module) || !(names.get(1) instanceof String name)) {
                        throw bad("a global is not named by text");
                    }
                    stack.add(global(module, name));
                }
                case 'R' -> {
                    List<Object> call = popLast(2);
                    stack.add(apply(call.get(0), call.get(1)));
                }
                case 'b' -> {
                    Object state = pop();
                    // State dictionaries carry version notes beside their items; they are no weights.
                    if (!(peek() instanceof Dict) || !(state instanceof Dict)) {
                        throw bad("only a dictionary's notes may be set");
                    }
                }
                case 'Q' -> stack.add(storage(pop()));
                default -> throw bad(String.format("operation 0x%02x builds no plain data and is refused", op));
            }
        }
    }

    private void protocol() {
        int version = u8();
        if (version < 2 || version > 5) {
            throw bad("pickle protocol " + version + "; known are 2 to 5");
        }
    }

    // ------------------------------------------------------------------------------------------ what torch.save needs

    private Object global(String module, String name) {
        Object known = GLOBALS.get(module + " " + name);
        if (known == null) {
            throw bad("the file wants to load '" + shown(module + "." + name)
                    + "'; only tensors and containers are read, nothing else is ever loaded");
        }
        return known;
    }

    private Object apply(Object function, Object arguments) {
        if (!(arguments instanceof Tuple tuple)) {
            throw bad("a call's arguments are not a tuple");
        }
        List<Object> a = tuple.items();
        if (!(function instanceof Function f)) {
            throw bad("something that is no function would be called");
        }
        switch (f) {
            case ORDERED_DICT -> {
                if (!a.isEmpty()) {
                    throw bad("OrderedDict has " + a.size() + " arguments; none are known");
                }
                return new Dict(new LinkedHashMap<>());
            }
            case SIZE -> {
                if (a.size() == 1 && a.get(0) instanceof Tuple extents) {
                    return extents;
                }
                if (a.size() == 1 && a.get(0) instanceof Sequence extents) {
                    return new Tuple(extents.items());
                }
                throw bad("torch.Size takes one list");
            }
            case REBUILD_PARAMETER -> {
                if (!a.isEmpty() && a.get(0) instanceof TensorView tensor) {
                    return tensor;
                }
                throw bad("a parameter holds no tensor");
            }
            case REBUILD_TENSOR -> {
                if (a.size() < 4 || !(a.get(0) instanceof Storage s) || s.dtype() == null) {
                    throw bad("a tensor is not given as storage, offset, shape and strides");
                }
                return tensor(s, s.dtype(), a);
            }
            case REBUILD_TENSOR_OF_TYPE -> {
                if (a.size() < 7 || !(a.get(0) instanceof Storage s) || !(a.get(6) instanceof DType type)) {
                    throw bad("a tensor is not given as storage, offset, shape, strides and a known element type");
                }
                return tensor(s, type, a);
            }
        }
        throw bad("unknown function " + f);
    }

    private TensorView tensor(Storage storage, DType type, List<Object> a) {
        long offset = whole(a.get(1), "a tensor's offset");
        List<Long> shape = extents(a.get(2), "a tensor's shape");
        List<Long> strides = extents(a.get(3), "a tensor's strides");
        if (strides.size() != shape.size()) {
            throw bad("a tensor of rank " + shape.size() + " has " + strides.size() + " strides");
        }
        DType own = storage.dtype();
        long bytes = own == null ? storage.elements() : storage.elements() * own.byteSize();
        long available = bytes / type.byteSize();
        long count = 1;
        long last = offset;
        try {
            for (int i = 0; i < shape.size(); i++) {
                count = Math.multiplyExact(count, shape.get(i));
            }
            for (int i = 0; i < shape.size() && count > 0; i++) {
                last = Math.addExact(last, Math.multiplyExact(shape.get(i) - 1, strides.get(i)));
            }
        } catch (ArithmeticException e) {
            throw new ModelFormatException(file, at() + "a tensor's shape is too large", e);
        }
        if (count > available || offset > available || (count > 0 && last >= available)) {
            throw bad("a tensor of " + count + " elements reaches to element " + last + " of storage " + storage.key()
                    + ", which has " + available);
        }
        if (count > Integer.MAX_VALUE / type.byteSize()) {
            throw bad("a tensor of " + count + " " + type + "; a tensor can have 2 GiB at most");
        }
        return new TensorView(storage, type, offset, shape, strides);
    }

    private Storage storage(Object id) {
        if (id instanceof Tuple t
                && t.items().size() == 5
                && "storage".equals(t.items().get(0))
                && t.items().get(1) instanceof StorageType type
                && t.items().get(2) instanceof String key
                && t.items().get(3) instanceof String) {
            if (!key.matches("[A-Za-z0-9_]{1,64}")) {
                throw bad("storage '" + shown(key) + "' is no plain name");
            }
            long count = whole(t.items().get(4), "a storage's size");
            if (count > Long.MAX_VALUE / 8) {
                throw bad("storage " + key + " would have " + count + " elements");
            }
            return new Storage(key, type.dtype(), count);
        }
        throw bad("a reference is not a storage of a known element type");
    }

    private List<Long> extents(Object value, String what) {
        if (!(value instanceof Tuple t) || t.items().size() > LARGEST_RANK) {
            throw bad(what + " is not a tuple of at most " + LARGEST_RANK + " numbers");
        }
        return t.items().stream().map(v -> whole(v, what)).toList();
    }

    private long whole(Object value, String what) {
        if (value instanceof Long v && v >= 0) {
            return v;
        }
        throw bad(what + " is not a whole number of at least 0");
    }

    // ------------------------------------------------------------------------------------------ stack

    private Dict fill(Dict dict, List<Object> pairs) {
        if (pairs.size() % 2 != 0) {
            throw bad("a dictionary's key has no value");
        }
        for (int i = 0; i < pairs.size(); i += 2) {
            Object key = pairs.get(i);
            // Anything else could take exponential time to hash.
            if (!(key instanceof String) && !(key instanceof Long)) {
                throw bad("a dictionary's key is neither text nor a whole number");
            }
            dict.items().put(key, pairs.get(i + 1));
        }
        return dict;
    }

    private <T> T top(Class<T> type, String what) {
        Object top = peek();
        if (!type.isInstance(top)) {
            throw bad("items are added to something that is not " + what);
        }
        return type.cast(top);
    }

    private Object peek() {
        if (stack.isEmpty() || stack.get(stack.size() - 1) == Mark.MARK) {
            throw bad("a value is missing");
        }
        return stack.get(stack.size() - 1);
    }

    private Object pop() {
        Object top = peek();
        stack.remove(stack.size() - 1);
        return top;
    }

    private List<Object> popLast(int n) {
        List<Object> out = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            out.add(0, pop());
        }
        return out;
    }

    private List<Object> popMark() {
        for (int i = stack.size() - 1; i >= 0; i--) {
            if (stack.get(i) == Mark.MARK) {
                List<Object> out = new ArrayList<>(stack.subList(i + 1, stack.size()));
                stack.subList(i, stack.size()).clear();
                return out;
            }
        }
        throw bad("a mark is missing");
    }

    private Object remembered(int index) {
        Object value = memo.get(index);
        if (value == null) {
            throw bad("nothing was remembered under " + index);
        }
        return value;
    }

    // ------------------------------------------------------------------------------------------ bytes

    private int u8() {
        need(1);
        return in.get() & 0xFF;
    }

    private int i32() {
        need(4);
        return in.getInt();
    }

    private long i64() {
        need(8);
        return in.getLong();
    }

    private Object whole(int length) {
        need(length);
        byte[] bytes = new byte[length];
        for (int i = length - 1; i >= 0; i--) {
            bytes[i] = in.get();
        }
        BigInteger value = length == 0 ? BigInteger.ZERO : new BigInteger(bytes);
        return value.bitLength() < 64 ? (Object) value.longValue() : value;
    }

    private String text(long length) {
        byte[] bytes = new byte[count(length, "text")];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private String line() {
        int from = in.position();
        while (u8() != '\n') {
            if (in.position() - from > 1024) {
                throw bad("a global's name has no end");
            }
        }
        byte[] bytes = new byte[in.position() - 1 - from];
        in.get(from, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private int count(long length, String what) {
        if (length < 0 || length > in.remaining()) {
            throw bad(what + " of " + length + " bytes, but " + in.remaining() + " are left");
        }
        return (int) length;
    }

    private void need(int bytes) {
        if (in.remaining() < bytes) {
            throw bad("the pickle ends too early (truncated?)");
        }
    }

    private static String shown(String text) {
        String printable = text.replaceAll("[^ -~]", "?");
        return printable.length() > 100 ? printable.substring(0, 100) + "…" : printable;
    }

    private String at() {
        return "offset " + (base + opAt) + ": ";
    }

    private ModelFormatException bad(String problem) {
        return new ModelFormatException(file, at() + problem);
    }
}
