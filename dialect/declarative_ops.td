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

#endif
