#ifndef HSA_TYPES_TD
#define HSA_TYPES_TD

include "dialect/hsa_dialect.td"

def Hsa_IndexType : Hsa_Type<"Index", "index"> {
  let summary = "the splat index of a layer: one tree of nodes per unit of every kv_head";
  let description = [{
    `!hsa.index<kvHeads x headDim x valueDim>`, each a number or `?`: `!hsa.index<2x64x64>`.
    Units: the ⌊M/segmentTokens⌋ segments, then the ⌊M/miniSegmentTokens⌋ mini-segments, each in the order of its keys. Nodes: units in that
    order, in a unit the levels from fine to coarse, in a level from slot 0 up; all tensors over nodes use this order.
    Source: docs/spec.md "Units, near field and index", "Tree of a unit", "Node".
  }];
  let parameters = (ins "int64_t":$kvHeads, "int64_t":$headDim, "int64_t":$valueDim);
  let assemblyFormat = "`<` custom<Dims>($kvHeads, $headDim, $valueDim) `>`";
  let genVerifyDecl = 1;
}

def Hsa_PartialType : Hsa_Type<"Partial", "partial"> {
  let summary = "attention of every row over some of its keys: (max, sum, acc)";
  let description = [{
    `!hsa.partial<H x N x Dv>`, each a number or `?`: max [H,N], sum [H,N] = Σ e^{s−max}, acc [H,N,Dv] = Σ e^{s−max} v; natural logarithm.
    A commutative monoid under hsa.merge; identity (−∞, 0, 0).
    Source: docs/spec.md "Partial".
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$queries, "int64_t":$valueDim);
  let assemblyFormat = "`<` custom<Dims>($heads, $queries, $valueDim) `>`";
  let genVerifyDecl = 1;
}

#endif
