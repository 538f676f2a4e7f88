// Algebra of affinities that are kept, in float64: logarithms, −∞ where nothing is kept.
#pragma once

#include "dialect/reference/tensor.h"

namespace hsa::ir::reference {

// log Σ_i e^{left[h,i,s] + right[h,i,t]}: [H,S,T]. A token with a NaN counts nothing.
Tensor overlap(const Tensor& left, const Tensor& right);

// log (e^left + e^right).
Tensor unite(const Tensor& left, const Tensor& right);

// affinity + log_scale, of a row [H,N,1] or of a column [H,1,S].
Tensor rescale(const Tensor& affinity, const Tensor& logScale);

// What is at least log share + the greatest of its row, else −∞. A row with a NaN stays as it is.
Tensor threshold(const Tensor& affinity, double share);

}  // namespace hsa::ir::reference
