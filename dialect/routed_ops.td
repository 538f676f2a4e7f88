#ifndef HSA_ROUTED_OPS_TD
#define HSA_ROUTED_OPS_TD

include "dialect/operands.td"

// Scheme routed: splats are parameters, tokens talk through them. A state is an hsa.partial whose rows are splats.

def Hsa_AffinityOp : Hsa_StageOp<"affinity", [Pure, AttrSizedOperandSegments]> {
  let summary = "how close each token is to each splat";
  let description = [{
    affinity[h,i,s] = log φ_s(x) = −½ (x − center[g,s])ᵀ Σ⁻¹ (x − center[g,s]),  x = tokens[h,i],  g = ⌊h·Hkv/H⌋;  natural logarithm, ≤ 0
    Σ is the diagonal matrix of the variances; with a `factor` of R rows f_r for each splat (rows s R + r) it is that + Σ_r f_r f_rᵀ;
    with `cholesky`, L of D rows for each splat (rows s D + d), lower triangular, it is L Lᵀ.
    A variance of one entry holds for all dimensions (isotropic), one of B < D entries for bands of ⌈D/B⌉ dimensions.
    Shapes: tokens [H,N,D] (queries, or keys with H = Hkv), center [Hkv,S,D], variance [Hkv,S,D], [Hkv,S,B] or [Hkv,S,1], factor [Hkv,S·R,D],
    cholesky [Hkv,S·D,D], affinity [H,N,S].
    Constraints: affinity_c1 tokens and center agree on D;  affinity_c2 center and variance agree on Hkv and S;
    affinity_c3 variance has 1 to D entries, and no band is empty;  affinity_c4 Hkv divides H;  affinity_c5 affinity is [H,N,S];
    affinity_c60 there is a variance, or cholesky instead of it;  affinity_c61 factor is [Hkv,S·R,D] with R from 1 to 16 and a variance beside it;
    affinity_c62 cholesky is [Hkv,S·D,D].
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$tokens, Hsa_F32Tensor3:$center, Optional<Hsa_F32Tensor3>:$variance, Optional<Hsa_F32Tensor3>:$factor,
                       Optional<Hsa_F32Tensor3>:$cholesky);
  let results = (outs Hsa_F32Tensor3:$affinity);
  let assemblyFormat = "$tokens `,` $center (`,` $variance^)? (`factor` $factor^)? (`cholesky` $cholesky^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_LinksOp : Hsa_StageOp<"links", [Pure]> {
  let summary = "links between levels, as one matrix of all splats";
  let description = [{
    link[g,s,t] = Σ over the links i that lead from the level of t to that of s: the entry of weight_i, or of expand_i · compress_i; 0 where none does
    Link i leads from level from[i] to level to[i]. Rank 0: it has one factor, weight [Hkv,n_to,n_from]; rank r > 0: two, expand [Hkv,n_to,r] and compress [Hkv,r,n_from].
    `levels` are the splats of each level, S together.
    Shapes: factors as above, in the order of the links, link [Hkv,S,S].
    Constraints: links_c1 levels have at least one splat each;  links_c2 from, to and ranks have one entry per link, one link at least, of two different levels that are there;
    links_c3 as many factors as the ranks want;  links_c4 the shapes of the factors;  links_c5 link is [Hkv,S,S].
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir
  }];
  let arguments = (ins Variadic<Hsa_F32Tensor3>:$factors, DenseI64ArrayAttr:$levels, DenseI64ArrayAttr:$from, DenseI64ArrayAttr:$to,
                       DenseI64ArrayAttr:$ranks);
  let results = (outs Hsa_F32Tensor3:$link);
  let assemblyFormat = "$factors attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_SparsifyOp : Hsa_StageOp<"sparsify", [Pure]> {
  let summary = "of each token, the affinities that are kept on each level";
  let description = [{
    kept[h,i,s] = affinity[h,i,s] where `keep` keeps splat s of its level for the token, else −∞; a row with a NaN stays as it is
    What is compared is affinity + amplitude (log a_s, 0 where left out). The tokens are the last of the M keys; `key` says how many keys there are.
    Shapes: affinity [H,N,S], key [Hkv,M,D], amplitude [Hkv,S,1], kept [H,N,S] with the encoding `#hsa.affinity<ell>`, or `<csr>` where `keep` has a threshold.
    Constraints: sparsify_c1 levels have at least one splat each, S together;  sparsify_c2 amplitude is [Hkv,S,1];
    sparsify_c3 Hkv divides H;  sparsify_c4 kept is as affinity, with the encoding of `keep`.
    Source: docs/spec.md "Sparse". Tests: tests/dialect/sparse.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$affinity, Hsa_InputTensor:$key, Optional<Hsa_F32Tensor3>:$amplitude, DenseI64ArrayAttr:$levels,
                       Hsa_SparseAttr:$keep, UnitAttr:$causal);
  let results = (outs Hsa_F32Tensor3:$kept);
  let assemblyFormat = "$affinity `of` $key (`amplitude` $amplitude^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_FlowOp : Hsa_StageOp<"flow", [Pure]> {
  let summary = "what each token sends to each splat once splats have passed it on";
  let description = [{
    sent[g,j,s] = log (e^affinity[g,j,s] + Σ_t link[g,s,t] e^affinity[g,j,t])
    link[g,s,t] ≥ 0 is what splat s gets of what splat t was sent: up and down weights between neighbouring levels and skip links, as one matrix.
    Shapes: affinity [Hkv,M,S], link [Hkv,S,S], sent [Hkv,M,S].
    Constraints: flow_c1 link is [Hkv,S,S];  flow_c2 sent is as affinity.
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$affinity, Hsa_F32Tensor3:$link);
  let results = (outs Hsa_F32Tensor3:$sent);
  let assemblyFormat = "$affinity `,` $link attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_SendOp : Hsa_StageOp<"send", [Pure]> {
  let summary = "the state: what every splat was sent by all tokens";
  let description = [{
    z[g,s] = Σ_j e^sent[g,j,s],  S[g,s] = Σ_j e^sent[g,j,s] value[g,j],  as a partial: z = e^max sum, S = e^max acc.
    A token that is not finite, in what it sends or in its value, sends nothing.
    Shapes: sent [Hkv,M,S], value [Hkv,M,Dv], state of Hkv × S × Dv. States of disjoint tokens hsa.merge.
    Constraints: send_c1 sent and value agree on Hkv;  send_c2 sent and value agree on M;  send_c3 state is Hkv x S x Dv.
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$sent, Hsa_InputTensor:$value);
  let results = (outs Hsa_PartialType:$state);
  let assemblyFormat = "$sent `,` $value attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_GateOp : Hsa_StageOp<"gate", [Pure]> {
  let summary = "the weight of each level as each query sees it";
  let description = [{
    gate[h,i] = log softmax(weight[g] q + bias[g]),  q = query[h,i],  g = ⌊h·Hkv/H⌋;  natural logarithm
    Shapes: query [H,N,D], weight [Hkv,L,D], bias [Hkv,L,1], gate [H,N,L].
    Constraints: gate_c1 query and weight agree on D;  gate_c2 Hkv divides H;  gate_c3 bias is [Hkv,L,1];  gate_c4 gate is [H,N,L].
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_F32Tensor3:$weight, Hsa_F32Tensor3:$bias);
  let results = (outs Hsa_F32Tensor3:$gate);
  let assemblyFormat = "$query `,` $weight `,` $bias attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_ReceiveOp : Hsa_StageOp<"receive", [Pure, AttrSizedOperandSegments]> {
  let summary = "what each query gets of a state";
  let description = [{
    output[h,i] = Σ_s p_s S[g,s] / Σ_s p_s z[g,s],  log p_s = affinity[h,i,s] + amplitude[g,s] + log weights[ℓ(s)] + gate[h,i,ℓ(s)],  g = ⌊h·Hkv/H⌋
    0 where nothing was sent. `levels` are the splats of each level, fine to coarse; `amplitude` (log a_s) and `gate` are 0 where they are left out.
    Shapes: affinity [H,N,S], state of Hkv × S × Dv, amplitude [Hkv,S,1], gate [H,N,L], output [H,N,Dv].
    Constraints: receive_c1 levels have at least one splat each, S together;  receive_c2 one weight per level, finite and > 0;
    receive_c3 affinity and state agree on S;  receive_c4 Hkv divides H;  receive_c5 amplitude is [Hkv,S,1];  receive_c6 gate is [H,N,L];
    receive_c7 output is [H,N,Dv];  receive_c63 one name per level, none empty, all different;
    receive_c64 one entry of `value_dims` per level, 1 to Dv, none above that of a finer level.
    `names` are for people. With `value_dims` only the first value_dims[ℓ(s)] dimensions of S[g,s] count, the others are 0 here.
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$affinity, Hsa_PartialType:$state, Optional<Hsa_F32Tensor3>:$amplitude, Optional<Hsa_F32Tensor3>:$gate,
                       DenseI64ArrayAttr:$levels, DenseF64ArrayAttr:$weights, OptionalAttr<StrArrayAttr>:$names,
                       OptionalAttr<DenseI64ArrayAttr>:$value_dims);
  let results = (outs Hsa_F32Tensor3:$output);
  let assemblyFormat = [{
    $affinity `,` $state (`amplitude` $amplitude^)? (`gate` $gate^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Hsa_ReceiveCausalOp : Hsa_StageOp<"receive_causal", [Pure, AttrSizedOperandSegments]> {
  let summary = "what each query gets of the state of the tokens up to its own position";
  let description = [{
    hsa.receive from the state that hsa.send makes of the tokens j ≤ p = M − N + i, for each query i; with a `window` W those from C ⌊p/C⌋ − W on, C = W/8.
    Shapes: affinity [H,N,S] of the queries, sent [Hkv,M,S], value [Hkv,M,Dv], amplitude [Hkv,S,1], gate [H,N,L], output [H,N,Dv].
    Constraints: receive_causal_c1 levels have at least one splat each, S together;  receive_causal_c2 one weight per level, finite and > 0;
    receive_causal_c3 affinity and sent agree on S;  receive_causal_c4 Hkv divides H;  receive_causal_c5 amplitude is [Hkv,S,1];
    receive_causal_c6 gate is [H,N,L];  receive_causal_c7 output is [H,N,Dv];  receive_causal_c8 sent and value agree on Hkv and M;
    receive_causal_c63 and _c64 as hsa.receive;  receive_causal_c65 no level has fewer splats than `adapt` keeps, and one is awake;
    receive_causal_c90 window is a multiple of 512, at most 2^30.
    With `adapt` a run lets the splats of its affinities adapt between segments; the reference evaluates what is not adapted alone.
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir
  }];
  let arguments = (ins Hsa_F32Tensor3:$affinity, Hsa_F32Tensor3:$sent, Hsa_InputTensor:$value, Optional<Hsa_F32Tensor3>:$amplitude,
                       Optional<Hsa_F32Tensor3>:$gate, DenseI64ArrayAttr:$levels, DenseF64ArrayAttr:$weights,
                       OptionalAttr<StrArrayAttr>:$names, OptionalAttr<DenseI64ArrayAttr>:$value_dims, OptionalAttr<Hsa_AdaptAttr>:$adapt,
                       OptionalAttr<I64Attr>:$window);
  let results = (outs Hsa_F32Tensor3:$output);
  let assemblyFormat = [{
    $affinity `,` $sent `,` $value (`amplitude` $amplitude^)? (`gate` $gate^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
