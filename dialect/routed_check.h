// What the verifiers of the scheme routed share: levels, and tensors with an entry per splat.
#pragma once

#include "dialect/hsa_ops.h"

namespace hsa::ir {

// Levels have at least one splat each and `splats` together.
mlir::LogicalResult checkLevelSizes(mlir::Operation* op, llvm::StringRef constraint, llvm::ArrayRef<int64_t> levels, int64_t splats);

// The same, and one weight per level, finite and > 0.
mlir::LogicalResult checkLevels(mlir::Operation* op, llvm::StringRef levelsConstraint, llvm::StringRef weightsConstraint,
                                llvm::ArrayRef<int64_t> levels, llvm::ArrayRef<double> weights, int64_t splats);

// variance is [Hkv,S,D] or [Hkv,S,1] for a center [Hkv,S,D].
mlir::LogicalResult checkVariance(mlir::Operation* op, llvm::StringRef constraint, mlir::RankedTensorType center,
                                  mlir::RankedTensorType variance);

// `tensor`, when there is one, is [kvHeads, splats, entries].
mlir::LogicalResult checkPerSplat(mlir::Operation* op, llvm::StringRef constraint, llvm::StringRef name, mlir::Value tensor,
                                  int64_t kvHeads, int64_t splats, int64_t entries);

}  // namespace hsa::ir
