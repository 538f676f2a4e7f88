// Loops over the dimensions of a splat that adaptation spends its time in, compiled for wide vectors. Sums are taken in eight lanes: in another order than one
// after the other, and the same one on every processor.
#pragma once

#include <cstdint>
#include <span>

namespace hsa {

double SumOf(std::span<const double> a);                                             // Σ a_d
double DotOf(std::span<const double> a, std::span<const double> b);                  // Σ a_d b_d
double Distance2(std::span<const double> a, std::span<const double> b);              // Σ (a_d − b_d)²
double VarianceAlong(std::span<const double> axis, std::span<const double> extent);  // Σ u_d² C_d
double LeastShare(std::span<const double> axis, std::span<const double> extent);     // min C_d / u_d², ∞ where u = 0
double Log2Product(std::span<const double> a);  // Σ log2 a_d of normal numbers > 0, at most 1,024 of them

}  // namespace hsa
