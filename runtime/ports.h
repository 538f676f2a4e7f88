// The ports of a stage: what the runtime knows how to bind to an argument. A plan that names another port is refused (plan_c14), so a stage
// can only read and write what is listed here. Names are part of the plan format: add, never rename.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace hsa {

// Symbols as in docs/spec.md; docs/plan_format.md says where each one stands in the file.
inline constexpr auto kPorts = std::to_array<std::string_view>({
    // Rows that enter a stage
    "q_rows",        // queries of a tile
    "k_rows",        // keys of a unit, in the order of the input
    "v_rows",        // values of a unit, in the order of the input
    "raw_rows",      // rows of one input tensor, in its own element type
    "widened",       // the same rows in f32
    "bad_rows",      // 1 for each row that holds a non-finite number
    "order",         // key of each slot of a unit's tree
    "visible_lo",    // first visible key of each query of a tile
    "visible_hi",    // one past the last visible key of each query of a tile

    // Packed keys and values that are read exactly
    "panel_k",       // keys of the near field, packed
    "panel_v",       // values of the near field, packed
    "panel_pos",     // position of each key of the near field
    "panel_bad",     // 1 for each non-finite key of the near field
    "panel_range",   // first and last panel that a tile reads
    "leaf_k",        // keys of the leaves of a unit, packed
    "leaf_v",        // values of the leaves of a unit, packed
    "leaf_pos",      // position of each leaf key, -1 for an empty slot
    "leaf_bad",      // 1 for each leaf slot that must not count

    // Bases that keys and queries are seen in
    "basis",         // U: columns are the directions whose variances a node keeps
    "metric",        // L: LLᵀ = E[qqᵀ] of earlier queries
    "projection",    // each row along the principal axis of its group
    "gram",          // second moments, summed over rows
    "alpha",         // α: weight of the values in the metric of bisection

    // Nodes of one level, and of the next finer one
    "node_mean",     // μ: mean key
    "node_value",    // v̄: mean value
    "node_var",      // mean variance of each band
    "node_scalar",   // live keys, log n, β, τ
    "child_mean",    // μ of the level below
    "child_value",   // v̄ of the level below
    "child_var",     // band variances of the level below
    "child_scalar",  // scalars of the level below

    // Calibration of β and τ
    "true_mass",     // log Σ e^{σ q·k} of each node for each sample
    "child_mass",    // the same of the level below
    "sample_q",      // sampled queries
    "sample_bands",  // ‖(Uᵀq)_b‖² of each sample

    // Opening
    "level_params",  // per-level numbers: σ, order, tokens of a node
    "theta",         // θ of the query head
    "work_in",       // nodes of this level to score
    "work_out",      // nodes of the next level to score, or leaves to read
    "counts",        // nodes scored, nodes opened, keys read

    // Rows that leave a stage
    "o_rows",        // outputs of a tile: acc, max and sum until normalized
    "lse_row",       // log-sum-exp of each query of a tile
    "rows_out",      // output rows in the element type of the output tensor
});

constexpr bool IsPort(std::string_view name) { return std::find(kPorts.begin(), kPorts.end(), name) != kPorts.end(); }

}  // namespace hsa
