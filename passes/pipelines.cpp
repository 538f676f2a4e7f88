#include "passes/pipelines.h"

#include "dialect/hsa_dialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/passes.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

void buildStagesPipeline(OpPassManager& pm) {
  pm.addNestedPass<func::FuncOp>(createInferShapesPass());
  pm.addPass(createDecomposePass());
  pm.addNestedPass<func::FuncOp>(createFusePass());
  pm.addPass(createVerifyLayerPass({.layer = 1}));
}

void buildStructuredPipeline(OpPassManager& pm) {
  buildStagesPipeline(pm);
  pm.addPass(createTilePass());
  pm.addPass(createVerifyLayerPass({.layer = 2}));
  pm.addPass(createBufferizePass());
}

void buildHsaCpuPipeline(OpPassManager& pm, const CpuPipelineOptions& options) {
  buildStructuredPipeline(pm);
  LowerToCpuPassOptions lower;
  lower.mcpu.assign(options.cpus.begin(), options.cpus.end());
  pm.addPass(createLowerToCpuPass(lower));
}

namespace {
struct CpuOptions : PassPipelineOptions<CpuOptions> {
  ListOption<std::string> mcpu{*this, "mcpu", llvm::cl::desc("processors as LLVM names them, or native; one variant each")};
};
}  // namespace

void registerPipelines() {
  PassPipelineRegistration<>("hsa-stages", "layer 0 → fused layer 1", buildStagesPipeline);
  PassPipelineRegistration<>("hsa-structured", "layer 0 → layer 2 in memory", buildStructuredPipeline);
  PassPipelineRegistration<CpuOptions>("hsa-cpu", "layer 0 → one module per processor, ready for hsa-export-plan",
                                       [](OpPassManager& pm, const CpuOptions& options) {
                                         CpuPipelineOptions cpu;
                                         if (!options.mcpu.empty()) cpu.cpus.assign(options.mcpu.begin(), options.mcpu.end());
                                         buildHsaCpuPipeline(pm, cpu);
                                       });
}

void registerPipelineDialects(DialectRegistry& registry) {
  registry.insert<HsaDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  tensor::TensorDialect, vector::VectorDialect>();
}

}  // namespace hsa::ir
