#include "runtime/kmeans.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "kernels/wide_clone.h"
#include "oneapi/tbb/parallel_for.h"

namespace hsa {
namespace {

constexpr int kRounds = 8;  // of Lloyd

HSA_WIDE_CLONE float Distance2(const float* a, const float* b, int64_t dims) {
  float lanes[16] = {};
  int64_t d = 0;
  for (; d + 16 <= dims; d += 16)
    for (int64_t i = 0; i < 16; ++i) lanes[i] += (a[d + i] - b[d + i]) * (a[d + i] - b[d + i]);
  for (; d < dims; ++d) lanes[0] += (a[d] - b[d]) * (a[d] - b[d]);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

class Kmeans {
 public:
  Kmeans(std::span<const float> rows, int64_t width, int64_t dims, int64_t groups, uint64_t seed)
      : rows_(rows),
        width_(width),
        dims_(dims),
        count_(static_cast<int64_t>(rows.size()) / width),
        groups_(groups),
        random_(seed),
        means_(groups * dims),
        nearest_(count_),
        distance2_(count_, std::numeric_limits<float>::infinity()) {}

  std::vector<int32_t> Run() {
    Seed();
    for (int round = 0; round < kRounds; ++round) {
      Assign();
      FillEmpty();
      MoveMeans();
    }
    Assign();
    FillEmpty();
    return std::move(nearest_);
  }

 private:
  const float* Row(int64_t i) const { return &rows_[i * width_]; }
  float* Mean(int64_t group) { return &means_[group * dims_]; }

  void Seed() {
    for (int64_t group = 0; group < groups_; ++group) {
      std::copy_n(Row(group == 0 ? static_cast<int64_t>(random_() % static_cast<uint64_t>(count_)) : Draw()), dims_, Mean(group));
      oneapi::tbb::parallel_for(int64_t{0}, count_,
                                [&](int64_t i) { distance2_[i] = std::min(distance2_[i], Distance2(Row(i), Mean(group), dims_)); });
    }
  }

  // A row, by its squared distance; any where all are 0.
  int64_t Draw() {
    const double total = std::accumulate(distance2_.begin(), distance2_.end(), 0.0);
    double left = static_cast<double>(random_() >> 11) * 0x1p-53 * total;
    for (int64_t i = 0; i < count_; ++i)
      if (left -= distance2_[i]; left < 0) return i;
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(count_));
  }

  void Assign() {
    oneapi::tbb::parallel_for(int64_t{0}, count_, [&](int64_t i) {
      distance2_[i] = std::numeric_limits<float>::infinity();
      for (int64_t group = 0; group < groups_; ++group)
        if (const float distance2 = Distance2(Row(i), Mean(group), dims_); distance2 < distance2_[i])
          distance2_[i] = distance2, nearest_[i] = static_cast<int32_t>(group);
    });
  }

  // A group without rows takes the row that is farthest from its mean, of a group that has others.
  void FillEmpty() {
    std::vector<int64_t> sizes(groups_);
    for (const int32_t group : nearest_) ++sizes[group];
    for (int64_t group = 0; group < groups_; ++group) {
      if (sizes[group] > 0) continue;
      int64_t farthest = -1;
      for (int64_t i = 0; i < count_; ++i)
        if (sizes[nearest_[i]] > 1 && (farthest < 0 || distance2_[i] > distance2_[farthest])) farthest = i;
      --sizes[nearest_[farthest]], ++sizes[group];
      nearest_[farthest] = static_cast<int32_t>(group), distance2_[farthest] = 0;
    }
  }

  void MoveMeans() {
    std::vector<double> sums(groups_ * dims_);
    std::vector<double> sizes(groups_);
    for (int64_t i = 0; i < count_; ++i) {
      sizes[nearest_[i]] += 1;
      for (int64_t d = 0; d < dims_; ++d) sums[nearest_[i] * dims_ + d] += Row(i)[d];
    }
    for (int64_t j = 0; j < groups_ * dims_; ++j) means_[j] = static_cast<float>(sums[j] / sizes[j / dims_]);
  }

  std::span<const float> rows_;
  int64_t width_, dims_, count_, groups_;
  std::mt19937_64 random_;
  std::vector<float> means_;
  std::vector<int32_t> nearest_;
  std::vector<float> distance2_;
};

}  // namespace

std::vector<int32_t> KmeansGroups(std::span<const float> rows, int64_t width, int64_t dims, int64_t groups, uint64_t seed) {
  return Kmeans(rows, width, dims, groups, seed).Run();
}

}  // namespace hsa
