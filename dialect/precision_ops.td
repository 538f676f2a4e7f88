#ifndef HSA_PRECISION_OPS_TD
#define HSA_PRECISION_OPS_TD

include "dialect/operands.td"

def Hsa_QuantizeOp : Hsa_StageOp<"quantize", [Pure]> {
  let summary = "the same tensor in a narrower element type";
  let description = [{
    narrow[h,i,d] is the value of its element type that is nearest to wide[h,i,d], of two the even one; what it cannot hold is an infinity, NaN stays NaN.
    Where both types are the same it is nothing and folds away.
    Shapes: wide [H,N,D], narrow [H,N,D].
    Constraints: quantize_c1 narrow has the shape of wide;  quantize_c2 narrow is bf16 or f16, or the type of wide.
    Source: docs/spec.md "Precision". Tests: tests/dialect/quantize.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$wide);
  let results = (outs Hsa_InputTensor:$narrow);
  let assemblyFormat = "$wide attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif
