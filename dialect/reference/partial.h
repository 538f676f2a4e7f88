// docs/spec.md "Partial" in float64: (max, sum, acc) of every row, natural logarithm.
#pragma once

#include "dialect/reference/tensor.h"

#include <utility>

namespace hsa::ir::reference {

struct Partial {
  Tensor max;  // [H,N], −∞ where the row has no key
  Tensor sum;  // [H,N]
  Tensor acc;  // [H,N,Dv]

  // The identity of merge: (−∞, 0, 0) in every row.
  static Partial empty(int64_t heads, int64_t queries, int64_t valueDim);

  // Adds a mass e^logMass with value `value` to row (h, i): a key with logMass = σ q·k and its v, or a splat with its mean v̄.
  void add(int64_t h, int64_t i, double logMass, std::span<const double> value);

  // Makes row (h, i) NaN, whatever is merged into it.
  void poison(int64_t h, int64_t i);

  // log Σ e^s of row (h, i); −∞ for no key.
  double logSum(int64_t h, int64_t i) const;
};

Partial merge(const Partial& a, const Partial& b);

// o [H,N,Dv] and lse [H,N].
std::pair<Tensor, Tensor> normalize(const Partial& partial);

}  // namespace hsa::ir::reference
