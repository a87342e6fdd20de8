package io.teleworld.goldens;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Values inside a transformer's graph under the names that the golden files give them, found by the weights that make
 * them; they tell where a difference begins. Stateless.
 */
final class TransformerProbes {

    /** What one weight belongs to. */
    private static final List<String[]> WHOLE = List.of(
            new String[] {"mid.patch_embed", "patch_embedding.weight"},
            new String[] {"mid.temb", "condition_embedder.time_embedder.linear_2.weight"},
            new String[] {"mid.time_proj", "condition_embedder.time_proj.weight"},
            new String[] {"mid.text_embed", "condition_embedder.text_embedder.linear_2.weight"},
            new String[] {"mid.image_embed", "condition_embedder.image_embedder.norm2.weight"},
            new String[] {"mid.head", "proj_out.weight"});

    private static final List<String[]> PER_BLOCK = List.of(
            new String[] {".self_attn", "attn1.to_out.0.weight"},
            new String[] {".cross_attn", "attn2.to_out.0.weight"},
            new String[] {".ffn", "ffn.net.2.weight"},
            new String[] {".cam_encoder", "cam_encoder.weight"},
            new String[] {".projector", "projector.weight"});

    private static final List<String[]> TEXT =
            List.of(new String[] {".k", "attn2.norm_k.weight"}, new String[] {".v", "attn2.to_v.weight"});

    private TransformerProbes() {}

    /** The values that the graph has. Names start with {@code mid.}, those of caches with {@code cache.}. */
    static Map<String, Value> of(Graph graph, int layers) {
        Map<String, Value> found = new LinkedHashMap<>();
        for (String[] w : WHOLE) {
            put(found, w[0], user(graph, w[1]));
        }
        for (int i = 0; i < layers; i++) {
            String block = "blocks." + i + ".";
            for (String[] w : PER_BLOCK) {
                put(found, "mid.block." + i + w[0], user(graph, block + w[1]));
            }
            for (String[] w : TEXT) {
                put(found, "mid.cross_cache.layer." + i + w[0], user(graph, block + w[1]));
            }
            Node query = user(graph, block + "attn1.to_q.weight");
            if (query != null && user(graph, block + "cam_encoder.weight") != null) {
                found.put("mid.block." + i + ".self_attn_input", query.inputs().get(0));
            }
            Value last = null;
            for (Node n : graph.nodes()) {
                if (n.op() instanceof Op.GatedResidual && n.name().startsWith(block)) {
                    last = n.output();
                }
            }
            if (last != null) {
                found.put("mid.block." + i, last);
            }
        }
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.WriteState w && w.state() instanceof State.FrameCache c) {
                found.put("cache." + c.name(), n.inputs().get(0));
            }
        }
        return found;
    }

    /** A value in the order in which the golden files hold it. */
    static float[] ordered(String name, float[] value, long[] stored) {
        if (!name.equals("mid.patch_embed")) {
            return value;
        }
        // The convolution's [B,d,F,h,w]; stored are tokens [B,L,d].
        int batch = Math.toIntExact(stored[0]);
        return Latents.swapped(value, batch, Math.toIntExact(stored[2]), Math.toIntExact(stored[1]));
    }

    private static void put(Map<String, Value> into, String name, @Nullable Node node) {
        if (node != null) {
            into.put(name, node.output());
        }
    }

    private static @Nullable Node user(Graph graph, String parameter) {
        Value weight = graph.parameters().get(parameter);
        if (weight == null) {
            return null;
        }
        return graph.nodes().stream()
                .filter(n -> n.inputs().contains(weight))
                .findFirst()
                .orElse(null);
    }
}
