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

def TilePass : Pass<"hsa-tile", "::mlir::ModuleOp"> {
  let summary = "layer 1 → 2: the schedule of an attention, and one entry per stage on tiles of static size";
}

def BufferizePass : Pass<"hsa-bufferize", "::mlir::ModuleOp"> {
  let summary = "tensors of the entries → memrefs, in place";
}

def LowerToCpuPass : Pass<"hsa-lower-to-cpu", "::mlir::ModuleOp"> {
  let summary = "layer 2 → vector code: one module per processor, written for its register tile";
  let options = [ListOption<"mcpu", "mcpu", "std::string", "processors as LLVM names them, or native">];
}

def ExportPlanPass : Pass<"hsa-export-plan", "::mlir::ModuleOp"> {
  let summary = "schedule and variants → a plan file";
  let options = [Option<"file", "file", "std::string", "", "where the plan goes">];
}

#endif
