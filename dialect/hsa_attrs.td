#ifndef HSA_ATTRS_TD
#define HSA_ATTRS_TD

include "dialect/hsa_dialect.td"

def Hsa_MaskAttr : Hsa_Attr<"Mask", "mask"> {
  let summary = "which keys a query sees";
  let description = [{
    A query at key position p sees key j when (not causal or j ≤ p) and (slidingWindow = 0 or j > p − slidingWindow or j < sinkTokens).
    Query i of N stands at p = M − N + i (lower-right).
    Constraints: mask_c1 slidingWindow ≥ 0;  mask_c2 sinkTokens ≥ 0;  mask_c3 a sliding window needs causal;  mask_c4 sinkTokens needs one.
    Source: docs/spec.md "Mask". Tests: tests/dialect/attrs.mlir
  }];
  let parameters = (ins DefaultValuedParameter<"bool", "false">:$causal,
                        DefaultValuedParameter<"int64_t", "0">:$slidingWindow,
                        DefaultValuedParameter<"int64_t", "0">:$sinkTokens);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Hsa_QueryOrder : I32EnumAttr<"QueryOrder", "which queries of a window share a tile", [
    I32EnumAttrCase<"Position", 0, "position">,
    I32EnumAttrCase<"Content", 1, "content">]> {
  let cppNamespace = "::hsa::ir";
  let genSpecializedAttr = 0;
}

def Hsa_ConfigAttr : Hsa_Attr<"Config", "config"> {
  let summary = "how an attention is computed by splats";
  let description = [{
    order              terms of a node's log-mass: 0 (mean only) or 2 (with band variances)
    theta              opening threshold when the run asks for none: root-mean-square residual of a tile
    tolerance          ε: a run that asks for nothing calibrates θ so that a query's relative error stays below it …
    confidence         … with at least this probability. Without theta and tolerance: 0.05 at 0.95
    nearSinkTokens     first keys of the sequence, always in the near field
    windowTokens       query positions that share a near field and an index: a whole number of tiles and of mini-segments
    tileQueries        queries of a window, at most, that open nodes together
    leafTokens         keys of a leaf, a power of two; miniSegmentTokens is this times a power of 4, segmentTokens that times 4, 8 or 16
    bands              groups of dimensions that share a variance
    queryOrder         which queries of a window share a tile: `position` (neighbours) or `content` (those that look at the same keys)
    Levels: leafTokens, 4·leafTokens, … , miniSegmentTokens and, in segments, segmentTokens.
    Constraints: config_c1 order is 0 or 2;  config_c2 theta ≥ 0;  config_c3 nearSinkTokens ≥ 0;  config_c4 a window is a whole number of
    tiles;  config_c5 leafTokens is a power of two;  config_c6 miniSegmentTokens is leafTokens times a power of 4, at least 4;
    config_c7 segmentTokens is miniSegmentTokens times 4, 8 or 16: nodes come in groups of four;  config_c8 a window is a whole number of mini-segments;  config_c9 bands ≥ 1;
    config_c10 tolerance is in (0, 1);  config_c11 confidence is in (0, 1); both or neither are given.
    Source: docs/spec.md "Units, near field and index", "Query tiles", "Tree of a unit", "Node". Tests: tests/dialect/attrs.mlir
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "2">:$order,
                        OptionalParameter<"::mlir::FloatAttr">:$theta,
                        DefaultValuedParameter<"int64_t", "4">:$nearSinkTokens,
                        DefaultValuedParameter<"int64_t", "1024">:$windowTokens,
                        DefaultValuedParameter<"int64_t", "64">:$tileQueries,
                        DefaultValuedParameter<"int64_t", "16">:$leafTokens,
                        DefaultValuedParameter<"int64_t", "1024">:$miniSegmentTokens,
                        DefaultValuedParameter<"int64_t", "8192">:$segmentTokens,
                        DefaultValuedParameter<"int64_t", "8">:$bands,
                        OptionalParameter<"::mlir::FloatAttr">:$tolerance,
                        OptionalParameter<"::mlir::FloatAttr">:$confidence,
                        DefaultValuedParameter<"::hsa::ir::QueryOrder", "::hsa::ir::QueryOrder::Content">:$queryOrder);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    // Every parameter at its default: #hsa.config<>.
    static ConfigAttr getDefault(::mlir::MLIRContext* context);
    // Tokens of the nodes of a unit's levels, from fine to coarse.
    ::llvm::SmallVector<int64_t> getLevelTokens(int64_t unitTokens) const;
    // S: nodes of all units of `keys` keys.
    int64_t getNodeCount(int64_t keys) const;
    // T: tiles of one head's `queries` queries, which stand at the end of `keys` keys.
    int64_t getTileCount(int64_t queries, int64_t keys) const;
  }];
}

def Hsa_FieldAttr : I32EnumAttr<"Field", "which of the keys that the mask shows are read exactly", [
    I32EnumAttrCase<"All", 0, "all">,
    I32EnumAttrCase<"Near", 1, "near">]> {
  let cppNamespace = "::hsa::ir";
  let genSpecializedAttr = 0;
}
def Hsa_FieldEnumAttr : EnumAttr<Hsa_Dialect, Hsa_FieldAttr, "field"> {
  let summary = "which of the keys that the mask shows are read exactly";
  let description = [{
    `all`   every key
    `near`  the near field of the query's window: sink prefix, non-finite keys, keys from near_start on. Source: docs/spec.md "Units, near field and index"
  }];
}

def Hsa_SparseAttr : Hsa_Attr<"Sparse", "sparse"> {
  let summary = "which affinities of a token are kept on each level";
  let description = [{
    Of each level the `top` splats with the largest a_s φ_s(x) are kept, ties by lowest splat, and of them those with
    a_s φ_s(x) ≥ τ_p max_s a_s φ_s(x),  τ_p = min(1, τ (L_p / 8192)^½) for L_p > 8192, τ below,  τ = `threshold` (left out: 0)
    L_p is the number of tokens that count for the token: p + 1 at position p where the attention is causal, else all of them.
    Constraints: sparse_c1 top is 1 to 64;  sparse_c2 threshold is in (0, 1).
    Source: docs/spec.md "Sparse". Tests: tests/dialect/sparse.mlir
  }];
  let parameters = (ins "int64_t":$top, OptionalParameter<"::mlir::FloatAttr">:$threshold);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Hsa_AdaptKind : I32EnumAttr<"AdaptKind", "what adaptation does", [
    I32EnumAttrCase<"Splats", 0, "splats">,
    I32EnumAttrCase<"Observe", 1, "observe">]> {
  let cppNamespace = "::hsa::ir";
  let genSpecializedAttr = 0;
}

def Hsa_AdaptAttr : Hsa_Attr<"Adapt", "adapt"> {
  let summary = "splats of a causal stream that adapt between its segments";
  let description = [{
    what            `splats`: they come, go and move;  `observe`: they stay as they are, their residual is measured
    segmentTokens   between two adaptations
    mostEvents      of a level and kv_head in a segment
    leastSplats     that stay on a level
    history         segments whose activations are remembered
    memory          share of its mass that a splat keeps from one segment to the next; left out: 0.9
    cover           a token is uncovered where −log φ is above this; left out: 8
    uncoveredShare  of the observed tokens, from which on a splat is born; left out: 0.01
    idle            share of the mean activation below which a splat dies; left out: 0.02
    gain            a split has to save this many times what the merge costs that makes room for it; left out: 2
    asleep          so many of the coarsest levels sleep when the stream begins
    levelTokens     a level that sleeps wakes when the stream has so many tokens for each splat of the finer levels; 0: it does not for its length
    levelResidual   … or when the finer level leaves more than this share of the spread of its tokens; left out: 0.5
    levelGain       a level sleeps when its gain is below this for `history` segments in a row; left out: 0, none does
    weightBound     weights of levels follow what they explain, by factors in 1/weightBound to weightBound; left out: 1, they stay
    Constraints: adapt_c1 segmentTokens is a multiple of 256, at most 2^20;  adapt_c2 history is 1 to 1024;  adapt_c3 mostEvents is 0 to 4096;
    adapt_c4 leastSplats ≥ 1;  adapt_c5 memory, uncoveredShare, idle and levelGain are in [0, 1);  adapt_c6 cover is in (0, 10000);  adapt_c7 gain is in [1, 10^6);
    adapt_c8 asleep is 0 to 15;  adapt_c9 levelTokens is 0 to 2^40;  adapt_c10 levelResidual is in (0, 10^6);  adapt_c11 weightBound is in [1, 1024];
    adapt_c12 what is observed does not change: asleep is 0, levelGain 0 and weightBound 1 there.
    Source: docs/spec.md "Adaptation". Tests: tests/dialect/attrs.mlir
  }];
  let parameters = (ins DefaultValuedParameter<"::hsa::ir::AdaptKind", "::hsa::ir::AdaptKind::Splats">:$what,
                        DefaultValuedParameter<"int64_t", "4096">:$segmentTokens,
                        DefaultValuedParameter<"int64_t", "8">:$mostEvents,
                        DefaultValuedParameter<"int64_t", "1">:$leastSplats,
                        DefaultValuedParameter<"int64_t", "16">:$history,
                        OptionalParameter<"::mlir::FloatAttr">:$memory,
                        OptionalParameter<"::mlir::FloatAttr">:$cover,
                        OptionalParameter<"::mlir::FloatAttr">:$uncoveredShare,
                        OptionalParameter<"::mlir::FloatAttr">:$idle,
                        OptionalParameter<"::mlir::FloatAttr">:$gain,
                        DefaultValuedParameter<"int64_t", "0">:$asleep,
                        DefaultValuedParameter<"int64_t", "1024">:$levelTokens,
                        OptionalParameter<"::mlir::FloatAttr">:$levelResidual,
                        OptionalParameter<"::mlir::FloatAttr">:$levelGain,
                        OptionalParameter<"::mlir::FloatAttr">:$weightBound);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Hsa_AffinityLayout : I32EnumAttr<"AffinityLayout", "how the affinities that are kept lie in memory", [
    I32EnumAttrCase<"Ell", 0, "ell">,
    I32EnumAttrCase<"Csr", 1, "csr">]> {
  let cppNamespace = "::hsa::ir";
  let genSpecializedAttr = 0;
}
def Hsa_AffinityAttr : EnumAttr<Hsa_Dialect, Hsa_AffinityLayout, "affinity"> {
  let summary = "the encoding of a tensor of affinities that is not dense";
  let description = [{
    `tensor<2x?x64xf32, #hsa.affinity<ell>>`: what is not kept is −∞ and not stored.
    `ell`  every token keeps the same number: a splat and a value each
    `csr`  tokens keep different numbers: the same, and a count per token. A tensor without an encoding is dense.
  }];
  let assemblyFormat = "`<` $value `>`";
}

#endif
