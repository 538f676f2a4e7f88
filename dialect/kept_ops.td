#ifndef HSA_KEPT_OPS_TD
#define HSA_KEPT_OPS_TD

include "dialect/operands.td"

// Algebra of affinities that are kept: matrices of logarithms with the encoding #hsa.affinity<csr> or <ell>, −∞ where nothing is kept.

def Hsa_OverlapOp : Hsa_StageOp<"overlap", [Pure]> {
  let summary = "how much two sets of splats share their tokens: a product of sparse matrices";
  let description = [{
    overlap[h,s,t] = log Σ_i e^{left[h,i,s] + right[h,i,t]}: of the matrices of what is kept it is leftᵀ · right, −∞ where no token keeps both.
    A token with a NaN in its row of either counts nothing.
    Shapes: left [H,N,S], right [H,N,T], overlap [H,S,T] with the encoding `#hsa.affinity<csr>`.
    Constraints: overlap_c80 left and right are csr or ell;  overlap_c81 left and right agree on H and N;  overlap_c82 overlap is [H,S,T], csr.
    Source: docs/spec.md "Sparse". Tests: tests/dialect/kept.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$left, Hsa_F32Tensor3:$right);
  let results = (outs Hsa_F32Tensor3:$overlap);
  let assemblyFormat = "$left `,` $right attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_UnionOp : Hsa_StageOp<"union", [Pure, Commutative]> {
  let summary = "what either of two matrices keeps, added up where both do";
  let description = [{
    all[h,i,s] = log (e^left[h,i,s] + e^right[h,i,s])
    Shapes: left and right [H,N,S], all [H,N,S] with the encoding `#hsa.affinity<csr>`: rows differ in length even where those of left and right do not.
    Constraints: union_c80 left and right are csr or ell;  union_c81 left and right agree on H, N and S;  union_c82 all is [H,N,S], csr.
    Source: docs/spec.md "Sparse". Tests: tests/dialect/kept.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$left, Hsa_F32Tensor3:$right);
  let results = (outs Hsa_F32Tensor3:$all);
  let assemblyFormat = "$left `,` $right attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_RescaleOp : Hsa_StageOp<"rescale", [Pure]> {
  let summary = "rows or columns of what is kept, times a factor each";
  let description = [{
    scaled[h,i,s] = affinity[h,i,s] + log_scale[h,i,0], or + log_scale[h,0,s]
    What is kept stays as it is, so that it may be done in place.
    Shapes: affinity [H,N,S], log_scale [H,N,1] or [H,1,S] (rows where both fit), scaled as affinity.
    Constraints: rescale_c80 affinity is csr or ell;  rescale_c81 log_scale is [H,N,1] or [H,1,S];  rescale_c82 scaled is as affinity.
    Source: docs/spec.md "Sparse". Tests: tests/dialect/kept.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$affinity, Hsa_F32Tensor3:$log_scale);
  let results = (outs Hsa_F32Tensor3:$scaled);
  let assemblyFormat = "$affinity `,` $log_scale attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_ThresholdOp : Hsa_StageOp<"threshold", [Pure]> {
  let summary = "of each row, what is not small beside its greatest";
  let description = [{
    kept[h,i,s] = affinity[h,i,s] where it is at least log share + max_t affinity[h,i,t], else −∞; a row with a NaN stays as it is
    Shapes: affinity [H,N,S], kept [H,N,S] with the encoding `#hsa.affinity<csr>`.
    Constraints: threshold_c80 affinity is csr or ell;  threshold_c81 share is more than 0, 1 at most;  threshold_c82 kept is [H,N,S], csr.
    Source: docs/spec.md "Sparse". Tests: tests/dialect/kept.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$affinity, F64Attr:$share);
  let results = (outs Hsa_F32Tensor3:$kept);
  let assemblyFormat = "$affinity attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
