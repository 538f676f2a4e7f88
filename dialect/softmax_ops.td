#ifndef HSA_SOFTMAX_OPS_TD
#define HSA_SOFTMAX_OPS_TD

include "dialect/operands.td"

def Hsa_SummarizeOp : Hsa_StageOp<"summarize", [Pure]> {
  let summary = "the index of the keys: their order in every unit, per kv_head";
  let description = [{
    Orders the live keys of every unit by balanced bisection in the metric x = [Lᵀk ; α v]; runs of slots are the nodes of its tree. What a node
    weighs depends on who looks: the ops that read the index say it, per query head and block.
    Shapes: query [H,N,D], key [Hkv,M,D], value [Hkv,M,Dv], index of Hkv kv_heads × M keys × D × Dv.
    Constraints: summarize_c1 query and key agree on D;  summarize_c2 key and value agree on Hkv;  summarize_c3 key and value agree on M;
    summarize_c4 Hkv divides H;  summarize_c5 one element type;
    summarize_c6 index is Hkv x M x D x Dv;  summarize_c7 scale is finite.
    Source: docs/spec.md "Tree of a unit". Tests: tests/dialect/summarize.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_InputTensor:$key, Hsa_InputTensor:$value, Hsa_MaskAttr:$mask, F64Attr:$scale, Hsa_ConfigAttr:$config);
  let results = (outs Hsa_IndexType:$index);
  let assemblyFormat = "$query `,` $key `,` $value attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_ScoreOp : Hsa_StageOp<"score", [Pure]> {
  let summary = "log-mass of every node as every query sees it";
  let description = [{
    score[h,i,s] = log M_s(q) = A_s + σ (q − q₀)·μ_s + gain_s(q)  (order 0: without the gain),  q = query[h,i],  s in kv_head ⌊h·Hkv/H⌋
    q₀ is the mean of the finite queries of the head in the block of q; A_s, μ_s and the variances in the gain are those of the live keys of s weighted by
    e^{σ q₀·k}.
    −∞ where s has no live key, or its unit is not in the index of the query's window, or the mask hides a key of the unit from some query of
    the tile (a sliding window: such a unit is read key by key). Natural logarithm. Nodes s in the order of !hsa.index.
    Shapes: query [H,N,D], index of Hkv kv_heads × M keys × D, score [H,N,S], S = config.getNodeCount(M).
    Constraints: score_c1 query and index agree on D;  score_c2 Hkv divides H;  score_c3 score is [H,N,S];  score_c4 scale is finite.
    Source: docs/spec.md "Node", "Query tiles", "Units, near field and index". Tests: tests/dialect/score.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_IndexType:$index, Hsa_MaskAttr:$mask, F64Attr:$scale, Hsa_ConfigAttr:$config);
  let results = (outs Hsa_F32Tensor3:$score);
  let assemblyFormat = "$query `,` $index attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_SelectOp : Hsa_StageOp<"select", [Pure]> {
  let summary = "which nodes every tile opens";
  let description = [{
    From the roots down, node s of a tile is opened when  mean_q r_s(q)² > θ²  over the tile's finite queries,
    r_s(q) = M_s(q)·(s² + s⁴)^½ / Z(q), s = s_s(q),  Z(q) = near mass + Σ_roots M(q);  then its children are candidates.
    θ = 0 opens every node that has mass. In a unit that the mask hides partly from the tile, every node with a live key is opened; none where
    no query of the tile sees any key of the unit.
    Shapes: query [H,N,D], score [H,N,S], near of H × N × Dv, open [H,T,S], T = config.getTileCount(N, M): tiles window by window, in the
    order of docs/spec.md "Query tiles".
    Constraints: select_c1 query and index agree on D;  select_c2 Hkv divides H;  select_c3 open is [H,T,S];  select_c4 scale is finite;
    select_c5 score is [H,N,S];  select_c6 near is H x N x Dv;  select_c7 theta ≥ 0.
    Source: docs/spec.md "Opening". Tests: tests/dialect/select.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_IndexType:$index, Hsa_F32Tensor3:$score, Hsa_PartialType:$near, F64Attr:$theta,
                       Hsa_MaskAttr:$mask, F64Attr:$scale, Hsa_ConfigAttr:$config);
  let results = (outs Hsa_FlagTensor3:$open);
  let assemblyFormat = "$query `,` $index `,` $score `,` $near attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_AttendExactOp : Hsa_StageOp<"attend_exact", [Pure, AttrSizedOperandSegments]> {
  let summary = "attention over keys that are read one by one";
  let description = [{
    The partial (max, sum, acc) of every query over the visible keys of `field`: `all`, or the `near` field of the query's window.
    With `at %first of %total` key and value are the keys [first, first + M) of a sequence of `total` keys; positions and mask are those of the
    whole sequence.
    Shapes: query [H,N,D], key [Hkv,M,D], value [Hkv,M,Dv], partial of H × N × Dv.
    Constraints: attend_exact_c1 query and key agree on D;  attend_exact_c2 key and value agree on Hkv;  attend_exact_c3 key and value agree on M;
    attend_exact_c4 Hkv divides H;  attend_exact_c5 one element type, but for values of i8 queries and keys;
    attend_exact_c6 partial is H x N x Dv;  attend_exact_c7 scale is finite;  attend_exact_c8 the near field is of a whole sequence;
    attend_exact_c9 the near field needs a config;  attend_exact_c10 first and total come together.
    Source: docs/spec.md "Exact", "Partial", "Units, near field and index". Tests: tests/dialect/attend_exact.mlir
  }];
  let arguments = (ins Hsa_NarrowTensor:$query, Hsa_NarrowTensor:$key, Hsa_InputTensor:$value, Optional<Index>:$first,
                       Optional<Index>:$total, Hsa_FieldEnumAttr:$field, Hsa_MaskAttr:$mask, F64Attr:$scale,
                       OptionalAttr<Hsa_ConfigAttr>:$config);
  let results = (outs Hsa_PartialType:$partial);
  let assemblyFormat = [{
    $field $query `,` $key `,` $value (`at` $first^)? (`of` $total^)? attr-dict `:`
    `(` type($query) `,` type($key) `,` type($value) `)` `->` type($partial)
  }];
  let hasVerifier = 1;
}

def Hsa_AttendSplatsOp : Hsa_StageOp<"attend_splats", [Pure]> {
  let summary = "attention over the cut: closed nodes by their mass, opened leaves key by key";
  let description = [{
    The partial of every query over its index: e^{score} and e^{score}·v̄ of every closed node whose parent is open (or that is a root),
    and e^{σ q·k}, e^{σ q·k}·v of every visible live key of the opened leaves. v̄ is weighted by e^{σ q₀·k}, as the moments of hsa.score are.
    Shapes: query [H,N,D], key [Hkv,M,D], value [Hkv,M,Dv], score [H,N,S], open [H,T,S], partial of H × N × Dv.
    Constraints: attend_splats_c1 query and key agree on D;  attend_splats_c2 key and value agree on Hkv;  attend_splats_c3 key and value agree on M;
    attend_splats_c4 Hkv divides H;  attend_splats_c5 one element type;
    attend_splats_c6 partial is H x N x Dv;  attend_splats_c7 scale is finite;  attend_splats_c8 index is Hkv x M x D x Dv;
    attend_splats_c9 score is [H,N,S];  attend_splats_c10 open is [H,T,S].
    Source: docs/spec.md "Opening". Tests: tests/dialect/attend_splats.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_InputTensor:$key, Hsa_InputTensor:$value, Hsa_IndexType:$index,
                       Hsa_F32Tensor3:$score, Hsa_FlagTensor3:$open, Hsa_MaskAttr:$mask, F64Attr:$scale, Hsa_ConfigAttr:$config);
  let results = (outs Hsa_PartialType:$partial);
  let assemblyFormat = [{
    $query `,` $key `,` $value `,` $index `,` $score `,` $open attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Hsa_AttendFusedOp : Hsa_StageOp<"attend_fused", [Pure]> {
  let summary = "score, select and attend_splats of one tile after the other: the [H,N,S] scores never reach memory";
  let description = [{
    attend_splats(query, key, value, index, score(query, index), select(query, index, score, near, theta)). hsa-fuse makes it.
    Shapes: query [H,N,D], key [Hkv,M,D], value [Hkv,M,Dv], near of H × N × Dv, partial of H × N × Dv.
    Constraints: attend_fused_c1 query and key agree on D;  attend_fused_c2 key and value agree on Hkv;  attend_fused_c3 key and value agree on M;
    attend_fused_c4 Hkv divides H;  attend_fused_c5 one element type;
    attend_fused_c6 partial is H x N x Dv;  attend_fused_c7 scale is finite;  attend_fused_c8 index is Hkv x M x D x Dv;
    attend_fused_c9 near is H x N x Dv;  attend_fused_c10 theta ≥ 0.
    Source: docs/spec.md "Node", "Opening". Tests: tests/dialect/attend_fused.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_InputTensor:$key, Hsa_InputTensor:$value, Hsa_IndexType:$index,
                       Hsa_PartialType:$near, F64Attr:$theta, Hsa_MaskAttr:$mask, F64Attr:$scale, Hsa_ConfigAttr:$config);
  let results = (outs Hsa_PartialType:$partial);
  let assemblyFormat = "$query `,` $key `,` $value `,` $index `,` $near attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
