package io.teleworld.worlds;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the numbered things of a map look like: sprite, frames, size. Immutable. */
final class ThingCatalog {

    /**
     * A kind of thing.
     *
     * @param sprite four-letter sprite name
     * @param frames the frames shown while standing; a monster walks with A to D
     * @param radius for solid things, else 0
     * @param hanging height of a thing that hangs from the ceiling, else 0
     */
    record Kind(String name, String sprite, String frames, double radius, double hanging, boolean monster) {}

    private static final Map<Integer, Kind> KINDS = new HashMap<>();

    static {
        monster(3004, "zombie", "POSS", 20);
        monster(9, "shotgun zombie", "SPOS", 20);
        monster(65, "minigun zombie", "CPOS", 20);
        monster(84, "sailor", "SSWV", 20);
        monster(3001, "serpentipede", "TROO", 20);
        monster(3002, "flesh worm", "SARG", 30);
        monster(58, "stealth worm", "SARG", 30);
        monster(3005, "trilobite", "HEAD", 31);
        monster(3006, "deadflare", "SKUL", 16);
        monster(3003, "pain lord", "BOSS", 24);
        monster(69, "pain bringer", "BOS2", 24);
        monster(68, "technospider", "BSPI", 64);
        monster(7, "large technospider", "SPID", 128);
        monster(16, "assault tripod", "CYBR", 40);
        monster(71, "matribite", "PAIN", 31);
        monster(66, "dark soldier", "SKEL", 20);
        monster(67, "combat slug", "FATT", 48);
        monster(64, "necromancer", "VILE", 20);
        decoration(2035, "barrel", "BAR1", "A", 10);
        decoration(48, "tall techno pillar", "ELEC", "A", 16);
        decoration(30, "tall green column", "COL1", "A", 16);
        decoration(31, "short green column", "COL2", "A", 16);
        decoration(32, "tall red column", "COL3", "A", 16);
        decoration(33, "short red column", "COL4", "A", 16);
        decoration(36, "column with heart", "COL5", "A", 16);
        decoration(37, "column with skull", "COL6", "A", 16);
        decoration(41, "evil eye", "CEYE", "A", 16);
        decoration(42, "floating skull rock", "FSKU", "A", 16);
        decoration(43, "torch tree", "TRE1", "A", 16);
        decoration(54, "large tree", "TRE2", "A", 32);
        decoration(47, "stalagmite", "SMIT", "A", 16);
        decoration(44, "tall blue torch", "TBLU", "A", 16);
        decoration(45, "tall green torch", "TGRN", "A", 16);
        decoration(46, "tall red torch", "TRED", "A", 16);
        decoration(55, "short blue torch", "SMBT", "A", 16);
        decoration(56, "short green torch", "SMGT", "A", 16);
        decoration(57, "short red torch", "SMRT", "A", 16);
        decoration(70, "burning barrel", "FCAN", "A", 10);
        decoration(85, "tall techno lamp", "TLMP", "A", 16);
        decoration(86, "short techno lamp", "TLP2", "A", 16);
        decoration(2028, "floor lamp", "COLU", "A", 16);
        decoration(35, "candelabra", "CBRA", "A", 16);
        decoration(34, "candle", "CAND", "A", 0);
        decoration(25, "impaled human", "POL1", "A", 16);
        decoration(26, "twitching impaled human", "POL6", "A", 16);
        decoration(27, "skull on a pole", "POL4", "A", 16);
        decoration(28, "five skulls", "POL2", "A", 16);
        decoration(29, "pile of skulls and candles", "POL3", "A", 16);
        decoration(10, "bloody mess", "PLAY", "W", 0);
        decoration(12, "bloody mess", "PLAY", "W", 0);
        decoration(15, "dead player", "PLAY", "N", 0);
        decoration(18, "dead zombie", "POSS", "L", 0);
        decoration(19, "dead shotgun zombie", "SPOS", "L", 0);
        decoration(20, "dead serpentipede", "TROO", "M", 0);
        decoration(21, "dead flesh worm", "SARG", "N", 0);
        decoration(22, "dead trilobite", "HEAD", "L", 0);
        decoration(24, "pool of blood", "POL5", "A", 0);
        decoration(79, "pool of blood", "POB1", "A", 0);
        decoration(80, "pool of blood", "POB2", "A", 0);
        decoration(81, "pool of brains", "BRS1", "A", 0);
        hanging(49, "hanging victim", "GOR1", 68);
        hanging(63, "hanging victim", "GOR1", 68);
        hanging(50, "hanging victim", "GOR2", 84);
        hanging(59, "hanging victim", "GOR2", 84);
        hanging(51, "hanging victim", "GOR3", 84);
        hanging(61, "hanging victim", "GOR3", 52);
        hanging(52, "hanging pair of legs", "GOR4", 68);
        hanging(60, "hanging pair of legs", "GOR4", 68);
        hanging(53, "hanging leg", "GOR5", 52);
        hanging(62, "hanging leg", "GOR5", 52);
        hanging(73, "hanging victim", "HDB1", 88);
        hanging(74, "hanging victim", "HDB2", 88);
        hanging(75, "hanging torso", "HDB3", 64);
        hanging(76, "hanging torso", "HDB4", 64);
        hanging(77, "hanging torso", "HDB5", 64);
        hanging(78, "hanging torso", "HDB6", 64);
        String[] items = {
            "2011 STIM stimpack",
            "2012 MEDI medikit",
            "2014 BON1 health bonus",
            "2015 BON2 armour bonus",
            "2018 ARM1 green armour",
            "2019 ARM2 blue armour",
            "2013 SOUL soulsphere",
            "83 MEGA megasphere",
            "2022 PINV invulnerability",
            "2023 PSTR berserk",
            "2024 PINS invisibility",
            "2025 SUIT suit",
            "2026 PMAP map",
            "2045 PVIS visor",
            "2007 CLIP clip",
            "2048 AMMO ammunition box",
            "2008 SHEL shells",
            "2049 SBOX shell box",
            "2010 ROCK rocket",
            "2046 BROK rocket box",
            "2047 CELL cell",
            "17 CELP cell pack",
            "8 BPAK backpack",
            "2001 SHOT shotgun",
            "82 SGN2 double shotgun",
            "2002 MGUN minigun",
            "2003 LAUN missile launcher",
            "2004 PLAS plasma gun",
            "2006 BFUG energy gun",
            "2005 CSAW saw",
            "5 BKEY blue key",
            "6 YKEY yellow key",
            "13 RKEY red key",
            "40 BSKU blue skull key",
            "39 YSKU yellow skull key",
            "38 RSKU red skull key"
        };
        for (String item : items) {
            String[] part = item.split(" ", 3);
            decoration(Integer.parseInt(part[0]), part[2], part[1], "A", 0);
        }
    }

    private ThingCatalog() {}

    private static void monster(int type, String name, String sprite, double radius) {
        KINDS.put(type, new Kind(name, sprite, "A", radius, 0, true));
    }

    private static void decoration(int type, String name, String sprite, String frames, double radius) {
        KINDS.put(type, new Kind(name, sprite, frames, radius, 0, false));
    }

    private static void hanging(int type, String name, String sprite, double height) {
        KINDS.put(type, new Kind(name, sprite, "A", 0, height, false));
    }

    /** The kind of a thing number, or null for starts, exits and unknown numbers. */
    static @Nullable Kind of(int type) {
        return KINDS.get(type);
    }
}
