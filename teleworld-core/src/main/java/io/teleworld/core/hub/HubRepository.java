package io.teleworld.core.hub;

import io.teleworld.HubSettings;
import io.teleworld.ModelSource;
import io.teleworld.core.json.StrictJson;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * One revision of a hub's repository, in the Hugging Face cache layout: {@code blobs/HASH} hold the files,
 * {@code snapshots/COMMIT/PATH} link to them, {@code refs/REVISION} names the commit. Thread-safe, also between processes.
 *
 * <p>A file is fetched into {@code blobs/HASH.incomplete} and becomes {@code blobs/HASH} only when its length and its hash
 * are right, so a part of a file never counts as the file; the next fetch goes on where the last one stopped. A transfer
 * that falls silent is tried again a few times and then reported, see {@link HubSettings#silence()}. The access
 * token is sent to the hub's own host and to no other that it redirects to. Nothing has to be closed.
 */
public final class HubRepository {

    private static final Logger LOG = LoggerFactory.getLogger(HubRepository.class);

    private static final int MOST_ATTEMPTS = 5;
    private static final int MOST_REDIRECTS = 5;
    private static final int LARGEST_LISTING = 64 << 20;
    private static final Duration ANSWER = Duration.ofSeconds(30);

    /** What the hub says about a file before it is fetched. */
    private record Remote(String hash, long size, URI at) {}

    /** A failure of the disk, as opposed to one of the network. */
    private static final class DiskException extends IOException {
        private static final long serialVersionUID = 1L;

        DiskException(IOException cause) {
            super(cause.getMessage(), cause);
        }
    }

    private final String repository;
    private final HubSettings settings;
    private final HttpClient http;
    private final Disk disk;
    private final Duration pause;
    private final Path root;
    private final String commit;
    private final Set<String> files;

    private HubRepository(ModelSource.Hub source, Disk disk, Duration pause) {
        this.repository = source.repository();
        this.settings = source.settings();
        this.disk = disk;
        this.pause = pause;
        this.root = settings.cache().resolve("models--" + repository.replace("/", "--"));
        this.http = HttpClient.newBuilder()
                .connectTimeout(Duration.ofSeconds(10))
                .followRedirects(HttpClient.Redirect.NEVER)
                .build();
        Path ref = root.resolve("refs").resolve(source.revision());
        Optional<JsonNode> listing = settings.offline() ? Optional.empty() : listing(source.revision(), ref);
        if (listing.isPresent()) {
            commit = commitOf(listing.get().path("sha").asString(""));
            files = Collections.unmodifiableSet(files(listing.get().path("siblings")));
            remember(ref, source.revision());
        } else {
            commit = cachedCommit(source.revision(), ref);
            files = Collections.unmodifiableSet(cachedFiles());
        }
    }

    /**
     * Opens a revision: asks the hub for its list of files, or the cache when offline or when the hub cannot be reached.
     *
     * @throws TeleWorldException of category USER if there is no such repository, it may not be read, or it is not in the
     *     cache; of category RESOURCE, to be tried again, if the hub fails
     */
    public static HubRepository open(ModelSource.Hub source) {
        return open(source, Disk.REAL, Duration.ofSeconds(1));
    }

    static HubRepository open(ModelSource.Hub source, Disk disk, Duration pause) {
        return new HubRepository(source, disk, pause);
    }

    /** The commit that the revision stands for. */
    public String commit() {
        return commit;
    }

    /** The files of the repository, or offline of its cached part; paths with forward slashes. */
    public Set<String> files() {
        return files;
    }

    /**
     * A file on disk, fetched if it is not in the cache yet.
     *
     * @param path one of {@link #files()}
     * @throws IllegalArgumentException if there is no such file
     * @throws TeleWorldException of category RESOURCE if the hub or the disk fails; nothing partial is left in place of the
     *     file, and a later call goes on where this one stopped
     */
    public Path fetch(String path) {
        if (!files.contains(path)) {
            throw new IllegalArgumentException(this + " has no file " + path);
        }
        Path snapshot = root.resolve("snapshots").resolve(commit).resolve(path);
        if (Files.isRegularFile(snapshot)) {
            return snapshot;
        }
        if (settings.offline()) {
            throw new TeleWorldException(Category.USER, name(path) + " is not in the cache, and the hub is offline");
        }
        try {
            Remote remote = remote(path);
            Path blob = root.resolve("blobs").resolve(remote.hash());
            Files.createDirectories(blob.getParent());
            locked(remote.hash(), () -> {
                if (!Files.isRegularFile(blob)) {
                    download(path, remote, blob);
                }
                link(snapshot, blob);
            });
            return snapshot;
        } catch (InterruptedException | InterruptedIOException e) {
            Thread.currentThread().interrupt();
            throw new TeleWorldException(Category.RESOURCE, name(path) + ": fetching was interrupted", e, true);
        } catch (DiskException e) {
            throw new TeleWorldException(
                    Category.RESOURCE, name(path) + ": cannot be written to " + root + ": " + e.getMessage(), e, true);
        } catch (FileSystemException e) {
            throw new TeleWorldException(
                    Category.RESOURCE, name(path) + ": the cache " + root + " cannot be written: " + e, e, true);
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    // ------------------------------------------------------------------------------------------ what there is

    private Optional<JsonNode> listing(String revision, Path ref) {
        URI uri = URI.create(
                settings.endpoint() + "/api/models/" + encoded(repository) + "/revision/" + encodedSegment(revision));
        try {
            HttpResponse<InputStream> answer = follow(uri, "GET", 0);
            try (InputStream body = answer.body()) {
                requireOk(answer.statusCode(), repository + "@" + revision);
                byte[] text = body.readNBytes(LARGEST_LISTING + 1);
                if (text.length > LARGEST_LISTING) {
                    throw new ModelFormatException(uri.toString(), "the list of files has no end");
                }
                return Optional.of(StrictJson.read(uri.toString(), text, 0));
            }
        } catch (InterruptedException | InterruptedIOException e) {
            Thread.currentThread().interrupt();
            throw new TeleWorldException(Category.RESOURCE, repository + ": asking was interrupted", e, true);
        } catch (IOException e) {
            if (Files.exists(ref)) {
                LOG.warn("{} cannot be reached ({}); using what is in the cache", settings.endpoint(), e.toString());
                return Optional.empty();
            }
            throw failure("", e);
        }
    }

    private String commitOf(String sha) {
        if (!sha.matches("[0-9a-f]{40}")) {
            throw new ModelFormatException(toString(), "'" + sha + "' is no commit");
        }
        return sha;
    }

    private Set<String> files(JsonNode siblings) {
        Set<String> out = new TreeSet<>();
        for (JsonNode s : siblings) {
            String name = s.path("rfilename").asString("");
            if (!isPlain(name)) {
                throw new ModelFormatException(
                        toString(), "lists the file '" + name + "', which is no plain path within the repository");
            }
            out.add(name);
        }
        return out;
    }

    private static boolean isPlain(String name) {
        if (name.isEmpty()
                || name.length() > 512
                || name.startsWith("/")
                || name.contains("\\")
                || name.contains(":")) {
            return false;
        }
        return name.chars().noneMatch(c -> c < ' ')
                && Stream.of(name.split("/", -1)).noneMatch(p -> p.isEmpty() || p.equals(".") || p.equals(".."));
    }

    private void remember(Path ref, String revision) {
        if (revision.equals(commit)) {
            return;
        }
        try {
            Files.createDirectories(ref.getParent());
            Path temporary = Files.createTempFile(ref.getParent(), "ref", ".tmp");
            Files.writeString(temporary, commit);
            Files.move(temporary, ref, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new TeleWorldException(
                    Category.RESOURCE, "the cache " + settings.cache() + " cannot be written: " + e, e, true);
        }
    }

    private String cachedCommit(String revision, Path ref) {
        try {
            if (revision.matches("[0-9a-f]{40}")
                    && Files.isDirectory(root.resolve("snapshots").resolve(revision))) {
                return revision;
            }
            if (Files.isRegularFile(ref)) {
                return commitOf(Files.readString(ref).strip());
            }
        } catch (IOException e) {
            throw new TeleWorldException(Category.RESOURCE, ref + " cannot be read: " + e, e);
        }
        throw new TeleWorldException(
                Category.USER,
                repository + "@" + revision + " is not in the cache " + settings.cache() + ", and the hub is offline");
    }

    private Set<String> cachedFiles() {
        Path snapshot = root.resolve("snapshots").resolve(commit);
        if (!Files.isDirectory(snapshot)) {
            return Set.of();
        }
        try (Stream<Path> all = Files.walk(snapshot)) {
            Set<String> out = new TreeSet<>();
            all.filter(Files::isRegularFile)
                    .forEach(f -> out.add(snapshot.relativize(f).toString().replace('\\', '/')));
            return out;
        } catch (IOException | UncheckedIOException e) {
            throw new TeleWorldException(Category.RESOURCE, snapshot + " cannot be read: " + e, e);
        }
    }

    // ------------------------------------------------------------------------------------------ fetching

    private URI uri(String path) {
        return URI.create(settings.endpoint() + "/" + encoded(repository) + "/resolve/" + commit + "/" + encoded(path));
    }

    /** Asks for hash, size and place of a file; large ones lie on another host, which knows nothing of hashes. */
    private Remote remote(String path) throws IOException, InterruptedException {
        URI at = uri(path);
        for (int i = 0; i <= MOST_REDIRECTS; i++) {
            HttpResponse<Void> answer = http.send(request(at, "HEAD", 0).build(), BodyHandlers.discarding());
            Optional<URI> next = location(at, answer);
            if (next.isPresent() && isHub(next.get())) {
                at = next.get();
                continue;
            }
            if (next.isEmpty()) {
                requireOk(answer.statusCode(), name(path));
            }
            String hash = header(answer, "X-Linked-Etag", "ETag")
                    .replaceFirst("^W/", "")
                    .replace("\"", "");
            String size = header(answer, "X-Linked-Size", "Content-Length");
            if (!hash.matches("[A-Za-z0-9_-]{1,128}") || !size.matches("[0-9]{1,18}")) {
                throw new IOException("the hub tells neither hash nor size ('" + hash + "', '" + size + "')");
            }
            return new Remote(hash.toLowerCase(Locale.ROOT), Long.parseLong(size), next.orElse(at));
        }
        throw new IOException("more than " + MOST_REDIRECTS + " redirections");
    }

    private void download(String path, Remote remote, Path blob) throws IOException, InterruptedException {
        Path partial = blob.resolveSibling(remote.hash() + ".incomplete");
        boolean resumed = Files.exists(partial) && Files.size(partial) > 0;
        LOG.info("fetching {}, {} bytes", name(path), remote.size());
        receive(path, remote, partial);
        if (!hashOf(partial, remote.hash()).equals(remote.hash())) {
            Files.delete(partial);
            if (!resumed) {
                throw new IOException("its hash is not " + remote.hash() + "; the damaged copy is deleted");
            }
            // What was there before may have been another file's beginning.
            LOG.warn("{} does not have its hash after it was continued; fetching it anew", name(path));
            receive(path, remote, partial);
            if (!hashOf(partial, remote.hash()).equals(remote.hash())) {
                Files.delete(partial);
                throw new IOException("its hash is not " + remote.hash() + "; the damaged copy is deleted");
            }
        }
        Files.move(partial, blob, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Fills a partial file up to its size, going on after a cut. */
    private void receive(String path, Remote remote, Path partial) throws IOException, InterruptedException {
        for (int attempt = 1; ; attempt++) {
            long have = Files.exists(partial) ? Files.size(partial) : 0;
            if (have > remote.size()) {
                Files.delete(partial);
                have = 0;
            }
            if (have == remote.size() && Files.exists(partial)) {
                return;
            }
            long free = disk.usableBytes(root.resolve("blobs"));
            if (free < remote.size() - have) {
                throw new DiskException(
                        new IOException((remote.size() - have) + " bytes are needed, " + free + " are free"));
            }
            try {
                receiveRest(path, remote, partial, have);
                if (Files.size(partial) == remote.size()) {
                    return;
                }
                throw new IOException("it ended after " + Files.size(partial) + " of " + remote.size() + " bytes");
            } catch (DiskException | InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                if (attempt == MOST_ATTEMPTS) {
                    throw e;
                }
                LOG.warn("{}: {}; trying again", name(path), e.toString());
                Thread.sleep(pause.toMillis() * attempt);
            }
        }
    }

    private void receiveRest(String path, Remote remote, Path partial, long have)
            throws IOException, InterruptedException {
        HttpResponse<InputStream> answer = follow(remote.at(), "GET", have);
        try (InputStream body = answer.body()) {
            if (answer.statusCode() == 416) {
                Files.deleteIfExists(partial);
                throw new IOException("the hub cannot continue at byte " + have);
            }
            if (answer.statusCode() != 206) {
                requireOk(answer.statusCode(), name(path));
                Files.deleteIfExists(partial);
            } else if (!answer.headers().firstValue("Content-Range").orElse("").startsWith("bytes " + have + "-")) {
                throw new IOException("the hub continues at another byte than " + have);
            }
            long at = answer.statusCode() == 206 ? have : 0;
            byte[] buffer = new byte[1 << 16];
            try (OutputStream out = opened(partial)) {
                int n;
                while ((n = body.read(buffer)) >= 0) {
                    at += n;
                    if (at > remote.size()) {
                        throw new IOException("it is longer than its " + remote.size() + " bytes");
                    }
                    try {
                        out.write(buffer, 0, n);
                    } catch (IOException e) {
                        throw new DiskException(e);
                    }
                }
            }
        }
    }

    private OutputStream opened(Path partial) throws DiskException {
        try {
            return disk.append(partial);
        } catch (IOException e) {
            throw new DiskException(e);
        }
    }

    /** SHA-256 for large files, git's SHA-1 for the others; a hash of another kind cannot be checked. */
    private static String hashOf(Path file, String expected) throws IOException {
        boolean sha256 = expected.matches("[0-9a-f]{64}");
        if (!sha256 && !expected.matches("[0-9a-f]{40}")) {
            return expected;
        }
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance(sha256 ? "SHA-256" : "SHA-1");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-1 and SHA-256", e);
        }
        if (!sha256) {
            digest.update(("blob " + Files.size(file) + "\0").getBytes(StandardCharsets.US_ASCII));
        }
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(file)) {
            int n;
            while ((n = in.read(buffer)) >= 0) {
                digest.update(buffer, 0, n);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static void link(Path snapshot, Path blob) throws IOException {
        if (Files.isRegularFile(snapshot)) {
            return;
        }
        Path folder = Objects.requireNonNull(snapshot.getParent(), "a snapshot lies in a folder");
        Files.createDirectories(folder);
        Files.deleteIfExists(snapshot);
        try {
            Files.createSymbolicLink(snapshot, folder.relativize(blob));
        } catch (UnsupportedOperationException | FileSystemException e) {
            // No links here: the layout then has the file itself in the snapshot.
            Files.move(blob, snapshot, StandardCopyOption.ATOMIC_MOVE);
        }
    }

    // ------------------------------------------------------------------------------------------ locks

    private interface Locked {
        void run() throws IOException, InterruptedException;
    }

    private void locked(String hash, Locked action) throws IOException, InterruptedException {
        Path file =
                settings.cache().resolve(".locks").resolve(root.getFileName()).resolve(hash + ".lock");
        Files.createDirectories(file.getParent());
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = lock(channel)) {
            if (lock.isValid()) {
                action.run();
            }
        }
    }

    /** Waits for other processes and for other threads of this one. */
    private static FileLock lock(FileChannel channel) throws IOException, InterruptedException {
        while (true) {
            try {
                return channel.lock();
            } catch (OverlappingFileLockException e) {
                Thread.sleep(50);
            }
        }
    }

    // ------------------------------------------------------------------------------------------ HTTP

    private HttpResponse<InputStream> follow(URI from, String method, long offset)
            throws IOException, InterruptedException {
        URI at = from;
        for (int i = 0; i <= MOST_REDIRECTS; i++) {
            HttpResponse<InputStream> answer =
                    http.send(request(at, method, offset).build(), TimedBody.within(settings.silence()));
            Optional<URI> next = location(at, answer);
            if (next.isEmpty()) {
                return answer;
            }
            answer.body().close();
            at = next.get();
        }
        throw new IOException("more than " + MOST_REDIRECTS + " redirections");
    }

    private HttpRequest.Builder request(URI at, String method, long offset) {
        HttpRequest.Builder b = HttpRequest.newBuilder(at)
                .method(method, HttpRequest.BodyPublishers.noBody())
                .timeout(ANSWER)
                .header("User-Agent", "teleworld-java")
                // Sizes and offsets are those of the file itself.
                .header("Accept-Encoding", "identity");
        if (isHub(at)) {
            settings.token().ifPresent(t -> b.header("Authorization", "Bearer " + t));
        }
        if (offset > 0) {
            b.header("Range", "bytes=" + offset + "-");
        }
        return b;
    }

    private boolean isHub(URI uri) {
        URI hub = settings.endpoint();
        return hub.getScheme().equals(uri.getScheme())
                && hub.getHost().equalsIgnoreCase(uri.getHost())
                && hub.getPort() == uri.getPort();
    }

    private static Optional<URI> location(URI from, HttpResponse<?> answer) throws IOException {
        int status = answer.statusCode();
        if (status < 301 || status > 308 || status == 304) {
            return Optional.empty();
        }
        String to = answer.headers().firstValue("Location").orElse("");
        try {
            URI next = from.resolve(to);
            boolean plain = "http".equals(next.getScheme()) && !"http".equals(from.getScheme());
            if (to.isEmpty() || plain || !("http".equals(next.getScheme()) || "https".equals(next.getScheme()))) {
                throw new IOException("it is redirected to '" + to + "', where nothing is fetched from");
            }
            return Optional.of(next);
        } catch (IllegalArgumentException e) {
            throw new IOException("it is redirected to '" + to + "', which is no address", e);
        }
    }

    private static String header(HttpResponse<?> answer, String preferred, String other) {
        return answer.headers()
                .firstValue(preferred)
                .or(() -> answer.headers().firstValue(other))
                .orElse("");
    }

    private void requireOk(int status, String what) throws IOException {
        if (status == 200) {
            return;
        }
        if (status == 401 || status == 403) {
            throw new TeleWorldException(
                    Category.USER,
                    what + ": the hub refuses with " + status + "; "
                            + (settings.token().isPresent()
                                    ? "the token of HF_TOKEN has no access to it"
                                    : "if it is private or gated, set HF_TOKEN"));
        }
        if (status == 404) {
            throw new TeleWorldException(Category.USER, what + " is not on " + settings.endpoint() + " (404)");
        }
        throw new IOException("the hub answers with " + status);
    }

    private TeleWorldException failure(String path, IOException e) {
        String reason = e.getMessage() == null ? e.toString() : e.getMessage();
        return new TeleWorldException(
                Category.RESOURCE,
                name(path) + " cannot be fetched from " + settings.endpoint() + ": " + reason,
                e,
                true);
    }

    private String name(String path) {
        return path.isEmpty() ? repository : repository + "/" + path;
    }

    private static String encoded(String path) {
        return Stream.of(path.split("/"))
                .map(HubRepository::encodedSegment)
                .reduce((a, b) -> a + "/" + b)
                .orElse("");
    }

    private static String encodedSegment(String segment) {
        return URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20");
    }

    @Override
    public String toString() {
        return repository;
    }
}
