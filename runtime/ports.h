// The ports of a stage: what the runtime knows how to bind to an argument. A plan that names another port is refused (plan_c14), so a stage
// can only read and write what is listed here. Names are part of the plan format: add, never rename. Shapes are in passes/stage_table.cpp
// and, as they were compiled, in every plan (`hsa-inspect`).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <string_view>

namespace hsa {

// Symbols as in docs/spec.md.
inline constexpr auto kPorts = std::to_array<std::string_view>({
    // Rows of the user's tensors, in their own element type
    "raw_rows",  // rows of one tensor
    "k_raw",     // keys of a unit
    "v_raw",     // values of a unit
    "rows_out",  // rows of the output tensor

    // The same in f32, padded
    "widened",   // rows that were raw
    "bad_rows",  // 1 for each row that holds a non-finite number
    "q_rows",    // queries of a tile, or samples
    "k_rows",    // keys of a unit
    "v_rows",    // values of a unit

    // Packed keys and values that are read exactly
    "order",         // row of each slot, -1 for an empty slot
    "panel_k",       // keys in panels of 16, dimension by dimension
    "panel_v",       // values in panels of 16 rows
    "panel_pos",     // position of each key, greatest i32 for an empty slot
    "panel_bad",     // not 0 for a panel with a non-finite value
    "panel_range",   // first panel and end of the panels that a tile reads
    "pair_k",        // keys in panels of 16 in bf16, two dimensions side by side
    "pair_v",        // values in panels of 32 in bf16, two keys side by side
    "byte_k",        // keys in panels of 16, turned and about a center, four dimensions side by side in 8 bits each
    "byte_scale",    // of each key
    "byte_sum",      // -128 times the sum of its bytes
    "byte_center",   // center of each batch of 64 keys
    "center_panel",  // centers in panels of 16
    "leaf_k",        // keys of the leaves, in the element type of the input
    "leaf_v",        // values of the leaves
    "leaf_pos",      // position of each leaf key
    "visible_lo",    // first visible position of each query of a tile
    "visible_hi",    // last visible position of each query of a tile

    // Ordering a unit
    "metric",      // L: LLᵀ = I + D E/tr E, E = mean qqᵀ of earlier queries
    "alpha",       // α: weight of the values in the metric
    "metric_x",    // [Lᵀk ; αv] of each live key
    "projection",  // each of them along the principal axis of its group
    "gram",        // second moments, summed over rows

    // Nodes of one level, in groups of four, and of the next finer level
    "reference",    // q₀: the query that nodes are seen from
    "node_mean",    // μ
    "node_value",   // v̄
    "node_var",     // mean variance of each band
    "node_scalar",  // log2 e (A − σ q₀·μ), log2 e A, 2 ln n, n, Σ_d var_d
    "child_mean",
    "child_value",
    "child_var",
    "child_scalar",
    "tilt_sum",      // Σ p (k − μ)(v − v̄)ᵀ over nodes of a level
    "tilt_traces",   // Σ of their traces, and of what their children had of them
    "tilt",          // σ Cᵀ of a level in panels of 16 columns
    "level_params",  // first valid node, end of the valid nodes, groups of children per node

    // Opening
    "tile_rows",  // queries of the tile that exist
    "theta",      // θ² times the finite queries of the tile; negative: open everything
    "work_in",    // groups of nodes of this level to score, or leaves to read
    "work_out",   // groups of the next level, or leaves
    "counts",     // length of work_in, length of work_out

    // Scheme routed: splats in rows and in panels of 16, the state of a kv_head, a chunk of tokens
    "token_bias",   // 0, or -1e35 for a slot that sends nothing
    "splat_scale",  // r = (½ log2 e / Σ)^½ of each splat
    "splat_shift",  // -r μ
    "panel_scale",  // the same, 16 splats side by side
    "panel_shift",
    "splat_center",   // c: what tokens and centers are relative to where splats are isotropic
    "token_norm",     // |k - c|² of each token
    "splat_product",  // 2 r² (μ - c)
    "splat_terms",    // -r², -r² |μ - c|²
    "splat_limit",    // of a tile of splats: greatest |x - c|² of a token whose affinities are a product
    "panel_product",  // the same, 16 splats side by side
    "panel_terms",
    "splat_factor",    // rows of B where covariances are not diagonal
    "panel_factor",    // the same, 16 splats side by side
    "level_factor",    // as panel_factor
    "splat_weight",    // log2(w a)
    "state_max",       // running maximum of what a splat was sent, in log2 units
    "state_sum",       // z 2^-max, as partial sums
    "state_acc",       // S 2^-max
    "receive_bias",    // log2(w a) + max
    "receive_mass",    // z 2^-max
    "splat_range",     // first splat and end of those that a tile receives from
    "sketch_axes",     // what tokens are projected on, and behind it c, what they are relative to
    "token_sketch",    // projections of x - c, and |x - c|²
    "token_other",     // a token beside each
    "token_apart",     // |x - other|²
    "cluster_begin",   // first of each cluster's tokens, and the end
    "cluster_tokens",  // tokens of one cluster after the other
    "splat_sent",      // log2 z
    "share_limit",     // log2 of the greatest share of a token that may be left out
    "token_share",     // log2 of the greatest share of a token in what a splat was sent
    "sent",            // 2^(log2 ψ - max) of the tokens of a chunk
    "chunk_tokens",    // how many there are
    "flow_tiles",      // log2 (1 + links) in tiles of 64 × 64 splats
    "flow_index",      // row and column of each tile
    "own_max",         // as state_max, state_sum, state_acc and sent, of what splats were sent before they pass it on
    "own_sum",
    "own_acc",
    "own_sent",
    "gate_weight",  // log2 e W_g, level beside level
    "gate_bias",    // log2 e b_g
    "level_panel",  // 1 where a splat is of a level

    // Scheme routed, sparse: a level of splats, or a node of its tree, and the splats that each token keeps
    "level_scale",    // as panel_scale
    "level_shift",    // as panel_shift
    "level_bias",     // log2 a, or less than any affinity for a slot without a splat
    "level_ids",      // number of the splat in each slot
    "level_center",   // c, of isotropic splats: their centers and the tokens are relative to it
    "level_product",  // as panel_product
    "level_terms",    // as panel_terms
    "level_limit",    // as splat_limit
    "near_score",     // log2 a φ of the splats that are near each key, greatest first
    "near_splat",     // their numbers
    "near_least",     // log2 of the share of the greatest that is kept
    "near_count",     // how many are kept
    "query_score",    // the same of queries
    "query_splat",
    "query_count",
    "splat_amplitude",  // log2 a of each splat
    "level_weight",     // log2 w of each level
    "link_begin",
    "link_tile",
    "link_log",       // log2 F in columns
    "overlap_first",  // the first splat of each of two levels
    "overlap",        // what splats of two levels share of their tokens
    "sent_score",
    "sent_splat",
    "sent_count",   // what tokens send along links
    "query_gate",   // log2 weight of each level as a query sees it
    "sparse_rows",  // output rows in f32

    // Results of a tile
    "o_rows",   // output rows in f32
    "lse_row",  // natural log of the sum of each row
});

inline constexpr auto kPortsByName = [] {
  std::array<int16_t, kPorts.size()> order{};
  std::iota(order.begin(), order.end(), int16_t{0});
  std::ranges::sort(order, {}, [](int16_t port) { return kPorts[port]; });
  return order;
}();

// Where `name` stands in kPorts, or -1. Every run looks up the arguments of its stages: one after the other was a fifth of the time of 512 tokens.
constexpr int PortIndex(std::string_view name) {
  const auto at = std::ranges::lower_bound(kPortsByName, name, {}, [](int16_t port) { return kPorts[port]; });
  return at == kPortsByName.end() || kPorts[*at] != name ? -1 : *at;
}

// Whether a plan may bind an argument to `name`.
constexpr bool IsPort(std::string_view name) { return PortIndex(name) >= 0; }

}  // namespace hsa
