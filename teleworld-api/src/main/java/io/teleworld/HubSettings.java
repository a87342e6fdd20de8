package io.teleworld;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Where models of a hub come from and where they are kept. Immutable.
 *
 * @param endpoint the hub, http or https, without a slash at the end
 * @param cache the folder that holds {@code models--ORGANISATION--NAME}, shared with other programs that keep to the
 *     Hugging Face layout
 * @param token access token, sent to the endpoint's host only; absent for anonymous access
 * @param offline whether only what is in the cache is used
 * @param silence how long nothing may arrive during a transfer before it counts as cut, more than 0
 */
public record HubSettings(URI endpoint, Path cache, Optional<String> token, boolean offline, Duration silence) {

    /** What {@code silence} is unless something else is asked for. */
    public static final Duration DEFAULT_SILENCE = Duration.ofSeconds(10);

    private static final String TIMEOUT = "HF_HUB_DOWNLOAD_TIMEOUT";

    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");

    public HubSettings {
        Objects.requireNonNull(cache, "cache");
        Objects.requireNonNull(token, "token");
        String scheme = endpoint.getScheme();
        if (endpoint.getHost() == null || !("http".equals(scheme) || "https".equals(scheme))) {
            throw new IllegalArgumentException(
                    "endpoint is '" + endpoint + "'; it must be http://HOST or https://HOST");
        }
        if (silence.isZero() || silence.isNegative()) {
            throw new IllegalArgumentException("silence is " + silence + "; it must be more than 0");
        }
    }

    /** With {@link #DEFAULT_SILENCE}. */
    public HubSettings(URI endpoint, Path cache, Optional<String> token, boolean offline) {
        this(endpoint, cache, token, offline, DEFAULT_SILENCE);
    }

    /** These settings with another {@link #silence()}. */
    public HubSettings withSilence(Duration silence) {
        return new HubSettings(endpoint, cache, token, offline, silence);
    }

    /** What this process's environment asks for; see {@link #of}. */
    public static HubSettings fromEnvironment() {
        return of(System.getenv(), Path.of(System.getProperty("user.home")));
    }

    /**
     * What an environment asks for: {@code HF_ENDPOINT}, {@code HF_HUB_CACHE} or {@code HF_HOME} (or
     * {@code XDG_CACHE_HOME/huggingface}), {@code HF_TOKEN}, {@code HF_HUB_OFFLINE} and {@code HF_HUB_DOWNLOAD_TIMEOUT}
     * (seconds).
     *
     * @param home the user's folder, below which {@code .cache/huggingface} is the last resort
     * @throws IllegalArgumentException if the endpoint or the timeout is none
     */
    public static HubSettings of(Map<String, String> environment, Path home) {
        String endpoint = environment.getOrDefault("HF_ENDPOINT", "https://huggingface.co");
        String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
        Path base = xdg.isBlank() ? home.resolve(".cache") : Path.of(xdg);
        String hfHome = environment.getOrDefault("HF_HOME", "");
        Path hub = (hfHome.isBlank() ? base.resolve("huggingface") : Path.of(hfHome)).resolve("hub");
        String cache = environment.getOrDefault("HF_HUB_CACHE", "");
        String token = environment.getOrDefault("HF_TOKEN", "").strip();
        return new HubSettings(
                URI.create(endpoint.replaceAll("/+$", "")),
                cache.isBlank() ? hub : Path.of(cache),
                token.isEmpty() ? Optional.empty() : Optional.of(token),
                TRUE.contains(environment.getOrDefault("HF_HUB_OFFLINE", "").toUpperCase(Locale.ROOT)),
                silence(environment.getOrDefault(TIMEOUT, "").strip()));
    }

    private static Duration silence(String seconds) {
        if (seconds.isEmpty()) {
            return DEFAULT_SILENCE;
        }
        if (!seconds.matches("[1-9][0-9]{0,5}")) {
            throw new IllegalArgumentException(
                    TIMEOUT + " is '" + seconds + "'; it must be a number of seconds, at least 1");
        }
        return Duration.ofSeconds(Long.parseLong(seconds));
    }

    /** Does not show the token. */
    @Override
    public String toString() {
        return endpoint + ", cache " + cache + (token.isPresent() ? ", with a token" : "")
                + (offline ? ", offline" : "");
    }
}
