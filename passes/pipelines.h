// The pipelines of HSA, as public functions: run them on your own module.
#pragma once

#include <string>
#include <vector>

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

namespace hsa::ir {

// Of the products of exact attention. kStored: bf16 of inputs that are stored in bf16, f32 of others.
enum class Precision { kF32, kBf16, kInt8, kStored };

struct CpuPipelineOptions {
  std::vector<std::string> cpus = {"native"};  // one variant each
  Precision precision = Precision::kF32;
};

// Layer 0 → fused layer 1.
void buildStagesPipeline(mlir::OpPassManager& pm, Precision precision);
// → layer 2 in memory.
void buildStructuredPipeline(mlir::OpPassManager& pm, Precision precision);
// → one module of vector code per processor, ready for hsa-export-plan. All of hsa-cpu.
void buildHsaCpuPipeline(mlir::OpPassManager& pm, const CpuPipelineOptions& options);

// `--hsa-cpu=mcpu=…` on the command line.
void registerPipelines();

// Every dialect that the pipelines read or write.
void registerPipelineDialects(mlir::DialectRegistry& registry);

}  // namespace hsa::ir
