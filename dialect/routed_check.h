// What the verifiers of the scheme routed share: levels, and tensors with an entry per splat.
#pragma once

#include "dialect/hsa_ops.h"

namespace hsa::ir {

// Levels have at least one splat each and `splats` together.
mlir::LogicalResult checkLevelSizes(mlir::Operation* op, llvm::StringRef constraint, llvm::ArrayRef<int64_t> levels, int64_t splats);

// The same, and one weight per level, finite and > 0.
mlir::LogicalResult checkLevels(mlir::Operation* op, llvm::StringRef levelsConstraint, llvm::StringRef weightsConstraint,
                                llvm::ArrayRef<int64_t> levels, llvm::ArrayRef<double> weights, int64_t splats);

// Of levels that have names: one each, none empty, all different.
mlir::LogicalResult checkLevelNames(mlir::Operation* op, llvm::StringRef constraint, mlir::ArrayAttr names, size_t levels);

// Of levels that say how many value dimensions they keep: one entry each, from 1 to `valueDim`, none above that of a finer level.
mlir::LogicalResult checkValueDims(mlir::Operation* op, llvm::StringRef constraint, std::optional<llvm::ArrayRef<int64_t>> valueDims,
                                   size_t levels, int64_t valueDim);

// Of splats that adapt: no level has fewer than `adapt` keeps, and one is awake.
mlir::LogicalResult checkAdaptLevels(mlir::Operation* op, llvm::StringRef constraint, AdaptAttr adapt, llvm::ArrayRef<int64_t> levels);

// A window is a multiple of 512 tokens, at most 2^30.
mlir::LogicalResult checkWindow(mlir::Operation* op, llvm::StringRef constraint, std::optional<uint64_t> window);

// Rows of a factor of low rank that a splat has, at most.
inline constexpr int64_t kMostFactorRows = 16;

// The tensors that say the covariances of splats with these centers; null where there is none.
struct CovarianceValues {
  mlir::Value variance, factor, cholesky;
};

// <op>_c60: a variance, or cholesky instead of it;  <op>_c61: factor is [Hkv,S·R,D];  <op>_c62: cholesky is [Hkv,S·D,D].
mlir::LogicalResult checkCovariance(mlir::Operation* op, mlir::RankedTensorType center, const CovarianceValues& covariance);

// variance is [Hkv,S,B], B from 1 to D, for a center [Hkv,S,D], none of its bands empty.
mlir::LogicalResult checkVariance(mlir::Operation* op, llvm::StringRef constraint, mlir::RankedTensorType center, mlir::Value variance);

// `tensor`, when there is one, is [kvHeads, splats, entries].
mlir::LogicalResult checkPerSplat(mlir::Operation* op, llvm::StringRef constraint, llvm::StringRef name, mlir::Value tensor,
                                  int64_t kvHeads, int64_t splats, int64_t entries);

}  // namespace hsa::ir
