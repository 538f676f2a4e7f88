#ifndef HSA_TYPES_TD
#define HSA_TYPES_TD

include "dialect/hsa_dialect.td"

def Hsa_IndexType : Hsa_Type<"SplatIndex", "index"> {
  let summary = "the splat index of a layer: one tree of nodes per unit of every kv_head";
  let description = [{
    `!hsa.index<Hkv x M x D x Dv>`, each a number or `?`: `!hsa.index<2x?x64x64>`.
    Units: the ⌊M/segmentTokens⌋ segments, then the ⌊M/miniSegmentTokens⌋ mini-segments, each in the order of its keys. Nodes: units in that
    order, in a unit the levels from fine to coarse, in a level from slot 0 up; all tensors over nodes use this order.
    Constraints: index_type_c1 Hkv, D and Dv are at least 1, M at least 0.
    Source: docs/spec.md "Units, near field and index", "Tree of a unit", "Node". Tests: tests/dialect/types.mlir
  }];
  let parameters = (ins "int64_t":$kvHeads, "int64_t":$keys, "int64_t":$headDim, "int64_t":$valueDim);
  let assemblyFormat = "`<` custom<Dims>($kvHeads, $keys, $headDim, $valueDim) `>`";
  let genVerifyDecl = 1;
}

def Hsa_PartialType : Hsa_Type<"Partial", "partial"> {
  let summary = "attention of every row over some of its keys: (max, sum, acc)";
  let description = [{
    `!hsa.partial<H x N x Dv>`, each a number or `?`: max [H,N], sum [H,N] = Σ e^{s−max}, acc [H,N,Dv] = Σ e^{s−max} v; natural logarithm.
    A commutative monoid under hsa.merge; identity (−∞, 0, 0).
    Constraints: partial_type_c1 no extent is negative.
    Source: docs/spec.md "Partial". Tests: tests/dialect/types.mlir
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$queries, "int64_t":$valueDim);
  let assemblyFormat = "`<` custom<Dims>($heads, $queries, $valueDim) `>`";
  let genVerifyDecl = 1;
}

#endif
