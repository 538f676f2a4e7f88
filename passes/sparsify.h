// Dense affinities → those that each token keeps (docs/spec.md, "Sparse").
#pragma once

#include "dialect/hsa_ops.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace hsa::ir {

// What an attention of scheme routed keeps of its affinities, and of which splats.
struct Sparsity {
  SparseAttr keep;
  mlir::DenseI64ArrayAttr levels;
  mlir::Value key, amplitude;  // amplitude may be null
  bool causal = false;
};

// hsa.sparsify behind `affinity`.
mlir::Value sparsify(mlir::ImplicitLocOpBuilder& b, mlir::Value affinity, const Sparsity& sparsity);

}  // namespace hsa::ir
