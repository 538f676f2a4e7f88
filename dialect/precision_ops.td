#ifndef HSA_PRECISION_OPS_TD
#define HSA_PRECISION_OPS_TD

include "dialect/operands.td"

def Hsa_QuantizeOp : Hsa_StageOp<"quantize", [Pure]> {
  let summary = "the same tensor in a narrower element type";
  let description = [{
    narrow[h,i,d] is the value of its element type that is nearest to wide[h,i,d], of two the even one; what it cannot hold is an infinity, NaN stays NaN.
    Where both types are the same it is nothing and folds away.
    i8 codes what is left of a row behind a center, turned: narrow stands for m + W⁻¹(s n), n = round(W(wide - m) / s) in -127..127, s = max_d |W(wide - m)| / 127 for
    each row. W is a Hadamard matrix, in blocks of 16 dimensions times the greatest power of two that divides their number, dimensions padded with zeros to a multiple of 16; m is 0,
    or with `centered`, for rows from 64 a on, the middle of the finite rows among the 64 before 64 a: of the 16 sums of four rows, 16 apart, the mean in each dimension
    without the least and the greatest, over 4. No row depends on later ones, and one row far from the others moves nothing. The first 64 rows,
    which have none before them, then stay as they are. A row that is not finite stands for NaN.
    Shapes: wide [H,N,D], narrow [H,N,D].
    Constraints: quantize_c1 narrow has the shape of wide;  quantize_c2 narrow is bf16, f16 or i8, or the type of wide;  quantize_c3 only i8 is centered.
    Source: docs/spec.md "Precision". Tests: tests/dialect/quantize.mlir
  }];
  let arguments = (ins Hsa_InputTensor:$wide, UnitAttr:$centered);
  let results = (outs Hsa_NarrowTensor:$narrow);
  let assemblyFormat = "$wide attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif
