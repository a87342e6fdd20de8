package io.teleworld;

import java.net.URI;
import java.nio.file.Path;
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
 */
public record HubSettings(URI endpoint, Path cache, Optional<String> token, boolean offline) {

    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");

    public HubSettings {
        Objects.requireNonNull(cache, "cache");
        Objects.requireNonNull(token, "token");
        String scheme = endpoint.getScheme();
        if (endpoint.getHost() == null || !("http".equals(scheme) || "https".equals(scheme))) {
            throw new IllegalArgumentException(
                    "endpoint is '" + endpoint + "'; it must be http://HOST or https://HOST");
        }
    }

    /** What this process's environment asks for; see {@link #of}. */
    public static HubSettings fromEnvironment() {
        return of(System.getenv(), Path.of(System.getProperty("user.home")));
    }

    /**
     * What an environment asks for: {@code HF_ENDPOINT}, {@code HF_HUB_CACHE} or {@code HF_HOME} (or
     * {@code XDG_CACHE_HOME/huggingface}), {@code HF_TOKEN} and {@code HF_HUB_OFFLINE}.
     *
     * @param home the user's folder, below which {@code .cache/huggingface} is the last resort
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
                TRUE.contains(environment.getOrDefault("HF_HUB_OFFLINE", "").toUpperCase(Locale.ROOT)));
    }

    /** Does not show the token. */
    @Override
    public String toString() {
        return endpoint + ", cache " + cache + (token.isPresent() ? ", with a token" : "")
                + (offline ? ", offline" : "");
    }
}
