#include "passes/pipelines.h"

#include "dialect/hsa_dialect.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/passes.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

void buildStagesPipeline(OpPassManager& pm, Precision precision) {
  pm.addNestedPass<func::FuncOp>(createInferShapesPass());
  pm.addPass(createDecomposePass());
  pm.addNestedPass<func::FuncOp>(createFusePass());
  if (precision != Precision::kF32)
    pm.addNestedPass<func::FuncOp>(createQuantizePass({.precision = precision == Precision::kInt8 ? "int8" : "bf16"}));
  pm.addPass(createVerifyLayerPass({.layer = 1}));
}

void buildStructuredPipeline(OpPassManager& pm, Precision precision) {
  buildStagesPipeline(pm, precision);
  pm.addPass(createTilePass({.stored = precision == Precision::kStored}));
  pm.addPass(createVerifyLayerPass({.layer = 2}));
  pm.addPass(createBufferizePass());
}

void buildHsaCpuPipeline(OpPassManager& pm, const CpuPipelineOptions& options) {
  buildStructuredPipeline(pm, options.precision);
  LowerToCpuPassOptions lower;
  lower.mcpu.assign(options.cpus.begin(), options.cpus.end());
  pm.addPass(createLowerToCpuPass(lower));
}

namespace {
struct PrecisionOptions : PassPipelineOptions<PrecisionOptions> {
  Option<Precision> precision{
      *this, "precision", llvm::cl::desc("of the products of exact attention"), llvm::cl::init(Precision::kF32),
      llvm::cl::values(clEnumValN(Precision::kF32, "f32", "f32"), clEnumValN(Precision::kBf16, "bf16", "bf16 with sums in f32"),
                       clEnumValN(Precision::kInt8, "int8", "scores of integers of 8 bits"),
                       clEnumValN(Precision::kStored, "auto", "bf16 of inputs that are stored in bf16, f32 of others"))};
};
struct CpuOptions : PrecisionOptions {
  ListOption<std::string> mcpu{*this, "mcpu", llvm::cl::desc("processors as LLVM names them, or native; one variant each")};
};
}  // namespace

void registerPipelines() {
  PassPipelineRegistration<PrecisionOptions>(
      "hsa-stages", "layer 0 → fused layer 1",
      [](OpPassManager& pm, const PrecisionOptions& options) { buildStagesPipeline(pm, options.precision); });
  PassPipelineRegistration<PrecisionOptions>(
      "hsa-structured", "layer 0 → layer 2 in memory",
      [](OpPassManager& pm, const PrecisionOptions& options) { buildStructuredPipeline(pm, options.precision); });
  PassPipelineRegistration<CpuOptions>("hsa-cpu", "layer 0 → one module per processor, ready for hsa-export-plan",
                                       [](OpPassManager& pm, const CpuOptions& options) {
                                         CpuPipelineOptions cpu;
                                         cpu.precision = options.precision;
                                         if (!options.mcpu.empty()) cpu.cpus.assign(options.mcpu.begin(), options.mcpu.end());
                                         buildHsaCpuPipeline(pm, cpu);
                                       });
}

void registerPipelineDialects(DialectRegistry& registry) {
  registry.insert<HsaDialect, amx::AMXDialect, arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                  memref::MemRefDialect, scf::SCFDialect, tensor::TensorDialect, vector::VectorDialect>();
}

}  // namespace hsa::ir
