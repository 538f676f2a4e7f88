#include "dialect/reference/partial.h"

#include <cmath>
#include <limits>

namespace hsa::ir::reference {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// e^{max − of}, where an empty side has no share.
static double share(double max, double of) { return max == -kInfinity ? 0 : std::exp(max - of); }

Partial Partial::empty(int64_t heads, int64_t queries, int64_t valueDim) {
  return {Tensor::filled({heads, queries}, -kInfinity), Tensor::filled({heads, queries}, 0), Tensor::filled({heads, queries, valueDim}, 0)};
}

void Partial::add(int64_t h, int64_t i, double logMass, std::span<const double> value) {
  if (logMass == -kInfinity) return;
  if (std::isnan(logMass) || logMass == kInfinity) return poison(h, i);
  const std::span<double> row = acc.row(h, i);
  double& m = max.at(h, i);
  if (logMass > m) {
    const double factor = share(m, logMass);
    for (double& a : row) a *= factor;
    sum.at(h, i) *= factor;
    m = logMass;
  }
  const double weight = std::exp(logMass - m);
  for (size_t c = 0; c < row.size(); ++c) row[c] += weight * value[c];
  sum.at(h, i) += weight;
}

void Partial::poison(int64_t h, int64_t i) {
  if (max.at(h, i) == -kInfinity) max.at(h, i) = 0;  // so that merge does not take the row for an empty one
  sum.at(h, i) = kNaN;
  for (double& a : acc.row(h, i)) a = kNaN;
}

double Partial::logSum(int64_t h, int64_t i) const { return sum.at(h, i) == 0 ? -kInfinity : max.at(h, i) + std::log(sum.at(h, i)); }

Partial merge(const Partial& a, const Partial& b) {
  Partial merged = Partial::empty(a.acc.shape[0], a.acc.shape[1], a.acc.shape[2]);
  for (int64_t h = 0; h < a.acc.shape[0]; ++h)
    for (int64_t i = 0; i < a.acc.shape[1]; ++i) {
      const double m = std::max(a.max.at(h, i), b.max.at(h, i));
      if (m == -kInfinity) continue;
      const double shareA = share(a.max.at(h, i), m), shareB = share(b.max.at(h, i), m);
      merged.max.at(h, i) = m;
      merged.sum.at(h, i) = a.sum.at(h, i) * shareA + b.sum.at(h, i) * shareB;
      const auto rowA = a.acc.row(h, i), rowB = b.acc.row(h, i);
      const auto row = merged.acc.row(h, i);
      for (size_t c = 0; c < row.size(); ++c) row[c] = rowA[c] * shareA + rowB[c] * shareB;
    }
  return merged;
}

std::pair<Tensor, Tensor> normalize(const Partial& partial) {
  Tensor output = partial.acc, lse = partial.sum;
  for (int64_t h = 0; h < output.shape[0]; ++h)
    for (int64_t i = 0; i < output.shape[1]; ++i) {
      const double sum = partial.sum.at(h, i);
      for (double& o : output.row(h, i)) o = sum == 0 ? 0 : o / sum;
      lse.at(h, i) = partial.logSum(h, i);
    }
  return {std::move(output), std::move(lse)};
}

}  // namespace hsa::ir::reference
