// docs/spec.md "Sparse" in float64: which affinities of a token are kept.
#pragma once

#include "dialect/hsa_dialect.h"
#include "dialect/reference/tensor.h"
#include "llvm/ADT/ArrayRef.h"

namespace hsa::ir::reference {

struct Keep {
  Keep(SparseAttr keep, llvm::ArrayRef<int64_t> levels, const Tensor* amplitude, int64_t tokens, bool causal)
      : top(keep.getTop()),
        threshold(keep.getThreshold() ? keep.getThreshold().getValueAsDouble() : 0),
        levels(levels),
        amplitude(amplitude),
        tokens(tokens),
        causal(causal) {}

  int64_t top;                     // at most so many of a level
  double threshold;                // τ, beside the greatest of the level
  llvm::ArrayRef<int64_t> levels;  // splats of each, fine to coarse
  const Tensor* amplitude;         // log a [Hkv,S,1], or null
  int64_t tokens;                  // keys; the rows of an affinity are the last of them
  bool causal;
};

// Log-affinities [H,N,S]: those that a token does not keep become −∞. A row with a NaN stays as it is.
Tensor sparsify(const Tensor& affinity, const Keep& keep);

}  // namespace hsa::ir::reference
