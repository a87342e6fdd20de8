package io.teleworld.core.text;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Prompts as the training of Wan 2.1 cleaned its captions: entities resolved twice, blanks made one. Stateless. */
public final class PromptText {

    private static final Pattern ENTITY = Pattern.compile("&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});");
    private static final Pattern BLANKS = Pattern.compile("[\\s\\p{Z}]+");

    /** What captions hold; of the hundreds that HTML knows the others stand for characters that are typed as such. */
    private static final Map<String, String> NAMED = Map.ofEntries(
            Map.entry("amp", "&"),
            Map.entry("lt", "<"),
            Map.entry("gt", ">"),
            Map.entry("quot", "\""),
            Map.entry("apos", "'"),
            Map.entry("nbsp", "\u00a0"),
            Map.entry("ndash", "\u2013"),
            Map.entry("mdash", "\u2014"),
            Map.entry("lsquo", "\u2018"),
            Map.entry("rsquo", "\u2019"),
            Map.entry("ldquo", "\u201c"),
            Map.entry("rdquo", "\u201d"),
            Map.entry("hellip", "\u2026"),
            Map.entry("deg", "\u00b0"),
            Map.entry("times", "\u00d7"),
            Map.entry("copy", "\u00a9"),
            Map.entry("reg", "\u00ae"),
            Map.entry("trade", "\u2122"),
            Map.entry("euro", "\u20ac"));

    private PromptText() {}

    /** The text without entities, each run of blanks one space, none at the ends. */
    public static String clean(String text) {
        return BLANKS.matcher(unescaped(unescaped(text))).replaceAll(" ").strip();
    }

    private static String unescaped(String text) {
        return ENTITY.matcher(text).replaceAll(m -> Matcher.quoteReplacement(character(m.group(1), m.group())));
    }

    private static String character(String entity, String otherwise) {
        if (!entity.startsWith("#")) {
            return NAMED.getOrDefault(entity, otherwise);
        }
        boolean hex = Character.toLowerCase(entity.charAt(1)) == 'x';
        int code = Integer.parseInt(entity.substring(hex ? 2 : 1), hex ? 16 : 10);
        boolean real = Character.isValidCodePoint(code) && code != 0 && (code < 0xd800 || code > 0xdfff);
        return real ? Character.toString(code) : otherwise;
    }
}
