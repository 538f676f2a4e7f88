#ifndef HSA_TILE_OPS_TD
#define HSA_TILE_OPS_TD

include "dialect/hsa_attrs.td"
include "dialect/hsa_types.td"
include "dialect/hsa_interfaces.td"
include "mlir/IR/SymbolInterfaces.td"

// Layer 2: what one tile of queries, one batch of rows or one level of one unit of keys does, on tiles of static size. Destination style: outs are read,
// updated and, as tensors, returned. TQ queries per tile, D and Dv padded to 16, P panels of 16 keys, G groups of 4 nodes. Scores and masses are in log2 units.
// Ops of a tile that take tile_rows [1], their last input, leave the rows behind those as they are.

def Hsa_Tile : AnyTypeOf<[AnyRankedTensor, AnyMemRef]>;

// `otherIns`: numbers of ins that are good as well, each behind a comma.
class Hsa_TileOp<string mnemonic, int numIns, int numOuts, string otherIns = ""> : Hsa_Op<"tile_" # mnemonic, [AttrSizedOperandSegments]> {
  let arguments = (ins Variadic<Hsa_Tile>:$ins, Variadic<Hsa_Tile>:$outs);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "`ins` `(` $ins `:` type($ins) `)` `outs` `(` $outs `:` type($outs) `)` attr-dict (`->` type($results)^)?";
  let hasVerifier = 1;
  let extraClassDefinition = "::llvm::LogicalResult $cppClass::verify() { return verifyTileOp(getOperation(), {"
      # numIns # otherIns # "}, " # numOuts # "); }";
}

// ---- a tile of queries
def Hsa_TileLoadQueryOp : Hsa_TileOp<"load_query", 1, 4> {
  let summary = "query = rows, zero behind the last; empty state";
  let description = "ins q_rows [?,D]; outs query [TQ,D], max [TQ], sum [TQ,16], acc [TQ,Dv]. Source: docs/spec.md, Partial.";
}
def Hsa_TileQueryBandsOp : Hsa_TileOp<"query_bands", 3, 2> {
  let summary = "apart = q − q₀, bands[r,b] = σ² ‖apart[r]_b‖²";
  let description = "ins query, reference [D], tile_rows; outs query_bands [TQ,bands], query_apart [TQ,D]. Source: docs/spec.md, Node.";
}
def Hsa_TilePairQueryOp : Hsa_TileOp<"pair_query", 2, 1> {
  let summary = "the queries in bf16 (nearest even), in pairs as the keys are";
  let description = "ins query [TQ,D], tile_rows; outs pair_query [TQ,D32]: dimensions 32e + r and 32e + 16 + r side by side.";
}
def Hsa_TileFinishOp : Hsa_TileOp<"finish", 4, 2> {
  let summary = "o = acc/sum, lse = ln 2 (max + log2 sum); 0 and -inf where sum = 0";
  let description = "ins max, sum, acc, tile_rows; outs o_rows [TQ,Dv], lse_row [TQ]. Source: docs/spec.md, Partial.";
}

// ---- keys that are read exactly
def Hsa_TileAttendPanelsOp : Hsa_TileOp<"attend_panels", 9, 4> {
  let summary = "state ∪= the visible keys of panels [range0, range1)";
  let description = "ins query, panel_k [P,D,16], panel_v [P,16,Dv], panel_pos [P,16], panel_bad [P], panel_range [2], visible_lo, visible_hi [TQ], tile_rows; outs max, sum, acc, scores (scratch). Source: docs/spec.md, Exact.";
}
def Hsa_TileAttendLeavesOp : Hsa_TileOp<"attend_leaves", 9, 7> {
  let summary = "state ∪= the visible keys of the leaves work_in[0 .. counts[0])";
  let description = "ins query, leaf_k [P,D,16], leaf_v [P,16,Dv], leaf_pos [P,16], work_in, counts [2], visible_lo, visible_hi, tile_rows; outs max, sum, acc and scratch: scores, key_batch, value_batch, pos_batch. Source: docs/spec.md, Opening.";
}

def Hsa_TileAttendPairsOp : Hsa_TileOp<"attend_pairs", 10, 9> {
  let summary = "the same on keys and values in pairs of bf16: products of bf16 with sums in f32";
  let description = "ins query, pair_query [TQ,D32], pair_k [P,D32/2,32], pair_v [P/2,Dv,32], panel_pos [P,16], panel_bad [P], panel_range [2], visible_lo, visible_hi, tile_rows; outs max, sum, acc and scratch: pair_scores [R,K], weights [R,W], key_batch, value_batch, scores, pair_coming [2+2L]. Weights are rounded to bf16. Source: docs/spec.md, Exact.";
}
def Hsa_TileAttendLeafPairsOp : Hsa_TileOp<"attend_leaf_pairs", 9, 11> {
  let summary = "leaves work_in[0 .. counts[0]) as attend_pairs reads panels: rounded to bf16 and put in pairs as they are met";
  let description = "ins pair_query [TQ,D32], leaf_k [P,D,16], leaf_v [P,16,Dv], leaf_pos [P,16], work_in, counts [2], visible_lo, visible_hi, tile_rows; outs max, sum, acc and scratch: pair_scores [R,K], weights [R,W], pair_keys [L,D32/2,32], pair_values [L/2,Dv,32], pair_pos [L,16], pair_bad [L] (zeros: the keys of the index are finite), pair_range [2], pair_coming [2+2L]: what is asked for while the leaves before are met. Source: docs/spec.md, Precision.";
}

def Hsa_TileByteQueryOp : Hsa_TileOp<"byte_query", 2, 2> {
  let summary = "the queries, turned, in 8 bits";
  let description = "ins query [TQ,D], tile_rows; outs byte_query [TQ,D/4]: 128 + n of four dimensions side by side, query_scale [TQ]: s over the size of the turn; NaN for a row that is not finite. Source: hsa.quantize.";
}
def Hsa_TilePackBytesOp : Hsa_TileOp<"pack_bytes", 1, 5> {
  let summary = "panels of keys, turned and about the mean of the batch before, in 8 bits";
  let description = "ins panel_k [P,D,16]; outs byte_k [P,D/4,16]: n of four dimensions side by side, byte_scale [P,16]: s, byte_sum [P,16]: -128 Σ n, byte_center [P/4+1,D]: the first is given, the last is for the next call, key_batch (scratch). Source: hsa.quantize.";
}
def Hsa_TileAttendBytesOp : Hsa_TileOp<"attend_bytes", 15, 5> {
  let summary = "attend_panels with scores q·center + s_q s_k Σ n_q n_k, but for the first batch of the segment, which is panel_k";
  let description = "ins query, panel_k [4,D,16], byte_query, query_scale, byte_k, byte_scale, byte_sum, center_panel [P/64,D,16] in fours, panel_v, panel_pos, panel_bad, panel_range, visible_lo, visible_hi, tile_rows; outs max, sum, acc, scores and centers [TQ,64] (scratch). Source: hsa.quantize.";
}

// ---- nodes
def Hsa_TileStartMassOp : Hsa_TileOp<"start_mass", 3, 4> {
  let summary = "Z = near mass, Σ r² = 0";
  let description = "ins max, sum, tile_rows; outs mass_max [TQ], mass_sum [TQ,16], mass_acc [TQ,16] (scratch), closed_r2 [TQ,16]. Source: docs/spec.md, Opening.";
}
def Hsa_TileRootMassOp : Hsa_TileOp<"root_mass", 9, 7> {
  let summary = "Z += Σ M over the roots on the worklist";
  let description = "ins query, query_bands, node_mean [G,D,4], node_var [G,bands,4], node_scalar [G,5,4], level_params [4], work_in, counts, tile_rows; outs mass_max, mass_sum, mass_acc and scratch: scores, var_batch, scalar_batch, key_batch. Source: docs/spec.md, Opening.";
}
def Hsa_TileLogMassOp : Hsa_TileOp<"log_mass", 3, 4> {
  let summary = "log_z = log2 Z; state about Z: max = log_z";
  let description = "ins mass_max, mass_sum, tile_rows; outs log_z [TQ], max, sum, acc. Source: docs/spec.md, Opening.";
}
def Hsa_TileScoreLevelOp : Hsa_TileOp<"score_level", 13, 13> {
  let summary = "score the nodes on the worklist; open those with Σ r² > theta, close the others: state ∪= M (v̄ + tr y), closed_r2 += r²";
  let description = "ins query, query_bands, node_mean, node_value [G,4,Dv], node_var, node_scalar, level_params, work_in, log_z, theta [1], query_apart [TQ,D], tilt [B,D,16]: σ Cᵀ in panels of 16 columns, tile_rows; outs work_out, counts, sum, acc (max is log_z) and scratch: scores, var_batch, scalar_batch, residual [64], lean [TQ,16]: Σ M tr of what is closed; closed_r2 [TQ,16]: sums of lanes, and scratch: batch_r2 [TQ,64], key_batch, value_batch. Source: docs/spec.md, Opening.";
}
def Hsa_TileRootMassPairsOp : Hsa_TileOp<"root_mass_pairs", 9, 8> {
  let summary = "root_mass with its products on pairs of bf16";
  let description = "As hsa.tile_root_mass, from pair_query [TQ,D32] for query, and for key_batch node_high, node_low [4,D32/2,32]: means as the sum of two bf16. Source: docs/spec.md, Precision.";
}
def Hsa_TileScoreLevelPairsOp : Hsa_TileOp<"score_level_pairs", 13, 16> {
  let summary = "score_level with its products on pairs of bf16";
  let description = "As hsa.tile_score_level, from pair_query [TQ,D32] for query, and for key_batch and value_batch node_high, node_low [4,D32/2,32]: means as the sum of two bf16, pair_apart [TQ,D32], node_weights [TQ,64], node_values [2,Dv,32]. Source: docs/spec.md, Precision.";
}

// ---- rows that enter and leave
def Hsa_TileWidenRowsOp : Hsa_TileOp<"widen_rows", 1, 2> {
  let summary = "rows of f32, bf16 or f16 as f32, padded with zeros; bad where a row is not finite";
  let description = "ins raw_rows [?,?]; outs widened [?,?], bad_rows [?].";
}
def Hsa_TileStoreRowsOp : Hsa_TileOp<"store_rows", 1, 1> {
  let summary = "rows of f32 as f32 or bf16 (nearest even)";
  let description = "ins o_rows [TQ,Dv]; outs rows_out [?,?].";
}
def Hsa_TilePackPanelsOp : Hsa_TileOp<"pack_panels", 3, 2> {
  let summary = "rows in the given order as f32 panels; an empty slot (-1) is zero";
  let description = "ins k_rows [?,D], v_rows [?,Dv], order [?]; outs panel_k [P,D,16], panel_v [P,16,Dv].";
}
def Hsa_TilePackPairsOp : Hsa_TileOp<"pack_pairs", 2, 2> {
  let summary = "rows as panels of bf16 in pairs (nearest even), zeros behind the last row";
  let description = "ins k_rows [?,D], v_rows [?,Dv]; outs pair_k [P,D32/2,32]: dimensions 32e + r and 32e + 16 + r of each key of a panel side by side, pair_v [P/2,Dv,32]: in blocks of 16 columns, keys 32p + r and 32p + 16 + r side by side. D32 is D rounded up to 32.";
}
def Hsa_TilePackLeavesOp : Hsa_TileOp<"pack_leaves", 3, 2> {
  let summary = "raw rows in the given order as panels in their own precision";
  let description = "ins k_raw [?,?], v_raw [?,?], order [?]; outs leaf_k [P,D,16], leaf_v [P,16,Dv].";
}

// ---- the index
def Hsa_TileGramOp : Hsa_TileOp<"gram", 2, 1> {
  let summary = "gram += Σ rowᵀ row over the finite rows";
  let description = "ins widened rows [?,D], bad_rows [?]; outs gram [D,D]. Source: docs/spec.md, Tree.";
}
def Hsa_TileMetricRowsOp : Hsa_TileOp<"metric_rows", 5, 1> {
  let summary = "x = [Lᵀk ; α v] of the rows in the given order";
  let description = "ins k_rows, v_rows, order, metric [D,D], alpha [1]; outs metric_x [?,D+Dv]. Source: docs/spec.md, Tree.";
}
def Hsa_TilePrincipalAxisOp : Hsa_TileOp<"principal_axis", 1, 2> {
  let summary = "projections of rows on their principal axis, by power iterations";
  let description = "ins metric_x [?,D+Dv]; outs projection [?], axis [4,D+Dv] (scratch). Source: docs/spec.md, Tree.";
}
def Hsa_TileAddRowsOp : Hsa_TileOp<"add_rows", 2, 1> {
  let summary = "reference += Σ row over the finite rows";
  let description = "ins widened rows [?,D], bad_rows [?]; outs reference [D]. Source: docs/spec.md, Node.";
}
def Hsa_TileLeafMomentsOp : Hsa_TileOp<"leaf_moments", 4, 10> {
  let summary = "A, μ, v̄ and band variances of each leaf about the reference";
  let description = "ins leaf_k [P,D,16], leaf_v [P,16,Dv], leaf_pos [P,16], reference [D]; outs node_mean [G,D,4], node_value [G,4,Dv], node_var [G,bands,4], node_scalar [G,5,4]: log2 e (A − σ q₀·μ), log2 e A, 2 ln n, n, trace; tilt_sum [D,Dv] += Σ p (k−μ)(v−v̄)ᵀ and tilt_traces [2] += traces over every fourth leaf; scratch: apart_k [D,16], apart_v [16,Dv], key_batch, value_batch. Source: docs/spec.md, Node.";
}
def Hsa_TileMergeMomentsOp : Hsa_TileOp<"merge_moments", 6, 9> {
  let summary = "the same of nodes from their children";
  let description = "ins child_mean, child_value, child_var, child_scalar, reference, level_params; outs node_mean, node_value, node_var, node_scalar, tilt_sum and tilt_traces (over all nodes) and scratch: child_share [4,4], apart_k, apart_v. Source: docs/spec.md, Node.";
}

// ---- scheme routed: a state and the tokens that send to it and receive from it. S splats padded to 64; affinities in log2 units. Where splats are isotropic,
// tokens and centers are relative to splat_center c, and stages take 4 more ins: squared norms of the tokens, and the splats as factors of a product
// (passes/cpu/affinity_batch.h). Where their covariances are of low rank or full, stages take 1 more in: the rows of their factors (passes/cpu/mapped_differences.h).
def Hsa_TileCenterPanelsOp : Hsa_TileOp<"center_panels", 1, 2> {
  let summary = "keys relative to c, and their squared norms";
  let description = "ins splat_center [D]; outs panel_k [P,D,16], token_norm [P,16]. Source: docs/spec.md, Routed.";
}
def Hsa_TileCenterQueryOp : Hsa_TileOp<"center_query", 1, 2> {
  let summary = "queries relative to c, and their squared norms";
  let description = "ins splat_center [D]; outs query [TQ,D], query_norm [TQ]. Source: docs/spec.md, Routed.";
}
def Hsa_TileSendOp : Hsa_TileOp<"send", 5, 4, ", 6, 9"> {
  let summary = "state ∪= what the tokens of all panels send";
  let description = "ins panel_k [P,D,16], panel_v [P,16,Dv], token_bias [P,16]: 0, or -1e35 for a slot that sends nothing, splat_scale, splat_shift [S,D]: r and -r μ, isotropic: token_norm [P,16], splat_product [S,D], splat_terms [S,2], splat_limit [S/64], low rank or full: splat_factor [S,R,D]; outs state_max [S], state_sum [S,16], state_acc [S,Dv], scores (scratch). Source: docs/spec.md, Routed.";
}
def Hsa_TileSketchTokensOp : Hsa_TileOp<"sketch_tokens", 2, 1> {
  let summary = "where tokens are on four axes, and how far from c";
  let description = "ins k_rows [n,D], sketch_axes [5,D]: four axes, c; outs token_sketch [n,5]: axis · (x - c), |x - c|². Source: docs/spec.md, Relevance.";
}
def Hsa_TileTokenDistancesOp : Hsa_TileOp<"token_distances", 2, 1> {
  let summary = "|x - y|² of each token x and another one y";
  let description = "ins k_rows [n,D], token_other [n]: row of y; outs token_apart [n]. Source: docs/spec.md, Relevance.";
}
def Hsa_TileMeanValuesOp : Hsa_TileOp<"mean_values", 2, 1> {
  let summary = "the value of the first token of each cluster becomes their mean";
  let description = "ins cluster_begin [C+1], cluster_tokens [n]: of cluster c those from cluster_begin[c] to cluster_begin[c+1]; outs v_rows [?,Dv]. Source: docs/spec.md, Relevance.";
}
def Hsa_TileTokenSharesOp : Hsa_TileOp<"token_shares", 6, 2, ", 7, 10"> {
  let summary = "log2 of the greatest share of a token in what a splat was sent";
  let description = "ins panel_k [P,D,16], token_bias [P,16], splat_scale, splat_shift [S,D], splat_sent [S]: log2 z, share_limit [1], isotropic, low rank or full: as hsa.tile_send; outs token_share [P,16]: max over s of log2 φ + bias - log2 z, or of some s where that is above the limit for all 64 tokens of a batch, scores (scratch). Source: docs/spec.md, Relevance.";
}
def Hsa_TileSettleStateOp : Hsa_TileOp<"settle_state", 3, 2> {
  let summary = "what receivers need of a state: receive_bias = log2(w a) + max, receive_mass = sum";
  let description = "ins state_max, state_sum, splat_weight [S]: log2 w a; outs receive_bias, receive_mass [S]. Source: docs/spec.md, Routed.";
}
def Hsa_TileReceiveOp : Hsa_TileOp<"receive", 7, 4, ", 8, 9, 10, 11, 13"> {
  let summary = "rows ∪= what each query receives from a state";
  let description = "ins query [TQ,D], panel_scale, panel_shift [S/16,D,16], receive_bias, receive_mass, state_acc, splat_range [2]: the first splat and the end of those that are received from, multiples of 64, isotropic: query_norm [TQ], panel_product [S/16,D,16], panel_terms [S/16,2,16], splat_limit [S/64], low rank or full: panel_factor [S/16,R,D,16], with a gate: gate [TQ,16], level_panel [S/16,16,16]: 1 where a splat is of a level; outs max, sum, acc, scores (scratch). Source: docs/spec.md, Routed.";
}
def Hsa_TileBeginChunkOp : Hsa_TileOp<"begin_chunk", 4, 6, ", 5, 8"> {
  let summary = "a causal chunk: its length, and what each of its tokens sends relative to max";
  let description = "ins panel_k [4,D,16], token_bias [4,16], splat_scale, splat_shift, isotropic, low rank or full: as hsa.tile_send; outs state_max, state_sum, state_acc: max raised to the first token, sent [S,64] = 2^(affinity - max), 0 behind the chunk, chunk_tokens [1] = tokens before the first that exceeds max by 80 or more, excess [64] (scratch). Source: docs/spec.md, Routed.";
}
def Hsa_TileReceiveChunkOp : Hsa_TileOp<"receive_chunk", 9, 5, ", 10, 11, 12, 13, 15"> {
  let summary = "rows ∪= what each query receives from the state before the chunk and from the chunk's tokens up to its own";
  let description = "ins query [TQ,D], panel_scale, panel_shift, receive_bias, receive_mass, state_acc, splat_range, sent [S,64], panel_v [4,16,Dv], isotropic, low rank or full and with a gate: as hsa.tile_receive; outs max, sum, acc and scratch: scores, pair_mass [TQ,64]. Source: docs/spec.md, Routed.";
}
def Hsa_TileExtendStateOp : Hsa_TileOp<"extend_state", 2, 3> {
  let summary = "state ∪= what the tokens of a chunk sent; max follows";
  let description = "ins sent [S,64], panel_v [4,16,Dv]; outs state_max, state_sum, state_acc. Source: docs/spec.md, Routed.";
}

// ---- flow and gates of scheme routed: T tiles of 64 x 64 links, log2 F, those of one row of tiles behind each other
def Hsa_TileFlowStateOp : Hsa_TileOp<"flow_state", 5, 4> {
  let summary = "what splats have once they have passed on what they were sent";
  let description = "ins flow_tiles [T,64,64], flow_index [T,2]: row and column of each tile, own_max, own_sum, own_acc: the state as it was sent; outs state_max, state_sum, state_acc, scores (scratch). Source: docs/spec.md, Routed.";
}
def Hsa_TileBeginFlowChunkOp : Hsa_TileOp<"begin_flow_chunk", 4, 4, ", 5, 8"> {
  let summary = "hsa.tile_begin_chunk before flow: what the tokens of a causal chunk send by themselves";
  let description = "ins as hsa.tile_begin_chunk; outs own_max [S] raised to the first token, own_sent [S,64] = 2^(log2 φ - own_max), 0 behind the chunk, chunk_tokens [1], excess [64] (scratch). Source: docs/spec.md, Routed.";
}
def Hsa_TileFlowChunkOp : Hsa_TileOp<"flow_chunk", 3, 6> {
  let summary = "what the tokens of a chunk send once splats have passed it on; own_max follows";
  let description = "ins flow_tiles, flow_index, own_sent [S,64]; outs own_max, state_max, state_sum, state_acc: max raised to log2 F + own_max, sent [S,64] = 2^(log2 ψ - max), scores (scratch). Source: docs/spec.md, Routed.";
}
def Hsa_TileGateOp : Hsa_TileOp<"gate", 3, 1> {
  let summary = "log2 weight of each level as each query sees it, relative to its greatest";
  let description = "ins query [TQ,D], gate_weight [D,16], gate_bias [16]: times log2 e, -1e35 where there is no level; outs gate [TQ,16], at least -1e28. Source: docs/spec.md, Routed.";
}

// ---- scheme routed, sparse: lists of the splats that a token keeps, W slots wide, greatest first; rows of lists go level by level, in a level token by token
def Hsa_TileCenterTokensOp : Hsa_TileOp<"center_tokens", 3, 2> {
  let summary = "tokens relative to the center c of a level whose splats are isotropic, and their squared norms";
  let description = "ins q_rows [?,D]: 64 rows of tokens, level_center [D]: c, tile_rows; outs query [TQ,D], query_norm [TQ]. Source: docs/spec.md, Routed.";
}
def Hsa_TileNearestSplatsOp : Hsa_TileOp<"nearest_splats", 6, 3, ", 10"> {
  let summary = "the lists of a tile of tokens take in the splats of a level, or of a node of its tree, that are near enough";
  let description = "ins q_rows [?,D]: 64 rows of tokens, level_scale, level_shift [P,D,16], level_bias [P·16]: log2 a, level_ids [P·16]: numbers of the splats, tile_rows, isotropic: query [TQ,D] in place of q_rows, centers relative to c too, query_norm [TQ], level_product [P,D,16], level_terms [P,2,16], level_limit [P/4], low rank or full: level_factor [P,R,D,16]; outs near_score [?,W]: log2 a φ, near_splat [?,W], scores (scratch). Source: docs/spec.md, Sparse.";
}
def Hsa_TileCountNearOp : Hsa_TileOp<"count_near", 2, 1> {
  let summary = "how many of its splats each token keeps";
  let description = "ins near_score [L·n,W], near_least [n]: log2 τ of each token; outs near_count [L·n]. Source: docs/spec.md, Sparse.";
}
def Hsa_TilePassOnOp : Hsa_TileOp<"pass_on", 7, 5> {
  let summary = "of each token, every splat that gets something of what it sends once links have passed it on: kept affinities times links";
  let description = "ins near_score [L·n,W], near_splat, near_count, splat_amplitude [S]: log2 a, link_begin [S+1], link_tile [B], link_log [B,64]: of splat t the blocks link_begin[t] to link_begin[t+1], each log2 F of the 64 splats of a tile to t; outs sent_score [n,S]: log2 ψ, sent_splat [n,S], sent_count [n], pass_max, pass_sum [S] (scratch). Source: docs/spec.md, Sparse.";
}
def Hsa_TileSendSparseOp : Hsa_TileOp<"send_sparse", 5, 3> {
  let summary = "state ∪= what each token sends to the splats that it keeps";
  let description = "ins near_score [L·n,W], near_splat, near_count, splat_amplitude [S]: log2 a, v_rows [n,Dv], causal with links: sent_score [n,S], sent_splat, sent_count in place of the first three; outs state_max [S], state_sum [S,16], state_acc [S,Dv]. Source: docs/spec.md, Sparse.";
}
def Hsa_TileReceiveSparseOp : Hsa_TileOp<"receive_sparse", 7, 2, ", 8"> {
  let summary = "o = what each token receives from the splats that it keeps, 0 where they were sent nothing";
  let description = "ins query_score [L·n,W], query_splat, query_count, level_weight [L]: log2 w, state_max, state_sum, state_acc, with a gate: query_gate [n,16], log2; outs sparse_rows [n,Dv], near_weight [16,W] (scratch). Source: docs/spec.md, Sparse.";
}
def Hsa_TileReceivePrefixOp : Hsa_TileOp<"receive_prefix", 9, 5, ", 10"> {
  let summary = "token by token: it sends, then the queries at its position receive";
  let description = "ins near_score [L·n,W], near_splat, near_count, splat_amplitude, v_rows [n,Dv], query_score [L·G·n,W] of G heads, query_splat, query_count, level_weight, with a gate: query_gate [G·n,16], log2; with links: sent_score [n,S], sent_splat, sent_count in place of near_score, near_splat, near_count; outs state_max, state_sum, state_acc, sparse_rows [G·n,Dv], near_weight [16,W] (scratch). Source: docs/spec.md, Sparse.";
}

// ---- algebra of what is kept: links from data
def Hsa_TileKeptSharesOp : Hsa_TileOp<"kept_shares", 1, 1> {
  let summary = "of each list, affinities become shares of their sum, in place: hsa.rescale by rows, as weights";
  let description = "ins near_count [n]; outs near_score [n,W]: log2 a φ, greatest first, becomes 2^score / Σ 2^score over the first near_count slots. Source: docs/spec.md, Sparse.";
}
def Hsa_TileOverlapOp : Hsa_TileOp<"overlap", 7, 1> {
  let summary = "what two levels share of some tokens, added to what they shared before: hsa.overlap, then hsa.union";
  let description = "ins near_score [n,W]: shares, near_splat, near_count, query_score [n,W], query_splat, query_count of the other level, overlap_first [2]: the first splat of each level; outs overlap [S,T] += Σ_i near_score[i,s] query_score[i,t]. Source: docs/spec.md, Sparse.";
}
def Hsa_TileThresholdRowsOp : Hsa_TileOp<"threshold_rows", 1, 1> {
  let summary = "what is small beside the greatest of its row becomes 0, and the others shares of their sum, in place: hsa.threshold, then hsa.rescale";
  let description = "ins near_least [1]: log2 of the share; outs overlap [S,T], T a multiple of 16, zeros behind what counts. Source: docs/spec.md, Sparse.";
}

// ---- what a plan runs
def Hsa_ScheduleOp : Hsa_Op<"schedule", [Symbol, SingleBlock, NoTerminator, IsolatedFromAbove]> {
  let summary = "the stages of one attention, in order, with everything that specialises their code";
  let description = [{
    Becomes the header of a plan: graph signature and stages. The entries that the stages name are functions beside it.
    `query_tokens` and `key_tokens` are N and M where the graph fixes them, for the run to compare with. `precision` is the element type of
    the products of exact attention where hsa-quantize has narrowed them. Of the scheme routed, `splat_levels` are the splats of each level, `level_weights`
    their weights, `splat_names` the tensors center, variance and amplitude ("" for none), and `variance_dim` is 1 (isotropic), D or the number of bands, 0 where there is no variance; `factor_name` is the tensor factor or cholesky and `factor_rows` how many rows of it a splat has; scale and config then mean nothing; `sparse` is what a token keeps,
    `level_names`, `level_value_dims`, `adapt` and `window` as in hsa.receive_causal.
    `gate_names` are the tensors of the gate, weight and bias; `link_names` the factors of the links as in hsa.links, `link_from`, `link_to` and `link_ranks` what it says of them.
    Constraints: schedule_c1 kv_heads divides query_heads;  schedule_c2 splat_levels, level_weights, splat_names (three) and variance_dim come together;
    schedule_c3 gate_names are two;  schedule_c4 link_names, link_from, link_to and link_ranks come together, one name for a rank of 0 and two for another;
    schedule_c62 level_names and level_value_dims have one entry per level;  schedule_c60 factor_name and factor_rows come together, and there is a variance or a factor.
    Example: tests/passes/tile.mlir
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$query_name, StrAttr:$key_name, StrAttr:$value_name, StrAttr:$output_name,
                       I64Attr:$query_heads, I64Attr:$kv_heads, I64Attr:$head_dim, I64Attr:$value_dim, F64Attr:$scale,
                       Hsa_MaskAttr:$mask, Hsa_ConfigAttr:$config, OptionalAttr<I64Attr>:$query_tokens, OptionalAttr<I64Attr>:$key_tokens,
                       OptionalAttr<TypeAttr>:$precision, OptionalAttr<DenseI64ArrayAttr>:$splat_levels,
                       OptionalAttr<DenseF64ArrayAttr>:$level_weights, OptionalAttr<StrArrayAttr>:$splat_names,
                       OptionalAttr<I64Attr>:$variance_dim, OptionalAttr<StrAttr>:$factor_name, OptionalAttr<I64Attr>:$factor_rows, OptionalAttr<StrArrayAttr>:$gate_names, OptionalAttr<StrArrayAttr>:$link_names,
                       OptionalAttr<DenseI64ArrayAttr>:$link_from, OptionalAttr<DenseI64ArrayAttr>:$link_to,
                       OptionalAttr<DenseI64ArrayAttr>:$link_ranks, OptionalAttr<Hsa_SparseAttr>:$sparse,
                       OptionalAttr<StrArrayAttr>:$level_names, OptionalAttr<DenseI64ArrayAttr>:$level_value_dims, OptionalAttr<Hsa_AdaptAttr>:$adapt,
                       OptionalAttr<I64Attr>:$window);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Hsa_PlanStageOp : Hsa_Op<"stage", [HasParent<"ScheduleOp">]> {
  let summary = "an iteration space, an entry, and the names of what it is called with";
  let description = [{
    `space` is one of segment, level, tile, rows. An argument `@name` is a port that the runtime binds, `name` a buffer of the worker's arena.
    A typed stage has one entry per element type of the input: `entry.f32`, `entry.bf16`, `entry.f16`.
    Constraints: stage_c1 space is known.
  }];
  let arguments = (ins StrAttr:$entry, StrAttr:$space, StrArrayAttr:$arguments, UnitAttr:$typed);
  let assemblyFormat = "$space $entry $arguments (`typed` $typed^)? attr-dict";
  let hasVerifier = 1;
}

#endif
