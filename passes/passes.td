#ifndef HSA_PASSES_TD
#define HSA_PASSES_TD

include "mlir/Pass/PassBase.td"

def InferShapesPass : Pass<"hsa-infer-shapes", "::mlir::func::FuncOp"> {
  let summary = "refine result shapes from operands, and write out the defaults of mask, scale and config";
}

def DecomposePass : Pass<"hsa-decompose", "::mlir::ModuleOp"> {
  let summary = "layer 0 → 1: each function by splats, and beside it <name>_exact over every key";
}

def FusePass : Pass<"hsa-fuse", "::mlir::func::FuncOp"> {
  let summary = "score + select + attend_splats → attend_fused: the [H,N,S] scores never reach memory";
}

def VerifyLayerPass : Pass<"hsa-verify-layer"> {
  let summary = "no op of a finished layer is left";
  let options = [Option<"layer", "layer", "int64_t", "1", "the layer that is reached: 1, 2 or 3; ops of the layers below are errors">];
}

#endif
