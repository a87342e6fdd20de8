package io.teleworld.worlds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WadFileTest {

    @Test
    void readsItsMapsAndLumps() {
        WadFile wad = WadFile.of("tiny.wad", TinyWad.square(128, 96).build());
        assertThat(wad.maps()).containsExactly("E1M1");
        assertThat(wad.lump("PLAYPAL").limit()).isEqualTo(768);
        assertThat(wad.mapLump("E1M1", "LINEDEFS").limit()).isEqualTo(4 * 14);
    }

    @Test
    void missingFile(@TempDir Path folder) {
        Path none = folder.resolve("none.wad");
        assertThatThrownBy(() -> WadFile.open(none))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("no WAD at")
                .hasMessageContaining("none.wad");
    }

    @Test
    void folderInsteadOfFile(@TempDir Path folder) {
        assertThatThrownBy(() -> WadFile.open(folder))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("cannot read");
    }

    @Test
    void emptyFolder(@TempDir Path folder) {
        assertThatThrownBy(() -> Freedoom.locate(folder))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("no freedoom1.wad or freedoom2.wad")
                .hasMessageContaining(Freedoom.PROPERTY);
    }

    @Test
    void foreignMagic(@TempDir Path folder) throws IOException {
        Path png = Files.write(folder.resolve("x.wad"), "\u0089PNG not a wad".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> WadFile.open(png))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("not a WAD")
                .hasMessageContaining("89 50 4e 47");
    }

    @Test
    void lumpBeyondTheEnd() {
        byte[] b = TinyWad.square(128, 96).build();
        ByteBuffer view = ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN);
        view.putInt(view.getInt(8) + 4, b.length);
        assertThatThrownBy(() -> WadFile.of("cut.wad", b))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("lump PLAYPAL")
                .hasMessageContaining("beyond its end");
    }

    @Property(tries = 60)
    void everyTruncationIsNoticed(@ForAll @DoubleRange(min = 0, max = 0.99) double share) {
        byte[] whole = TinyWad.square(128, 96).build();
        byte[] cut = Arrays.copyOf(whole, (int) (whole.length * share));
        assertThatThrownBy(() -> WadFile.of("cut.wad", cut))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("cut.wad");
    }

    @Test
    void missingMapAndDanglingReferences() {
        WadFile wad = WadFile.of("tiny.wad", TinyWad.square(128, 96).build());
        assertThatThrownBy(() -> new DoomMap(wad, "MAP99"))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("no map MAP99")
                .hasMessageContaining("E1M1");
        byte[] b = TinyWad.square(128, 96).build();
        int at = indexOf(b, wad.mapLump("E1M1", "LINEDEFS"));
        b[at] = 77;
        WadFile dangling = WadFile.of("tiny.wad", b);
        assertThatThrownBy(() -> new DoomMap(dangling, "E1M1"))
                .isInstanceOf(WorldFormatException.class)
                .hasMessageContaining("vertex 77");
    }

    private static int indexOf(byte[] whole, ByteBuffer part) {
        for (int i = 0; i + part.limit() <= whole.length; i++) {
            if (ByteBuffer.wrap(whole, i, part.limit()).equals(part)) {
                return i;
            }
        }
        throw new IllegalArgumentException("not found");
    }

    @Test
    void heldOutMaps() {
        assertThat(MapSplit.of("E2M3")).isEqualTo(MapSplit.HELD_OUT);
        assertThat(MapSplit.of("MAP20")).isEqualTo(MapSplit.HELD_OUT);
        assertThat(MapSplit.of("MAP32")).isEqualTo(MapSplit.HELD_OUT);
        assertThat(MapSplit.of("MAP19")).isEqualTo(MapSplit.TRAIN);
        assertThat(MapSplit.of("E1M2")).isEqualTo(MapSplit.TRAIN);
        assertThat(MapSplit.of("E4M2")).isEqualTo(MapSplit.TRAIN);
    }
}
