#include "runtime/wide_loops.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/wide_clone.h"

namespace hsa {
namespace {

constexpr int64_t kLanes = 8;

__attribute__((always_inline)) inline double Add(const double* lanes) {
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

HSA_WIDE_CLONE double SumWide(int64_t size, const double* a) {
  double lanes[kLanes] = {};
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += a[d + l];
  for (int64_t d = whole; d < size; ++d) lanes[d - whole] += a[d];
  return Add(lanes);
}

HSA_WIDE_CLONE double DotWide(int64_t size, const double* a, const double* b) {
  double lanes[kLanes] = {};
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += a[d + l] * b[d + l];
  for (int64_t d = whole; d < size; ++d) lanes[d - whole] += a[d] * b[d];
  return Add(lanes);
}

HSA_WIDE_CLONE double DistanceWide(int64_t size, const double* a, const double* b) {
  double lanes[kLanes] = {};
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += (a[d + l] - b[d + l]) * (a[d + l] - b[d + l]);
  for (int64_t d = whole; d < size; ++d) lanes[d - whole] += (a[d] - b[d]) * (a[d] - b[d]);
  return Add(lanes);
}

HSA_WIDE_CLONE double VarianceWide(int64_t size, const double* axis, const double* extent) {
  double lanes[kLanes] = {};
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += axis[d + l] * axis[d + l] * extent[d + l];
  for (int64_t d = whole; d < size; ++d) lanes[d - whole] += axis[d] * axis[d] * extent[d];
  return Add(lanes);
}

// extent / axis² is ∞ where the axis has nothing.
HSA_WIDE_CLONE double LeastWide(int64_t size, const double* axis, const double* extent) {
  double lanes[kLanes];
  for (double& lane : lanes) lane = std::numeric_limits<double>::infinity();
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      const double share = extent[d + l] / (axis[d + l] * axis[d + l]);
      lanes[l] = share < lanes[l] ? share : lanes[l];
    }
  for (int64_t d = whole; d < size; ++d) lanes[d - whole] = std::min(lanes[d - whole], extent[d] / (axis[d] * axis[d]));
  return *std::min_element(lanes, lanes + kLanes);
}

// a = fraction · 2^exponent, fraction in [1, 2), of a normal number > 0.
__attribute__((always_inline)) inline int64_t ExponentOf(double a) { return (std::bit_cast<int64_t>(a) >> 52) - 1023; }
__attribute__((always_inline)) inline double FractionOf(double a) {
  return std::bit_cast<double>((std::bit_cast<int64_t>(a) & 0x000fffffffffffff) | 0x3ff0000000000000);
}

// Products of fractions, eight of them; returns the sum of all exponents.
HSA_WIDE_CLONE int64_t MultiplyFractions(int64_t size, const double* a, double* products) {
  double lanes[kLanes];
  for (double& lane : lanes) lane = 1;
  int64_t exponents[kLanes] = {};
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] *= FractionOf(a[d + l]), exponents[l] += ExponentOf(a[d + l]);
  for (int64_t d = whole; d < size; ++d) lanes[d - whole] *= FractionOf(a[d]), exponents[d - whole] += ExponentOf(a[d]);
  int64_t sum = 0;
  for (int64_t l = 0; l < kLanes; ++l) products[l] = lanes[l], sum += exponents[l];
  return sum;
}

int64_t Size(std::span<const double> a) { return static_cast<int64_t>(a.size()); }

}  // namespace

double SumOf(std::span<const double> a) { return SumWide(Size(a), a.data()); }
double DotOf(std::span<const double> a, std::span<const double> b) { return DotWide(Size(a), a.data(), b.data()); }
double Distance2(std::span<const double> a, std::span<const double> b) { return DistanceWide(Size(a), a.data(), b.data()); }
double VarianceAlong(std::span<const double> axis, std::span<const double> extent) {
  return VarianceWide(Size(axis), axis.data(), extent.data());
}
double LeastShare(std::span<const double> axis, std::span<const double> extent) {
  return LeastWide(Size(axis), axis.data(), extent.data());
}

double Log2Product(std::span<const double> a) {
  double products[kLanes];
  const auto exponents = static_cast<double>(MultiplyFractions(Size(a), a.data(), products));
  // Each is of at most 128 fractions: four stay below 2^512.
  return exponents + std::log2((products[0] * products[1]) * (products[2] * products[3])) +
         std::log2((products[4] * products[5]) * (products[6] * products[7]));
}

}  // namespace hsa
