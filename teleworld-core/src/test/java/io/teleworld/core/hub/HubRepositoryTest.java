package io.teleworld.core.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.teleworld.HubSettings;
import io.teleworld.ModelSource;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against a hub and a content server on this machine. */
@Timeout(60)
final class HubRepositoryTest {

    private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    private static final byte[] CONFIG = "{\"num_layers\": 30}".getBytes(StandardCharsets.UTF_8);
    private static final byte[] WEIGHTS = new byte[300_000];

    static {
        new SplittableRandom(1).nextBytes(WEIGHTS);
    }

    @TempDir
    Path cache = Path.of("");

    private @Nullable HttpServer hub;
    private @Nullable HttpServer content;
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final AtomicInteger cuts = new AtomicInteger();
    private String siblings = "[{\"rfilename\":\"transformer/config.json\"},{\"rfilename\":\"big.safetensors\"}]";
    private String bigHash = sha256(WEIGHTS);
    private int status = 200;
    private boolean ranges = true;
    /** Where the hub sends those who want the large file, other than to the content server. */
    private @Nullable String elsewhere;

    /** Counted down when the servers stop; a body that falls silent waits for it. */
    private final CountDownLatch over = new CountDownLatch(1);

    private final ExecutorService answering = Executors.newCachedThreadPool();
    private boolean silent;
    private boolean silentListing;

    @BeforeEach
    void start() throws IOException {
        hub = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        content = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        hub.createContext("/", this::answerHub);
        content.createContext("/", this::answerContent);
        // One that is silent must not keep the next from being answered.
        hub.setExecutor(answering);
        content.setExecutor(answering);
        hub.start();
        content.start();
    }

    @AfterEach
    void stop() {
        over.countDown();
        server(hub).stop(0);
        server(content).stop(0);
        answering.shutdownNow();
    }

    private static HttpServer server(@Nullable HttpServer s) {
        if (s == null) {
            throw new IllegalStateException("not started");
        }
        return s;
    }

    private static String at(@Nullable HttpServer s) {
        return "http://127.0.0.1:" + server(s).getAddress().getPort();
    }

    private void log(String who, HttpExchange x) {
        requests.add(who + " " + x.getRequestMethod() + " " + x.getRequestURI()
                + Optional.ofNullable(x.getRequestHeaders().getFirst("Range"))
                        .map(r -> " " + r)
                        .orElse("")
                + Optional.ofNullable(x.getRequestHeaders().getFirst("Authorization"))
                        .map(r -> " " + r)
                        .orElse(""));
    }

    private void answerHub(HttpExchange x) throws IOException {
        log("hub", x);
        try (x) {
            String path = x.getRequestURI().getPath();
            if (status != 200) {
                x.sendResponseHeaders(status, -1);
            } else if (path.startsWith("/api/models/loop/")) {
                redirect(x, path);
            } else if (path.startsWith("/api/models/old/")) {
                redirect(x, "/api/models/org/name" + path.substring("/api/models/old/name".length()));
            } else if (path.equals("/api/models/org/name/revision/main")) {
                byte[] json =
                        ("{\"sha\":\"" + COMMIT + "\",\"siblings\":" + siblings + "}").getBytes(StandardCharsets.UTF_8);
                x.sendResponseHeaders(200, json.length);
                x.getResponseBody().write(json, 0, silentListing ? 10 : json.length);
                x.getResponseBody().flush();
                if (silentListing) {
                    wait(over);
                }
            } else if (path.endsWith("/resolve/" + COMMIT + "/transformer/config.json")) {
                x.getResponseHeaders().set("ETag", "\"" + gitHash(CONFIG) + "\"");
                send(x, CONFIG);
            } else if (path.endsWith("/resolve/" + COMMIT + "/big.safetensors")) {
                x.getResponseHeaders().set("X-Linked-Etag", "\"" + bigHash + "\"");
                x.getResponseHeaders().set("X-Linked-Size", Integer.toString(WEIGHTS.length));
                redirect(x, elsewhere == null ? at(content) + "/blob?signed=1" : elsewhere);
            } else {
                x.sendResponseHeaders(404, -1);
            }
        }
    }

    private static void redirect(HttpExchange x, String to) throws IOException {
        x.getResponseHeaders().set("Location", to);
        x.sendResponseHeaders(302, -1);
    }

    private void answerContent(HttpExchange x) throws IOException {
        log("content", x);
        try (x) {
            send(x, WEIGHTS);
        }
    }

    private void send(HttpExchange x, byte[] bytes) throws IOException {
        if (x.getRequestMethod().equals("HEAD")) {
            x.getResponseHeaders().set("Content-Length", Integer.toString(bytes.length));
            x.sendResponseHeaders(200, -1);
            return;
        }
        String range = x.getRequestHeaders().getFirst("Range");
        int from = 0;
        if (ranges && range != null) {
            from = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
            x.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (bytes.length - 1) + "/" + bytes.length);
        }
        x.sendResponseHeaders(from > 0 ? 206 : 200, bytes.length - from);
        int to = bytes.length > 1000 && cuts.getAndDecrement() > 0
                ? Math.min(bytes.length, from + 100_000)
                : bytes.length;
        x.getResponseBody().write(bytes, from, to - from);
        x.getResponseBody().flush();
        if (silent && to < bytes.length) {
            wait(over);
        }
    }

    private static void wait(CountDownLatch latch) throws IOException {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private ModelSource.Hub source(boolean offline) {
        return source("org/name", offline);
    }

    private ModelSource.Hub source(String name, boolean offline) {
        return new ModelSource.Hub(
                name, "main", new HubSettings(URI.create(at(hub)), cache, Optional.of("secret"), offline));
    }

    private HubRepository open() {
        return HubRepository.open(source(false), Disk.REAL, Duration.ZERO);
    }

    private Path root() {
        return cache.resolve("models--org--name");
    }

    private static String sha256(byte[] bytes) {
        return hash("SHA-256", bytes);
    }

    private static String gitHash(byte[] bytes) {
        byte[] head = ("blob " + bytes.length + "\0").getBytes(StandardCharsets.US_ASCII);
        byte[] all = Arrays.copyOf(head, head.length + bytes.length);
        System.arraycopy(bytes, 0, all, head.length, bytes.length);
        return hash("SHA-1", all);
    }

    private static String hash(String algorithm, byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    // ------------------------------------------------------------------------------------------ tests

    @Test
    void filesAreFetchedOnceIntoTheLayoutOfTheCache() throws IOException {
        HubRepository r = open();
        assertThat(r.commit()).isEqualTo(COMMIT);
        assertThat(r.files()).containsExactly("big.safetensors", "transformer/config.json");
        Path big = r.fetch("big.safetensors");
        assertThat(big).hasBinaryContent(WEIGHTS);
        assertThat(big).isEqualTo(root().resolve("snapshots").resolve(COMMIT).resolve("big.safetensors"));
        assertThat(root().resolve("blobs").resolve(bigHash)).hasBinaryContent(WEIGHTS);
        assertThat(Files.readSymbolicLink(big)).isEqualTo(Path.of("../../blobs", bigHash));
        assertThat(r.fetch("transformer/config.json")).hasBinaryContent(CONFIG);
        assertThat(root().resolve("blobs").resolve(gitHash(CONFIG))).exists();
        assertThat(root().resolve("refs/main")).hasContent(COMMIT);
        assertThatThrownBy(() -> r.fetch("no")).isInstanceOf(IllegalArgumentException.class);

        int before = requests.size();
        assertThat(r.fetch("big.safetensors")).isEqualTo(big);
        assertThat(requests).hasSize(before);
        // The token goes to the hub and to nobody else.
        assertThat(requests)
                .filteredOn(q -> q.startsWith("hub"))
                .isNotEmpty()
                .allMatch(q -> q.endsWith("Bearer secret"));
        assertThat(requests).filteredOn(q -> q.startsWith("content")).hasSize(1).noneMatch(q -> q.contains("Bearer"));

        HubRepository offline = HubRepository.open(source(true));
        assertThat(offline.files()).containsExactly("big.safetensors", "transformer/config.json");
        assertThat(offline.fetch("big.safetensors")).isEqualTo(big);
        assertThat(requests).hasSize(before);
    }

    @Test
    void modelFilesComeFromTheHub() throws IOException {
        ModelFiles files = ModelFiles.of(source(false));
        assertThat(files.exists("transformer/config.json")).isTrue();
        assertThat(files.exists("vae/config.json")).isFalse();
        assertThat(files.bytes("transformer/config.json")).isEqualTo(CONFIG);
        assertThat(files.onDisk("big.safetensors").orElseThrow()).hasBinaryContent(WEIGHTS);
        assertThat(files.description()).isEqualTo("org/name");
        assertThatThrownBy(() -> files.bytes("vae/config.json")).isInstanceOf(ModelFormatException.class);
    }

    @Test
    void aRenamedRepositoryIsFollowed() {
        assertThat(HubRepository.open(source("old/name", false)).files()).hasSize(2);
    }

    @Test
    void aCutIsContinued() {
        cuts.set(2);
        assertThat(open().fetch("big.safetensors")).hasBinaryContent(WEIGHTS);
        // A cut may take what was on its way with it, so each request starts where the bytes that arrived end.
        List<String> asked =
                requests.stream().filter(q -> q.startsWith("content")).toList();
        assertThat(asked).hasSize(3).first().isEqualTo("content GET /blob?signed=1");
        assertThat(start(asked.get(1))).isBetween(0, 100_000);
        assertThat(start(asked.get(2))).isBetween(start(asked.get(1)), start(asked.get(1)) + 100_000);
    }

    private static int start(String request) {
        int at = request.indexOf(" bytes=");
        return at < 0 ? 0 : Integer.parseInt(request.substring(at + " bytes=".length(), request.length() - 1));
    }

    @Test
    void aPartialFileIsNoFileAndIsContinuedLater() throws IOException {
        cuts.set(1_000);
        ranges = false;
        HubRepository r = open();
        assertThatThrownBy(() -> r.fetch("big.safetensors")).isInstanceOfSatisfying(TeleWorldException.class, e -> {
            assertThat(e.category()).isEqualTo(Category.RESOURCE);
            assertThat(e.retriable()).isTrue();
        });
        Path blobs = root().resolve("blobs");
        assertThat(blobs.resolve(bigHash)).doesNotExist();
        long arrived = Files.size(blobs.resolve(bigHash + ".incomplete"));
        assertThat(arrived).isBetween(0L, 100_000L);
        assertThat(root().resolve("snapshots").resolve(COMMIT).resolve("big.safetensors"))
                .doesNotExist();
        assertThatThrownBy(() -> HubRepository.open(source(true)).fetch("big.safetensors"))
                .isInstanceOf(IllegalArgumentException.class);
        cuts.set(0);
        ranges = true;
        assertThat(r.fetch("big.safetensors")).hasBinaryContent(WEIGHTS);
        assertThat(requests.get(requests.size() - 1))
                .isEqualTo("content GET /blob?signed=1" + (arrived > 0 ? " bytes=" + arrived + "-" : ""));
        assertThat(blobs.resolve(bigHash + ".incomplete")).doesNotExist();
    }

    private HubRepository impatient(Duration silence) {
        ModelSource.Hub s = source(false);
        return HubRepository.open(
                new ModelSource.Hub(s.repository(), s.revision(), s.settings().withSilence(silence)),
                Disk.REAL,
                Duration.ZERO);
    }

    @Test
    void aBodyThatFallsSilentCountsAsCut() {
        HubRepository r = impatient(Duration.ofMillis(200));
        silent = true;
        cuts.set(1);
        assertThat(r.fetch("big.safetensors")).hasBinaryContent(WEIGHTS);
        List<String> asked =
                requests.stream().filter(q -> q.startsWith("content")).toList();
        assertThat(asked).hasSize(2);
        // Nothing of what arrived before the silence is fetched again.
        assertThat(start(asked.get(1))).isEqualTo(100_000);
    }

    @Test
    @Timeout(10)
    void aHubThatStaysSilentIsReportedInTime() throws IOException {
        HubRepository r = impatient(Duration.ofMillis(40));
        silent = true;
        ranges = false;
        cuts.set(1_000);
        long begun = System.nanoTime();
        assertThatThrownBy(() -> r.fetch("big.safetensors"))
                .isInstanceOfSatisfying(TeleWorldException.class, e -> {
                    assertThat(e.category()).isEqualTo(Category.RESOURCE);
                    assertThat(e.retriable()).isTrue();
                })
                .hasMessageContainingAll("org/name/big.safetensors", "nothing arrived for 0.04 s");
        // Five attempts, each as long as the silence that is allowed.
        assertThat(Duration.ofNanos(System.nanoTime() - begun))
                .isBetween(Duration.ofMillis(200), Duration.ofSeconds(5));
        assertThat(root().resolve("blobs").resolve(bigHash)).doesNotExist();

        silentListing = true;
        assertThat(impatient(Duration.ofMillis(40)).commit()).isEqualTo(COMMIT);
        Files.delete(root().resolve("refs/main"));
        assertThatThrownBy(() -> impatient(Duration.ofMillis(40)))
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.retriable()).isTrue())
                .hasMessageContainingAll("org/name", "nothing arrived");
    }

    @Test
    void aSilentTransferCanBeInterrupted() throws Exception {
        HubRepository r = impatient(Duration.ofMinutes(5));
        silent = true;
        cuts.set(1_000);
        List<Throwable> thrown = new CopyOnWriteArrayList<>();
        Thread fetching = new Thread(() -> {
            try {
                r.fetch("big.safetensors");
            } catch (TeleWorldException e) {
                thrown.add(e);
            }
        });
        fetching.start();
        while (requests.stream().noneMatch(q -> q.startsWith("content"))) {
            Thread.sleep(5);
        }
        fetching.interrupt();
        fetching.join(10_000);
        assertThat(thrown).singleElement().satisfies(e -> assertThat(e).hasMessageContaining("interrupted"));
    }

    @Test
    void aHubThatCannotContinueSendsAllAgain() throws IOException {
        ranges = false;
        Files.createDirectories(root().resolve("blobs"));
        Files.write(root().resolve("blobs").resolve(bigHash + ".incomplete"), Arrays.copyOf(WEIGHTS, 50_000));
        assertThat(open().fetch("big.safetensors")).hasBinaryContent(WEIGHTS);
    }

    @Test
    void aForeignBeginningIsFoundByItsHash() throws IOException {
        Files.createDirectories(root().resolve("blobs"));
        Files.write(root().resolve("blobs").resolve(bigHash + ".incomplete"), new byte[50_000]);
        assertThat(open().fetch("big.safetensors")).hasBinaryContent(WEIGHTS);
        Files.delete(root().resolve("snapshots").resolve(COMMIT).resolve("big.safetensors"));
        Files.delete(root().resolve("blobs").resolve(bigHash));
        Files.write(root().resolve("blobs").resolve(bigHash + ".incomplete"), new byte[500_000]);
        assertThat(open().fetch("big.safetensors")).hasBinaryContent(WEIGHTS);
    }

    @Test
    void aWrongHashIsNotKept() throws IOException {
        bigHash = sha256(new byte[1]);
        assertThatThrownBy(() -> open().fetch("big.safetensors"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("org/name/big.safetensors")
                .hasMessageContaining("hash is not " + bigHash);
        try (var left = Files.list(root().resolve("blobs"))) {
            assertThat(left).isEmpty();
        }
        bigHash = "../../../../evil";
        assertThatThrownBy(() -> open().fetch("big.safetensors"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("neither hash nor size");
    }

    @Test
    void refusalsSayWhatToDo() {
        status = 401;
        assertThatThrownBy(this::open)
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.category()).isEqualTo(Category.USER))
                .hasMessageContainingAll("org/name", "401", "HF_TOKEN")
                .hasMessageNotContaining("secret");
        status = 404;
        assertThatThrownBy(this::open)
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContainingAll("org/name@main", "404");
        status = 500;
        assertThatThrownBy(this::open)
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.retriable()).isTrue())
                .hasMessageContaining("500");
        status = 200;
        HubRepository r = open();
        status = 403;
        assertThatThrownBy(() -> r.fetch("big.safetensors"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContainingAll("org/name/big.safetensors", "403");
        status = 404;
        assertThatThrownBy(() -> r.fetch("big.safetensors"))
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.category()).isEqualTo(Category.USER))
                .hasMessageContainingAll("org/name/big.safetensors", "404");
        assertThat(root().resolve("blobs")).doesNotExist();
    }

    @Test
    void redirectionsEndAndStayWithinHttp() {
        assertThatThrownBy(() -> HubRepository.open(source("loop/name", false), Disk.REAL, Duration.ZERO))
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.retriable()).isTrue())
                .hasMessageContainingAll("loop/name", "more than 5 redirections");
        HubRepository r = open();
        for (String to : List.of("file:///etc/passwd", "ftp://127.0.0.1/x", "", "http://[")) {
            elsewhere = to;
            assertThatThrownBy(() -> r.fetch("big.safetensors"))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("redirected to '" + to + "'");
        }
        elsewhere = at(hub) + "/org/name/resolve/" + COMMIT + "/big.safetensors";
        assertThatThrownBy(() -> r.fetch("big.safetensors"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("more than 5 redirections");
    }

    @Test
    void aCacheThatCannotBeWrittenIsNotTheHubsFault() throws IOException {
        HubRepository r = open();
        Files.writeString(root().resolve("blobs"), "in the way");
        assertThatThrownBy(() -> r.fetch("big.safetensors"))
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.category()).isEqualTo(Category.RESOURCE))
                .hasMessageContainingAll("org/name/big.safetensors", "the cache", "cannot be written");
    }

    @Test
    void aFullDiskLeavesNothingThatCountsAsPresent() throws IOException {
        Disk small = new Disk() {
            @Override
            public long usableBytes(Path folder) {
                return 1_000;
            }

            @Override
            public OutputStream append(Path file) throws IOException {
                return Disk.REAL.append(file);
            }
        };
        assertThatThrownBy(() ->
                        HubRepository.open(source(false), small, Duration.ZERO).fetch("big.safetensors"))
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.category()).isEqualTo(Category.RESOURCE))
                .hasMessageContainingAll("300000 bytes are needed", "1000 are free");
        Disk filling = new Disk() {
            @Override
            public long usableBytes(Path folder) {
                return Long.MAX_VALUE;
            }

            @Override
            public OutputStream append(Path file) throws IOException {
                OutputStream out = Disk.REAL.append(file);
                return new OutputStream() {
                    private int written;

                    @Override
                    public void write(int b) throws IOException {
                        write(new byte[] {(byte) b}, 0, 1);
                    }

                    @Override
                    public void write(byte[] b, int off, int len) throws IOException {
                        if (written > 120_000) {
                            throw new IOException("No space left on device");
                        }
                        written += len;
                        out.write(b, off, len);
                    }

                    @Override
                    public void close() throws IOException {
                        out.close();
                    }
                };
            }
        };
        assertThatThrownBy(() -> HubRepository.open(source(false), filling, Duration.ZERO)
                        .fetch("big.safetensors"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("No space left on device");
        assertThat(root().resolve("blobs").resolve(bigHash)).doesNotExist();
        assertThat(root().resolve("snapshots").resolve(COMMIT).resolve("big.safetensors"))
                .doesNotExist();
        assertThat(open().fetch("big.safetensors")).hasBinaryContent(WEIGHTS);
    }

    @Test
    void namesThatLeaveTheRepositoryAreRefused() {
        for (String name : List.of("../x", "/etc/passwd", "a/../../x", "a\\\\b", "", "a//b", "c:x", "./x")) {
            siblings = "[{\"rfilename\":\"" + name + "\"}]";
            assertThatThrownBy(this::open)
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("no plain path");
        }
        for (String repository : List.of("../x", "a/b/c", "a--b/c", "/x", "a/..", "")) {
            assertThatThrownBy(() -> ModelSource.hub(repository)).isInstanceOf(IllegalArgumentException.class);
        }
        HubSettings s = new HubSettings(URI.create("http://localhost"), cache, Optional.empty(), true);
        for (String revision : List.of("../x", "a//b", "", "x/")) {
            assertThatThrownBy(() -> new ModelSource.Hub("a/b", revision, s))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void withoutTheHubTheCacheIsUsed() {
        assertThatThrownBy(() -> HubRepository.open(source(true)))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContainingAll("org/name@main", "not in the cache", "offline");
        open().fetch("transformer/config.json");
        ModelSource.Hub source = source(false);
        server(hub).stop(0);
        HubRepository r = HubRepository.open(source, Disk.REAL, Duration.ZERO);
        assertThat(r.files()).containsExactly("transformer/config.json");
        assertThat(r.fetch("transformer/config.json")).hasBinaryContent(CONFIG);
        assertThatThrownBy(() -> HubRepository.open(source("other/name", true))).isInstanceOf(TeleWorldException.class);
    }

    @Test
    void theEnvironmentSaysWhere() {
        Path home = Path.of("/home/me");
        HubSettings none = HubSettings.of(Map.of(), home);
        assertThat(none.endpoint()).isEqualTo(URI.create("https://huggingface.co"));
        assertThat(none.cache()).isEqualTo(Path.of("/home/me/.cache/huggingface/hub"));
        assertThat(none.token()).isEmpty();
        assertThat(none.offline()).isFalse();
        HubSettings all = HubSettings.of(
                Map.of(
                        "HF_ENDPOINT",
                        "https://mirror.example/",
                        "HF_HOME",
                        "/data/hf",
                        "HF_TOKEN",
                        " t0k ",
                        "HF_HUB_OFFLINE",
                        "true"),
                home);
        assertThat(all.endpoint()).isEqualTo(URI.create("https://mirror.example"));
        assertThat(all.cache()).isEqualTo(Path.of("/data/hf/hub"));
        assertThat(all.token()).contains("t0k");
        assertThat(all.offline()).isTrue();
        assertThat(none.silence()).isEqualTo(Duration.ofSeconds(10));
        assertThat(HubSettings.of(Map.of("HF_HUB_DOWNLOAD_TIMEOUT", " 25 "), home)
                        .silence())
                .isEqualTo(Duration.ofSeconds(25));
        for (String bad : List.of("0", "-1", "soon", "1e9")) {
            assertThatThrownBy(() -> HubSettings.of(Map.of("HF_HUB_DOWNLOAD_TIMEOUT", bad), home))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("HF_HUB_DOWNLOAD_TIMEOUT", bad);
        }
        assertThatThrownBy(() -> none.withSilence(Duration.ZERO)).isInstanceOf(IllegalArgumentException.class);
        assertThat(all.toString()).doesNotContain("t0k").contains("mirror.example");
        assertThat(HubSettings.of(Map.of("XDG_CACHE_HOME", "/c"), home).cache())
                .isEqualTo(Path.of("/c/huggingface/hub"));
        assertThat(HubSettings.of(Map.of("HF_HUB_CACHE", "/h", "HF_HOME", "/x"), home)
                        .cache())
                .isEqualTo(Path.of("/h"));
        assertThatThrownBy(() -> HubSettings.of(Map.of("HF_ENDPOINT", "file:///x"), home))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("endpoint");
    }
}
