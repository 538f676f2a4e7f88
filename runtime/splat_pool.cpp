#include "runtime/splat_pool.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "runtime/wide_loops.h"

namespace hsa {
namespace {

constexpr double kLeastKept = 0.1;     // of a variance, when a splat is split
constexpr double kLeastMass = 1e-100;  // that is taken after: less, times a variance, would be 0

}  // namespace

int64_t PoolShape::slots() const { return std::accumulate(levels.begin(), levels.end(), int64_t{0}); }

SplatPool::SplatPool(PoolShape shape) : shape_(std::move(shape)), stride_(SlotNumbers(shape_)), begins_{0}, numbers_(Numbers(shape_)) {
  for (const int64_t slots : shape_.levels) begins_.push_back(begins_.back() + slots);
}

int64_t SplatPool::Live(int64_t level) const {
  int64_t live = 0;
  for (int64_t s = LevelBegin(level); s < LevelEnd(level); ++s) live += this->live(s) ? 1 : 0;
  return live;
}

int64_t SplatPool::EmptySlot(int64_t level) const {
  for (int64_t s = LevelBegin(level); s < LevelEnd(level); ++s)
    if (!live(s)) return s;
  return -1;
}

double SplatPool::AxisVariance(int64_t slot) const { return VarianceAlong(row(slot, kAxis), row(slot, kExtent)); }

double SplatPool::SplitDistance2(int64_t slot) const {
  const std::span<const double> extent = row(slot, kExtent), axis = row(slot, kAxis);
  const double wanted = 2 / std::numbers::pi * AxisVariance(slot);
  const int64_t width = BandWidth(), dim = shape_.head_dim;
  if (width == 1) return std::min(wanted, (1 - kLeastKept) * LeastShare(axis, extent));
  double least = wanted;
  for (int64_t first = 0; first < dim; first += width) {
    const int64_t count = std::min(width, dim - first);
    const double along = DotOf(axis.subspan(first, count), axis.subspan(first, count));
    if (along > 0) least = std::min(least, (1 - kLeastKept) * SumOf(extent.subspan(first, count)) / along);
  }
  return least;
}

void SplatPool::Split(int64_t slot, int64_t child) {
  const double distance2 = SplitDistance2(slot), distance = std::sqrt(distance2);
  std::copy_n(&numbers_[slot * stride_], stride_, &numbers_[child * stride_]);
  for (const int64_t half : {slot, child}) {
    at(half, kMass) /= 2;
    const std::span<double> center = row(half, kCenter), extent = row(half, kExtent), axis = row(half, kAxis);
    for (int64_t d = 0; d < shape_.head_dim; ++d) {
      center[d] += (half == slot ? distance : -distance) * axis[d];
      extent[d] -= distance2 * axis[d] * axis[d];
    }
    EvenOut(half);
    for (double& activation : history(half)) activation /= 2;
    ClearSegment(half);
  }
}

void SplatPool::Merge(int64_t slot, int64_t other) {
  const double own = at(slot, kMass), others = at(other, kMass), mass = own + others;
  if (others > 0) {
    const double share = own / mass, rest = others / mass;
    const std::span<double> center = row(slot, kCenter), extent = row(slot, kExtent);
    const std::span<const double> center2 = row(other, kCenter), extent2 = row(other, kExtent);
    for (int64_t d = 0; d < shape_.head_dim; ++d) {
      const double apart = center2[d] - center[d];
      extent[d] = share * extent[d] + rest * extent2[d] + share * rest * apart * apart;
      center[d] += rest * apart;
    }
    EvenOut(slot);
    at(slot, kMass) = mass;
    const double a = at(slot, kLogAmplitude), b = at(other, kLogAmplitude), top = std::max(a, b);
    at(slot, kLogAmplitude) = top + std::log(share * std::exp(a - top) + rest * std::exp(b - top));
  }
  for (int64_t t = 0; t < shape_.history; ++t) history(slot)[t] += history(other)[t];
  at(slot, kLongRange) = std::max(at(slot, kLongRange), at(other, kLongRange));
  ClearSegment(slot);
  at(other, kLive) = at(other, kMass) = 0;
}

void SplatPool::Create(int64_t slot, std::span<const double> center, std::span<const double> extent, double log_amplitude,
                       int64_t segment) {
  std::fill_n(&numbers_[slot * stride_], stride_, 0.0);
  at(slot, kLive) = 1;
  at(slot, kLogAmplitude) = log_amplitude;
  at(slot, kBorn) = static_cast<double>(segment);
  std::copy(center.begin(), center.end(), row(slot, kCenter).begin());
  std::copy(extent.begin(), extent.end(), row(slot, kExtent).begin());
  EvenOut(slot);
  // Until its tokens say where it leads: the dimension of the greatest variance.
  row(slot, kAxis)[std::max_element(extent.begin(), extent.end()) - extent.begin()] = 1;
}

double SplatPool::MergeCost(int64_t slot, int64_t other) const {
  const double apart2 = Distance2(row(slot, kCenter), row(other, kCenter));
  const double mass = at(slot, kMass) + at(other, kMass);
  return mass > 0 ? at(slot, kMass) * at(other, kMass) / mass * apart2 : 0;
}

void SplatPool::Sleep(int64_t level) {
  for (int64_t s = LevelBegin(level); s < LevelEnd(level); ++s)
    if (live(s)) at(s, kLive) = -1;
}

void SplatPool::Wake(int64_t level) {
  for (int64_t s = LevelBegin(level); s < LevelEnd(level); ++s) {
    if (!asleep(s)) continue;
    at(s, kLive) = 1, at(s, kMass) = 0;
    std::ranges::fill(history(s), 0.0);
    ClearSegment(s);
  }
}

int64_t SplatPool::NearestOf(int64_t level, int64_t splat) const {
  int64_t nearest = -1;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t s = LevelBegin(level); s < LevelEnd(level); ++s) {
    if (!live(s)) continue;
    if (const double apart2 = Distance2(row(s, kCenter), row(splat, kCenter)); apart2 < least) least = apart2, nearest = s;
  }
  return nearest;
}

void SplatPool::TakeAfter(int64_t level, int64_t like) {
  const auto for_each_nearest = [&](const auto& add) {
    for (int64_t t = LevelBegin(like); t < LevelEnd(like); ++t) {
      if (!live(t) || at(t, kMass) < kLeastMass) continue;
      if (const int64_t s = NearestOf(level, t); s >= 0) add(s, t);
    }
  };
  for_each_nearest([&](int64_t s, int64_t t) {
    const std::span<const double> center = row(s, kCenter), from = row(t, kCenter);
    at(s, kCount) += at(t, kMass);
    for (int64_t d = 0; d < shape_.head_dim; ++d) row(s, kSum)[d] += at(t, kMass) * (from[d] - center[d]);
  });
  // Around the mean, which is known now: squares around the center, less its move squared, would cancel.
  for_each_nearest([&](int64_t s, int64_t t) {
    const std::span<const double> center = row(s, kCenter), sum = row(s, kSum), from = row(t, kCenter), extent = row(t, kExtent);
    for (int64_t d = 0; d < shape_.head_dim; ++d) {
      const double apart = from[d] - center[d] - sum[d] / at(s, kCount);
      row(s, kSquares)[d] += at(t, kMass) * (extent[d] + apart * apart);
    }
  });
  for (int64_t s = LevelBegin(level); s < LevelEnd(level); ++s)
    if (live(s)) TakeSums(s);
}

// Mean and covariance of what is in the sums, as if it were the tokens of the splat; the squares are those around the mean.
void SplatPool::TakeSums(int64_t slot) {
  const double mass = at(slot, kCount);
  at(slot, kMass) = mass;
  if (mass == 0) return;
  const std::span<double> center = row(slot, kCenter), extent = row(slot, kExtent);
  for (int64_t d = 0; d < shape_.head_dim; ++d) {
    center[d] += row(slot, kSum)[d] / mass;
    extent[d] = row(slot, kSquares)[d] / mass;
  }
  EvenOut(slot);
  ClearSegment(slot);
}

void SplatPool::ClearSegment(int64_t slot) {
  if (at(slot, kCount) == 0) return;  // nothing was added
  at(slot, kCount) = 0;
  for (const Row which : {kSum, kSquares, kAxisNext}) std::ranges::fill(row(slot, which), 0.0);
}

int64_t SplatPool::BandWidth() const { return shape_.variances == 0 ? 1 : (shape_.head_dim + shape_.variances - 1) / shape_.variances; }

void SplatPool::EvenOut(int64_t slot) {
  const int64_t width = BandWidth(), dim = shape_.head_dim;
  for (int64_t first = 0; width > 1 && first < dim; first += width) {
    const std::span<double> band = row(slot, kExtent).subspan(first, std::min(width, dim - first));
    std::ranges::fill(band, SumOf(band) / static_cast<double>(band.size()));
  }
}

}  // namespace hsa
