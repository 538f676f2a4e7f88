#ifndef HSA_DECLARATIVE_OPS_TD
#define HSA_DECLARATIVE_OPS_TD

include "dialect/operands.td"

def Hsa_AttentionOp : Hsa_StageOp<"attention", [Pure]> {
  let summary = "attention of every query over the keys that its mask shows";
  let description = [{
    o_i = Σ_j e^{σ q_i·k_j} v_j / Σ_j e^{σ q_i·k_j},  lse_i = log Σ_j e^{σ q_i·k_j},  over the visible j;  no visible key: o = 0, lse = −∞
    The op says what is wanted; `config` says by which splats it is computed after hsa-decompose.
    Defaults, written out by hsa-infer-shapes: no mask, scale σ = 1/√D, `#hsa.config<>`.
    Shapes: query [H,N,D], key [Hkv,M,D], value [Hkv,M,Dv], output [H,N,Dv], lse [H,N]; query head h reads kv_head ⌊h·Hkv/H⌋.
    Constraints: attention_c1 query and key agree on D;  attention_c2 key and value agree on Hkv;  attention_c3 key and value agree on M;
    attention_c4 Hkv divides H;  attention_c5 one element type;  attention_c6 output is [H,N,Dv];  attention_c7 lse is [H,N];
    attention_c8 scale is finite.
    Source: docs/spec.md "Mask", "Exact". Tests: tests/dialect/attention.mlir

    ```mlir
    %o = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = true>}
        : (tensor<8x?x64xf32>, tensor<2x?x64xf32>, tensor<2x?x64xf32>) -> tensor<8x?x64xf32>
    ```
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_InputTensor:$key, Hsa_InputTensor:$value, OptionalAttr<Hsa_MaskAttr>:$mask,
                       OptionalAttr<F64Attr>:$scale, OptionalAttr<Hsa_ConfigAttr>:$config);
  let results = (outs Hsa_F32Tensor3:$output, Optional<Hsa_F32Tensor2>:$lse);
  let assemblyFormat = "$query `,` $key `,` $value attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Hsa_RoutedAttentionOp : Hsa_StageOp<"routed_attention", [Pure, AttrSizedOperandSegments]> {
  let summary = "tokens talk through splats that are parameters: linear in the number of tokens";
  let description = [{
    o_i = Σ_j κ(q_i, k_j) v_j / Σ_j κ(q_i, k_j),  κ(q, k) = Σ_s w_ℓ(s)(q) a_s φ_s(q) ψ_s(k),  over all j, or j ≤ M − N + i where `causal`
    `levels` are the splats of each level, fine to coarse, `weights` their constant weights; `amplitude` is log a_s; `link` [s,t] is what splat s gets of what t was sent.
    Shapes: query [H,N,D], key [Hkv,M,D], value [Hkv,M,Dv], center [Hkv,S,D], variance, factor and cholesky as in hsa.affinity, amplitude [Hkv,S,1], link [Hkv,S,S],
    gate weight [Hkv,L,D] and bias [Hkv,L,1], output [H,N,Dv]; query head h reads kv_head ⌊h·Hkv/H⌋.
    Constraints: routed_attention_c1 query and key agree on D;  routed_attention_c2 key and value agree on Hkv;  routed_attention_c3 key and value agree on M;
    routed_attention_c4 Hkv divides H;  routed_attention_c5 one element type;  routed_attention_c6 output is [H,N,Dv];
    routed_attention_c7 center is [Hkv,S,D];  routed_attention_c8 variance is [Hkv,S,B], B from 1 to D;  routed_attention_c9 amplitude is [Hkv,S,1];
    routed_attention_c10 link is [Hkv,S,S];  routed_attention_c11 the gate has weight [Hkv,L,D] and bias [Hkv,L,1], both or neither;
    routed_attention_c12 levels have at least one splat each, S together;  routed_attention_c13 one weight per level, finite and > 0;
    routed_attention_c60, _c61, _c62 as hsa.affinity;  routed_attention_c63 one name per level, none empty, all different;
    routed_attention_c64 one entry of `value_dims` per level, 1 to Dv, none above that of a finer level;
    routed_attention_c65 splats that adapt are of a causal attention, of variances alone, no level has fewer than leastSplats, and one is awake;
    routed_attention_c90 window is a multiple of 512, at most 2^30, of a causal attention without a threshold and whose splats do not adapt.
    With `sparse` each token sends to, and receives from, the splats only that are near it. `names` are for people. With `value_dims` level ℓ keeps the first
    value_dims[ℓ] dimensions of values: in κ_ℓ v_j the others count as 0. With `adapt` splats are those of the first segment and a run lets them adapt;
    the reference evaluates what is not adapted alone. With a `window` W only the j ≥ C ⌊p/C⌋ − W are seen from position p = M − N + i, C = W/8.
    Source: docs/spec.md "Routed". Tests: tests/dialect/routed.mlir

    ```mlir
    %o = hsa.routed_attention %q, %k, %v splats %c, %s {levels = array<i64: 48, 16>, weights = array<f64: 1.0, 0.5>, causal}
        : (tensor<8x?x64xf32>, tensor<2x?x64xf32>, tensor<2x?x64xf32>, tensor<2x64x64xf32>, tensor<2x64x1xf32>) -> tensor<8x?x64xf32>
    ```
  }];
  let arguments = (ins Hsa_InputTensor:$query, Hsa_InputTensor:$key, Hsa_InputTensor:$value, Hsa_F32Tensor3:$center,
                       Optional<Hsa_F32Tensor3>:$variance, Optional<Hsa_F32Tensor3>:$factor, Optional<Hsa_F32Tensor3>:$cholesky,
                       Optional<Hsa_F32Tensor3>:$amplitude, Optional<Hsa_F32Tensor3>:$link, Optional<Hsa_F32Tensor3>:$gate_weight,
                       Optional<Hsa_F32Tensor3>:$gate_bias, DenseI64ArrayAttr:$levels, DenseF64ArrayAttr:$weights, UnitAttr:$causal,
                       OptionalAttr<Hsa_SparseAttr>:$sparse, OptionalAttr<StrArrayAttr>:$names, OptionalAttr<DenseI64ArrayAttr>:$value_dims,
                       OptionalAttr<Hsa_AdaptAttr>:$adapt, OptionalAttr<I64Attr>:$window);
  let results = (outs Hsa_F32Tensor3:$output);
  let assemblyFormat = [{
    $query `,` $key `,` $value `splats` $center (`,` $variance^)? (`factor` $factor^)? (`cholesky` $cholesky^)? (`amplitude` $amplitude^)? (`link` $link^)?
    (`gate` $gate_weight^ `,` $gate_bias)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
