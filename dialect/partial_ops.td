#ifndef HSA_PARTIAL_OPS_TD
#define HSA_PARTIAL_OPS_TD

include "dialect/operands.td"

def Hsa_EmptyPartialOp : Hsa_StageOp<"empty_partial", [Pure]> {
  let summary = "the partial over no keys: (−∞, 0, 0), the identity of hsa.merge";
  let description = [{
    Shapes: query [H,N,D] gives H and N, value [Hkv,M,Dv] gives Dv; partial of H × N × Dv.
    Constraints: empty_partial_c1 partial is H x N x Dv.
    Source: docs/spec.md "Partial". Tests: tests/dialect/partial.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_InputTensor:$value);
  let results = (outs Hsa_PartialType:$partial);
  let assemblyFormat = "$query `,` $value attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_MergeOp : Hsa_StageOp<"merge", [Pure, Commutative]> {
  let summary = "the partial over two disjoint sets of keys";
  let description = [{
    m = max(m₁, m₂),  sum = sum₁ e^{m₁−m} + sum₂ e^{m₂−m},  acc likewise. Associative and commutative; hsa.empty_partial is its identity and folds away.
    Shapes: lhs, rhs and merged of H × N × Dv.
    Constraints: merge_c1 lhs and rhs agree;  merge_c2 merged agrees with them.
    Source: docs/spec.md "Partial". Tests: tests/dialect/partial.mlir
  }];
  let arguments = (ins Hsa_PartialType:$lhs, Hsa_PartialType:$rhs);
  let results = (outs Hsa_PartialType:$merged);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Hsa_NormalizeOp : Hsa_StageOp<"normalize", [Pure]> {
  let summary = "the attention that a partial over all of the keys amounts to";
  let description = [{
    output = acc / sum (0 where sum = 0),  lse = max + log sum (−∞ where sum = 0), natural logarithm.
    Shapes: partial of H × N × Dv, output [H,N,Dv], lse [H,N].
    Constraints: normalize_c1 output is [H,N,Dv];  normalize_c2 lse is [H,N].
    Source: docs/spec.md "Partial". Tests: tests/dialect/partial.mlir
  }];
  let arguments = (ins Hsa_PartialType:$partial);
  let results = (outs Hsa_F32Tensor3:$output, Optional<Hsa_F32Tensor2>:$lse);
  let assemblyFormat = "$partial attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
