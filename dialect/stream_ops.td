#ifndef HSA_STREAM_OPS_TD
#define HSA_STREAM_OPS_TD

include "dialect/operands.td"

def Hsa_StreamOp : Hsa_StageOp<"stream", [SingleBlock, RecursiveMemoryEffects]> {
  let summary = "a partial carried over the segments of keys and values";
  let description = [{
    carry ← init; for the segments [first, first + segment) of key and value in order, the last one with what is left:
    carry ← body(first, M, key segment, value segment, carry). The result is the last carry; init when M = 0.
    Shapes: key [Hkv,M,D], value [Hkv,M,Dv], init and result of H × N × Dv; segments [Hkv,?,D] and [Hkv,?,Dv].
    Constraints: stream_c1 key and value agree on Hkv;  stream_c2 key and value agree on M;  stream_c3 segment ≥ 1;
    stream_c4 body takes (index, index, key segment, value segment, carry);  stream_c5 body yields the type of its carry;
    stream_c6 the result has the type of init.
    Source: docs/spec.md "Partial": merge is associative, so any cut into segments gives the same. Tests: tests/dialect/stream.mlir

    ```mlir
    %p = hsa.stream %k, %v, %init segment 8192 {
    ^bb0(%first: index, %total: index, %ks: tensor<2x?x64xf32>, %vs: tensor<2x?x64xf32>, %carry: !hsa.partial<8x?x64>):
      %s = hsa.attend_exact all %q, %ks, %vs at %first of %total {mask = #hsa.mask<>, scale = 0.125 : f64}
          : (tensor<8x?x64xf32>, tensor<2x?x64xf32>, tensor<2x?x64xf32>) -> !hsa.partial<8x?x64>
      %m = hsa.merge %carry, %s : (!hsa.partial<8x?x64>, !hsa.partial<8x?x64>) -> !hsa.partial<8x?x64>
      hsa.yield %m : !hsa.partial<8x?x64>
    } : (tensor<2x?x64xf32>, tensor<2x?x64xf32>, !hsa.partial<8x?x64>) -> !hsa.partial<8x?x64>
    ```
  }];
  let arguments = (ins Hsa_InputTensor:$key, Hsa_InputTensor:$value, Hsa_PartialType:$init, I64Attr:$segment);
  let results = (outs Hsa_PartialType:$partial);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$key `,` $value `,` $init `segment` $segment attr-dict-with-keyword $body `:` functional-type(operands, results)";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    // Types of the body's arguments, as exact as they are for every segment.
    ::llvm::SmallVector<::mlir::Type> getBodyTypes();
  }];
}

def Hsa_YieldOp : Hsa_Op<"yield", [Pure, Terminator, HasParent<"StreamOp">]> {
  let summary = "the carry of the next segment";
  let description = [{
    Ends the body of hsa.stream. Constraints: stream_c5. Tests: tests/dialect/stream.mlir
  }];
  let arguments = (ins Hsa_PartialType:$carry);
  let assemblyFormat = "$carry attr-dict `:` type($carry)";
}

#endif
