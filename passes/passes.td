#ifndef HSA_PASSES_TD
#define HSA_PASSES_TD

include "mlir/Pass/PassBase.td"

def InferShapesPass : Pass<"hsa-infer-shapes", "::mlir::func::FuncOp"> {
  let summary = "refine result shapes from operands, and write out the defaults of mask, scale and config";
  let description = [{
    Every extent of a result that follows from the operands is written into its type: lengths, nodes of an index, tiles of a selection; the
    signature of the function follows. A reader outside the dialect keeps its type through a tensor.cast. Of hsa.attention, what was left out is
    written out: no mask, scale 1/√D where D is known, #hsa.config<>. Tests: tests/passes/infer_shapes.mlir
  }];
}

def DecomposePass : Pass<"hsa-decompose", "::mlir::ModuleOp"> {
  let summary = "layer 0 → 1: each function by splats, and beside it <name>_exact over every key";
  let description = [{
    In a function with hsa.attention, it becomes summarize, attend_exact near, score, select, attend_splats, merge and normalize; θ is that of
    its config, else 0.003. hsa.routed_attention becomes affinity, flow, send, gate and receive, or receive_causal, in place. A clone `<name>_exact` of the function reads every key in an hsa.stream over segments, so that a plan carries its exact
    fallback. An error names the attention whose scale is not known, or the name that is taken. Tests: tests/passes/decompose.mlir
  }];
}

def FusePass : Pass<"hsa-fuse", "::mlir::func::FuncOp"> {
  let summary = "score + select + attend_splats → attend_fused: the [H,N,S] scores never reach memory";
  let description = [{
    Applies where nobody else reads the scores or the flags, and the three agree on query, index, mask, scale and config.
    Tests: tests/passes/fuse.mlir
  }];
}

def QuantizePass : Pass<"hsa-quantize", "::mlir::func::FuncOp"> {
  let summary = "keys that are read exactly over narrower operands: hsa.quantize before each attend_exact";
  let description = [{
    bf16: products of query and key, and of weight and value, are then taken in that type and summed in f32, where the processor has instructions for them;
    elsewhere in f32. Stages of splats follow: hsa-tile gives the schedule this precision. int8: the scores of exact attention alone, of integers of 8 bits
    about a mean; values and splats stay as they are. An error names a precision that is not known.
    Tests: tests/passes/quantize.mlir
  }];
  let options = [Option<"precision", "precision", "std::string", "\"bf16\"", "of the products: bf16 or int8">];
}

def SparsifyPass : Pass<"hsa-sparsify", "::mlir::func::FuncOp"> {
  let summary = "each token keeps the splats that are near it: hsa.sparsify behind each hsa.affinity";
  let description = [{
    Of attention of scheme routed at layer 1, for queries and keys alike; hsa-decompose does the same where hsa.routed_attention says `sparse`.
    An error names the attention whose affinities are not there, or not dense. Tests: tests/passes/sparsify.mlir
  }];
  let options = [Option<"top", "top", "int64_t", "8", "splats that a token keeps on each level: 1 to 64">,
                 Option<"threshold", "threshold", "double", "0", "share of the greatest of its level that is kept at least, 0 for any">];
}

def VerifyLayerPass : Pass<"hsa-verify-layer"> {
  let summary = "no op of a finished layer is left";
  let description = [{
    Layers: 0 declarative (hsa.attention, hsa.routed_attention), 1 stages (every other op with a meaning in float64), 2 tiles (the rest), 3 no op of hsa at all.
    The error is at the first op that is left and names its layer. Tests: tests/passes/verify_layer.mlir
  }];
  let options = [Option<"layer", "layer", "int64_t", "1", "the layer that is reached: 1, 2 or 3; ops of the layers below are errors">];
}

def TilePass : Pass<"hsa-tile", "::mlir::ModuleOp"> {
  let summary = "layer 1 → 2: the schedule of an attention, and one entry per stage on tiles of static size";
  let description = [{
    A stage that reads tensors as they are stored has an entry for each element type: f32, bf16 and f16. `stored`: of the stages that multiply in the schedule's
    precision there is the one for inputs of that precision alone, so that others are multiplied in f32. Tests: tests/passes/quantize.mlir
  }];
  let options = [Option<"stored", "stored", "bool", "false", "multiply in the narrower precision only what is stored in it">];
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
