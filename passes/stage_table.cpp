#include "passes/stage_table.h"

#include "kernels/affinity.h"

#include <vector>

namespace hsa::ir {

std::vector<Term> vocabulary(const KernelParams& p) {
  const int64_t tq = p.tileQueries, d = p.paddedHeadDim, dv = p.paddedValueDim, b = p.bands, any = -1;
  const int64_t panel = kPanelKeys, batch = kBatchPanels, nodes = kGroupNodes;
  const auto port = Home::kPort, strided = Home::kStridedPort, buffer = Home::kBuffer;
  const auto f32 = Element::kF32, bf16 = Element::kBF16, i32 = Element::kI32, input = Element::kInput;
  // clang-format off: a table
  return {
      // rows of the user's tensors, and the same as f32
      {"raw_rows", strided, input, {any, any}}, {"k_raw", strided, input, {any, any}}, {"v_raw", strided, input, {any, any}},
      {"rows_out", strided, input, {any, any}}, {"widened", port, f32, {any, any}},    {"bad_rows", port, i32, {any}},
      {"k_rows", port, f32, {any, d}},          {"v_rows", port, f32, {any, dv}},      {"q_rows", port, f32, {any, d}},
      // keys in panels, and what the queries of a tile see
      {"order", port, i32, {any}},
      {"panel_k", port, f32, {any, d, panel}},  {"panel_v", port, f32, {any, panel, dv}}, {"panel_pos", port, i32, {any, panel}},
      {"panel_bad", port, i32, {any}},          {"panel_range", port, i32, {2}},
      {"leaf_k", port, input, {any, d, panel}}, {"leaf_v", port, input, {any, panel, dv}}, {"leaf_pos", port, i32, {any, panel}},
      {"visible_lo", port, i32, {tq}},          {"visible_hi", port, i32, {tq}},
      {"byte_k", port, i32, {any, d / 4, panel}}, {"byte_scale", port, f32, {any, panel}}, {"byte_sum", port, i32, {any, panel}},
      {"byte_center", port, f32, {any, d}}, {"center_panel", port, f32, {any, d, panel}},
      {"pair_k", port, bf16, {any, p.pairDim() / 2, 32}}, {"pair_v", port, bf16, {any, dv, 32}},
      // nodes of a level and of the finer level
      {"node_mean", port, f32, {any, d, nodes}},  {"node_value", port, f32, {any, nodes, dv}}, {"node_var", port, f32, {any, b, nodes}},
      {"node_scalar", port, f32, {any, 5, nodes}}, {"level_params", port, i32, {4}},
      {"child_mean", port, f32, {any, d, nodes}}, {"child_value", port, f32, {any, nodes, dv}}, {"child_var", port, f32, {any, b, nodes}},
      {"child_scalar", port, f32, {any, 5, nodes}},
      // building the index
      {"reference", port, f32, {d}}, {"metric", port, f32, {d, d}}, {"alpha", port, f32, {1}}, {"gram", port, f32, {d, d}},
      {"metric_x", port, f32, {any, d + dv}}, {"projection", port, f32, {any}}, {"axis", buffer, f32, {4, d + dv}}, {"child_share", buffer, f32, {4, nodes}},
      {"apart_k", buffer, f32, {d, panel}}, {"apart_v", buffer, f32, {panel, dv}}, {"tilt_sum", port, f32, {d, dv}}, {"tilt_traces", port, f32, {2}},
      // opening
      {"work_in", port, i32, {any}}, {"work_out", port, i32, {any}}, {"counts", port, i32, {2}}, {"theta", port, f32, {1}}, {"tile_rows", port, i32, {1}},
      // a tile of queries and its state
      {"query", buffer, f32, {tq, d}}, {"query_bands", buffer, f32, {tq, b}}, {"query_apart", buffer, f32, {tq, d}},
      {"tilt", port, f32, {p.tiltPanels(), d, panel}}, {"lean", buffer, f32, {tq, 16}}, {"max", buffer, f32, {tq}}, {"sum", buffer, f32, {tq, 16}},
      {"acc", buffer, f32, {tq, dv}}, {"mass_max", buffer, f32, {tq}}, {"mass_sum", buffer, f32, {tq, 16}}, {"mass_acc", buffer, f32, {tq, 16}}, {"closed_r2", buffer, f32, {tq, 16}},
      {"log_z", buffer, f32, {tq}}, {"o_rows", port, f32, {tq, dv}}, {"lse_row", port, f32, {tq}},
      // scheme routed: parameters of the splats in rows and in panels, the state, what a chunk sends
      {"token_bias", port, f32, {any, panel}}, {"splat_scale", port, f32, {p.splats, d}}, {"splat_shift", port, f32, {p.splats, d}},
      {"panel_scale", port, f32, {p.splats / panel, d, panel}}, {"panel_shift", port, f32, {p.splats / panel, d, panel}}, {"splat_weight", port, f32, {p.splats}},
      {"state_max", port, f32, {p.splats}}, {"state_sum", port, f32, {p.splats, 16}}, {"state_acc", port, f32, {p.splats, dv}},
      {"receive_bias", port, f32, {p.splats}}, {"receive_mass", port, f32, {p.splats}}, {"splat_range", port, i32, {2}},
      // (of isotropic splats)
      {"splat_center", port, f32, {d}}, {"token_norm", port, f32, {any, panel}}, {"query_norm", buffer, f32, {tq}}, {"splat_limit", port, f32, {p.splats / kSplatTile}},
      {"splat_product", port, f32, {p.splats, d}}, {"splat_terms", port, f32, {p.splats, 2}},
      {"panel_product", port, f32, {p.splats / panel, d, panel}}, {"panel_terms", port, f32, {p.splats / panel, 2, panel}},
      // (of covariances of low rank or full)
      {"splat_factor", port, f32, {p.splats, p.factorRows, d}}, {"panel_factor", port, f32, {p.splats / panel, p.factorRows, d, panel}},
      {"level_factor", port, f32, {any, p.factorRows, d, panel}},
      {"flow_tiles", port, f32, {any, kSplatTile, kSplatTile}}, {"flow_index", port, i32, {any, 2}},
      {"own_max", port, f32, {p.splats}}, {"own_sum", port, f32, {p.splats, 16}}, {"own_acc", port, f32, {p.splats, dv}}, {"own_sent", port, f32, {p.splats, kBatchKeys}},
      {"gate_weight", port, f32, {d, kMostLevels}}, {"gate_bias", port, f32, {kMostLevels}}, {"level_panel", port, f32, {p.splats / panel, kMostLevels, panel}}, {"gate", buffer, f32, {tq, kMostLevels}},
      {"sketch_axes", port, f32, {kSketchAxes + 1, d}}, {"token_sketch", port, f32, {any, kSketchAxes + 1}}, {"token_other", port, i32, {any}}, {"token_apart", port, f32, {any}},
      {"cluster_begin", port, i32, {any}}, {"cluster_tokens", port, i32, {any}}, {"splat_sent", port, f32, {p.splats}}, {"share_limit", port, f32, {1}}, {"token_share", port, f32, {any, panel}},
      {"sent", port, f32, {p.splats, kBatchKeys}}, {"chunk_tokens", port, i32, {1}}, {"excess", buffer, f32, {kBatchKeys}}, {"pair_mass", buffer, f32, {tq, kBatchKeys}},
      // scheme routed, sparse: splats of a level or a node, lists of those that are near a token
      {"level_scale", port, f32, {any, d, panel}}, {"level_shift", port, f32, {any, d, panel}}, {"level_bias", port, f32, {any}}, {"level_ids", port, i32, {any}},
      // (of isotropic splats)
      {"level_center", port, f32, {d}}, {"level_product", port, f32, {any, d, panel}}, {"level_terms", port, f32, {any, 2, panel}}, {"level_limit", port, f32, {any}},
      {"near_score", port, f32, {any, p.nearSlots()}}, {"near_splat", port, i32, {any, p.nearSlots()}}, {"near_least", port, f32, {any}}, {"near_count", port, i32, {any}},
      {"query_score", port, f32, {any, p.nearSlots()}}, {"query_splat", port, i32, {any, p.nearSlots()}}, {"query_count", port, i32, {any}},
      // (with links and a gate)
      {"link_begin", port, i32, {p.splats + 1}}, {"link_tile", port, i32, {any}}, {"link_log", port, f32, {any, kSplatTile}},
      {"sent_score", port, f32, {any, p.splats}}, {"sent_splat", port, i32, {any, p.splats}}, {"sent_count", port, i32, {any}},
      {"overlap_first", port, i32, {2}}, {"overlap", port, f32, {any, any}},
      {"pass_max", buffer, f32, {p.splats}}, {"pass_sum", buffer, f32, {p.splats}}, {"query_gate", port, f32, {any, kMostLevels}},
      {"splat_amplitude", port, f32, {p.splats}}, {"level_weight", port, f32, {any}}, {"sparse_rows", port, f32, {any, dv}},
      {"near_weight", buffer, f32, {kMostSplatLevels, p.nearSlots()}},
      // scratch of one batch
      {"scores", buffer, f32, {tq, kBatchKeys}}, {"key_batch", buffer, f32, {batch, d, panel}}, {"value_batch", buffer, f32, {batch, panel, dv}},
      {"pos_batch", buffer, i32, {batch, panel}}, {"var_batch", buffer, f32, {batch, b, panel}}, {"scalar_batch", buffer, f32, {4, kBatchKeys}},
      {"residual", buffer, f32, {kBatchKeys}}, {"batch_r2", buffer, f32, {tq, kBatchKeys}},
      // queries that meet keys in bytes
      {"byte_query", buffer, i32, {tq, d / 4}}, {"query_scale", buffer, f32, {tq}}, {"centers", buffer, f32, {tq, kBatchKeys}},
      // scratch of rows that meet keys in AMX tiles
      // (a line longer than they need: rows then fall on different sets of the cache)
      {"pair_query", buffer, bf16, {tq, p.pairDim()}}, {"pair_scores", buffer, f32, {p.pairRows(), p.pairKeys() + 16}},
      {"weights", buffer, bf16, {p.pairRows(), p.pairWeights() + 32}},
      // leaves on their way to AMX tiles
      {"pair_keys", buffer, bf16, {p.pairLeaves(), p.pairDim() / 2, 32}}, {"pair_values", buffer, bf16, {p.pairLeaves() / 2, dv, 32}},
      // nodes on their way there
      {"node_high", buffer, bf16, {batch, p.pairDim() / 2, 32}}, {"node_low", buffer, bf16, {batch, p.pairDim() / 2, 32}},
      {"pair_apart", buffer, bf16, {tq, p.pairDim()}}, {"node_weights", buffer, bf16, {tq, kBatchKeys}}, {"node_values", buffer, bf16, {batch / 2, dv, 32}},
      {"pair_pos", buffer, i32, {p.pairLeaves(), panel}}, {"pair_bad", buffer, i32, {p.pairLeaves()}}, {"pair_range", buffer, i32, {2}}, {"pair_coming", buffer, i32, {2 + 2 * p.pairLeaves()}},
  };
  // clang-format on
}

llvm::ArrayRef<StageSpec> softmaxStages() {
  // clang-format off: a table
  static const std::vector<StageSpec> stages = {
      {"widen_rows", "rows", true, {"raw_rows"}, {"widened", "bad_rows"}},
      // one unit of keys: order them, store them
      {"gram", "segment", false, {"q_rows", "bad_rows"}, {"gram"}},
      {"metric_rows", "segment", false, {"k_rows", "v_rows", "order", "metric", "alpha"}, {"metric_x"}},
      {"principal_axis", "segment", false, {"metric_x"}, {"projection", "axis"}},
      {"pack_leaves", "segment", true, {"k_raw", "v_raw", "order"}, {"leaf_k", "leaf_v"}},
      {"pack_panels", "segment", false, {"k_rows", "v_rows", "order"}, {"panel_k", "panel_v"}},
      {"pack_pairs", "segment", false, {"k_rows", "v_rows"}, {"pair_k", "pair_v"}, kTileFeatures},
      {"pack_bytes", "segment", false, {"panel_k"}, {"byte_k", "byte_scale", "byte_sum", "byte_center", "key_batch"}, kByteFeatures},
      // the nodes of one head about its reference
      {"add_rows", "rows", false, {"q_rows", "bad_rows"}, {"reference"}},
      {"leaf_moments", "segment", true, {"leaf_k", "leaf_v", "leaf_pos", "reference"},
       {"node_mean", "node_value", "node_var", "node_scalar", "tilt_sum", "tilt_traces", "apart_k", "apart_v", "key_batch", "value_batch"}},
      {"merge_moments", "level", false, {"child_mean", "child_value", "child_var", "child_scalar", "reference", "level_params"},
       {"node_mean", "node_value", "node_var", "node_scalar", "tilt_sum", "tilt_traces", "child_share", "apart_k", "apart_v"}},
      // a tile, from its queries to its output
      {"load_query", "tile", false, {"q_rows"}, {"query", "max", "sum", "acc"}},
      {"attend_panels", "tile", false, {"query", "panel_k", "panel_v", "panel_pos", "panel_bad", "panel_range", "visible_lo", "visible_hi", "tile_rows"},
       {"max", "sum", "acc", "scores"}},
      {"pair_query", "tile", false, {"query", "tile_rows"}, {"pair_query"}, kTileFeatures},
      {"attend_pairs", "tile", false, {"query", "pair_query", "pair_k", "pair_v", "panel_pos", "panel_bad", "panel_range", "visible_lo", "visible_hi", "tile_rows"},
       {"max", "sum", "acc", "pair_scores", "weights", "key_batch", "value_batch", "scores", "pair_coming"}, kTileFeatures},
      {"byte_query", "tile", false, {"query", "tile_rows"}, {"byte_query", "query_scale"}, kByteFeatures},
      {"attend_bytes", "tile", false,
       {"query", "panel_k", "byte_query", "query_scale", "byte_k", "byte_scale", "byte_sum", "center_panel", "panel_v", "panel_pos", "panel_bad", "panel_range", "visible_lo", "visible_hi", "tile_rows"},
       {"max", "sum", "acc", "scores", "centers"}, kByteFeatures},
      {"query_bands", "tile", false, {"query", "reference", "tile_rows"}, {"query_bands", "query_apart"}},
      {"start_mass", "tile", false, {"max", "sum", "tile_rows"}, {"mass_max", "mass_sum", "mass_acc", "closed_r2"}},
      {"root_mass", "level", false, {"query", "query_bands", "node_mean", "node_var", "node_scalar", "level_params", "work_in", "counts", "tile_rows"},
       {"mass_max", "mass_sum", "mass_acc", "scores", "var_batch", "scalar_batch", "key_batch"}},
      {"root_mass_pairs", "level", false, {"pair_query", "query_bands", "node_mean", "node_var", "node_scalar", "level_params", "work_in", "counts", "tile_rows"},
       {"mass_max", "mass_sum", "mass_acc", "scores", "var_batch", "scalar_batch", "node_high", "node_low"}, kTileFeatures},
      {"log_mass", "tile", false, {"mass_max", "mass_sum", "tile_rows"}, {"log_z", "max", "sum", "acc"}},
      {"score_level", "level", false,
       {"query", "query_bands", "node_mean", "node_value", "node_var", "node_scalar", "level_params", "work_in", "log_z", "theta", "query_apart", "tilt", "tile_rows"},
       {"work_out", "counts", "sum", "acc", "scores", "var_batch", "scalar_batch", "residual", "lean", "closed_r2", "batch_r2", "key_batch", "value_batch"}},
      {"score_level_pairs", "level", false,
       {"pair_query", "query_bands", "node_mean", "node_value", "node_var", "node_scalar", "level_params", "work_in", "log_z", "theta", "query_apart", "tilt", "tile_rows"},
       {"work_out", "counts", "sum", "acc", "scores", "var_batch", "scalar_batch", "residual", "lean", "closed_r2", "batch_r2",
        "node_high", "node_low", "pair_apart", "node_weights", "node_values"}, kTileFeatures},
      {"attend_leaves", "tile", true, {"query", "leaf_k", "leaf_v", "leaf_pos", "work_in", "counts", "visible_lo", "visible_hi", "tile_rows"},
       {"max", "sum", "acc", "scores", "key_batch", "value_batch", "pos_batch"}},
      {"attend_leaf_pairs", "tile", true, {"pair_query", "leaf_k", "leaf_v", "leaf_pos", "work_in", "counts", "visible_lo", "visible_hi", "tile_rows"},
       {"max", "sum", "acc", "pair_scores", "weights", "pair_keys", "pair_values", "pair_pos", "pair_bad", "pair_range", "pair_coming"}, kTileFeatures},
      {"finish", "tile", false, {"max", "sum", "acc", "tile_rows"}, {"o_rows", "lse_row"}},
      {"store_rows", "rows", true, {"o_rows"}, {"rows_out"}},
  };
  // clang-format on
  return stages;
}

// How tokens find the splats that are near them.
static std::vector<StageSpec> searchStages(const RoutedKind& kind) {
  // clang-format off: a table
  StageSpec center{"center_tokens", "tile", false, {"q_rows", "level_center", "tile_rows"}, {"query", "query_norm"}},
      nearest{"nearest_splats", "tile", false, {"q_rows", "level_scale", "level_shift", "level_bias", "level_ids", "tile_rows"}, {"near_score", "near_splat", "scores"}},
      nearestIsotropic{"nearest_splats", "tile", false,
                       {"query", "level_scale", "level_shift", "level_bias", "level_ids", "tile_rows", "query_norm", "level_product", "level_terms", "level_limit"},
                       {"near_score", "near_splat", "scores"}},
      count{"count_near", "tile", false, {"near_score", "near_least"}, {"near_count"}};
  // clang-format on
  if (kind.factor) nearest.ins.push_back("level_factor");
  if (!kind.isotropic) return {nearest, count};
  return {center, nearestIsotropic, count};
}

// What makes links from data of what tokens keep.
static std::vector<StageSpec> keptStages() {
  return {{"kept_shares", "segment", false, {"near_count"}, {"near_score"}},
          {"overlap",
           "segment",
           false,
           {"near_score", "near_splat", "near_count", "query_score", "query_splat", "query_count", "overlap_first"},
           {"overlap"}},
          {"threshold_rows", "segment", false, {"near_least"}, {"overlap"}}};
}

std::vector<StageSpec> routedStages(const RoutedKind& kind) {
  // clang-format off: a table
  // principal_axis is for splats that are made from keys.
  std::vector<StageSpec> stages = {
      {"widen_rows", "rows", true, {"raw_rows"}, {"widened", "bad_rows"}},
      {"principal_axis", "segment", false, {"metric_x"}, {"projection", "axis"}},
      {"pack_panels", "segment", false, {"k_rows", "v_rows", "order"}, {"panel_k", "panel_v"}},
  };
  const auto add = [&](StageSpec stage) { stages.push_back(std::move(stage)); };
  const auto withProduct = [&](StageSpec stage) {
    if (kind.isotropic) stage.ins.append({"token_norm", "splat_product", "splat_terms", "splat_limit"});
    if (kind.factor) stage.ins.push_back("splat_factor");
    add(stage);
  };
  if (kind.isotropic) add({"center_panels", "segment", false, {"splat_center"}, {"panel_k", "token_norm"}});
  withProduct({"send", "segment", false, {"panel_k", "panel_v", "token_bias", "splat_scale", "splat_shift"}, {"state_max", "state_sum", "state_acc", "scores"}});
  // sending fewer tokens
  add({"sketch_tokens", "segment", false, {"k_rows", "sketch_axes"}, {"token_sketch"}});
  add({"token_distances", "segment", false, {"k_rows", "token_other"}, {"token_apart"}});
  add({"mean_values", "segment", false, {"cluster_begin", "cluster_tokens"}, {"v_rows"}});
  withProduct({"token_shares", "segment", false, {"panel_k", "token_bias", "splat_scale", "splat_shift", "splat_sent", "share_limit"}, {"token_share", "scores"}});
  if (kind.flow)
    add({"flow_state", "segment", false, {"flow_tiles", "flow_index", "own_max", "own_sum", "own_acc"}, {"state_max", "state_sum", "state_acc", "scores"}});
  // Of a graph with links, for those that are made from data.
  if (kind.flow) {
    llvm::append_range(stages, searchStages(kind));
    llvm::append_range(stages, keptStages());
  }
  // The chunk's tokens send before its queries receive; the state takes them in behind that.
  if (kind.causal && kind.flow) {
    withProduct({"begin_flow_chunk", "segment", false, {"panel_k", "token_bias", "splat_scale", "splat_shift"}, {"own_max", "own_sent", "chunk_tokens", "excess"}});
    add({"flow_chunk", "segment", false, {"flow_tiles", "flow_index", "own_sent"}, {"own_max", "state_max", "state_sum", "state_acc", "sent", "scores"}});
  } else if (kind.causal) {
    withProduct({"begin_chunk", "segment", false, {"panel_k", "token_bias", "splat_scale", "splat_shift"},
                 {"state_max", "state_sum", "state_acc", "sent", "chunk_tokens", "excess"}});
  }
  add({"settle_state", "segment", false, {"state_max", "state_sum", "splat_weight"}, {"receive_bias", "receive_mass"}});
  // a tile, from its queries to its output
  add({"load_query", "tile", false, {"q_rows"}, {"query", "max", "sum", "acc"}});
  if (kind.gate) add({"gate", "tile", false, {"query", "gate_weight", "gate_bias"}, {"gate"}});
  if (kind.isotropic) add({"center_query", "tile", false, {"splat_center"}, {"query", "query_norm"}});
  StageSpec receive = {"receive", "tile", false, {"query", "panel_scale", "panel_shift", "receive_bias", "receive_mass", "state_acc", "splat_range"}, {"max", "sum", "acc", "scores"}};
  if (kind.causal) {
    receive.entry = "receive_chunk";
    receive.ins.append({"sent", "panel_v"});
    receive.outs.push_back("pair_mass");
  }
  if (kind.isotropic) receive.ins.append({"query_norm", "panel_product", "panel_terms", "splat_limit"});
  if (kind.factor) receive.ins.push_back("panel_factor");
  if (kind.gate) receive.ins.append({"gate", "level_panel"});
  add(receive);
  add({"finish", "tile", false, {"max", "sum", "acc", "tile_rows"}, {"o_rows", "lse_row"}});
  add({"store_rows", "rows", true, {"o_rows"}, {"rows_out"}});
  if (kind.causal) add({"extend_state", "segment", false, {"sent", "panel_v"}, {"state_max", "state_sum", "state_acc"}});
  // clang-format on
  return stages;
}

// In place of near_score, near_splat and near_count.
static constexpr std::string_view kSentLists[] = {"sent_score", "sent_splat", "sent_count"};

// Tokens find their splats first, whatever the mask; the state takes them in, or gives, splat by splat.
std::vector<StageSpec> sparseStages(const RoutedKind& kind) {
  // clang-format off: a table
  StageSpec widen{"widen_rows", "rows", true, {"raw_rows"}, {"widened", "bad_rows"}},
      axis{"principal_axis", "segment", false, {"metric_x"}, {"projection", "axis"}},
      send{"send_sparse", "segment", false, {"near_score", "near_splat", "near_count", "splat_amplitude", "v_rows"}, {"state_max", "state_sum", "state_acc"}},
      receive{"receive_sparse", "tile", false, {"query_score", "query_splat", "query_count", "level_weight", "state_max", "state_sum", "state_acc"},
              {"sparse_rows", "near_weight"}},
      prefix{"receive_prefix", "segment", false,
             {"near_score", "near_splat", "near_count", "splat_amplitude", "v_rows", "query_score", "query_splat", "query_count", "level_weight"},
             {"state_max", "state_sum", "state_acc", "sparse_rows", "near_weight"}},
      store{"store_rows", "rows", true, {"o_rows"}, {"rows_out"}},
      gate{"gate", "tile", false, {"q_rows", "gate_weight", "gate_bias"}, {"query_gate"}},
      flow{"flow_state", "segment", false, {"flow_tiles", "flow_index", "own_max", "own_sum", "own_acc"}, {"state_max", "state_sum", "state_acc", "scores"}},
      passOn{"pass_on", "segment", false, {"near_score", "near_splat", "near_count", "splat_amplitude", "link_begin", "link_tile", "link_log"},
             {"sent_score", "sent_splat", "sent_count", "pass_max", "pass_sum"}};
  // clang-format on
  std::vector<StageSpec> stages = {widen, axis};
  llvm::append_range(stages, searchStages(kind));
  if (kind.flow) llvm::append_range(stages, keptStages());
  if (kind.gate) {
    stages.push_back(gate);
    for (StageSpec* of : {&receive, &prefix}) of->ins.push_back("query_gate");
  }
  // Flow acts on a state once where all send before any receives, else on what each token sends.
  if (kind.flow && kind.causal) {
    stages.push_back(passOn);
    for (StageSpec* of : {&send, &prefix}) llvm::copy(kSentLists, of->ins.begin());
  } else if (kind.flow) {
    stages.push_back(flow);
  }
  stages.insert(stages.end(), {send, kind.causal ? prefix : receive, store});
  return stages;
}

}  // namespace hsa::ir
