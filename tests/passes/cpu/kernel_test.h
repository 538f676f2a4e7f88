// What the tests of the emitters share: a fixture over every case, random rows, and the order of a unit's keys.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include "gtest/gtest.h"
#include "tests/passes/cpu/compiled_kernels.h"

namespace hsa::ir {

class KernelTest : public ::testing::TestWithParam<KernelCase> {
 protected:
  const CompiledKernels& kernels_ = CompiledKernels::Of(GetParam());
  const int64_t d_ = GetParam().head_dim, dp_ = GetParam().padded_head_dim();
  const int64_t dv_ = GetParam().value_dim, dvp_ = GetParam().padded_value_dim();
  const double log_scale_ = std::log2(std::exp(1.0)) / std::sqrt(static_cast<double>(d_));  // of a product, to a score in log2 units
  std::mt19937 random_{7};

  float Normal(double mean = 0, double deviation = 1) {
    return static_cast<float>(std::normal_distribution<double>(mean, deviation)(random_));
  }
  // Rows of `width` numbers about a mean of their column, zeros behind them.
  Array<float> RandomRows(int64_t rows, int64_t width, int64_t padded, double spread = 1) {
    Array<float> out({rows, padded});
    out.Fill(0);
    for (int64_t c = 0; c < width; ++c) {
      const double mean = Normal(0, 2);
      for (int64_t r = 0; r < rows; ++r) out(r, c) = Normal(mean, spread);
    }
    return out;
  }
  // Rows [0, rows) in a random order, `live[i]` of them in slots [16 i, 16 (i + 1)), empty slots (-1) behind them.
  Array<int32_t> RandomOrder(const std::vector<int64_t>& live) {
    std::vector<int32_t> rows(static_cast<size_t>(std::accumulate(live.begin(), live.end(), int64_t{0})));
    std::iota(rows.begin(), rows.end(), 0);
    std::shuffle(rows.begin(), rows.end(), random_);
    Array<int32_t> order({static_cast<int64_t>(live.size()) * 16});
    size_t next = 0;
    for (size_t i = 0; i < live.size(); ++i)
      for (int64_t j = 0; j < live[i]; ++j) order(static_cast<int64_t>(i) * 16 + j) = rows[next++];
    return order;
  }
  // First and last dimension of a band.
  std::pair<int64_t, int64_t> Band(int64_t band) const {
    const int64_t width = (d_ + kBands - 1) / kBands, lo = std::min(band * width, d_);
    return {lo, std::min(lo + width, d_)};
  }
};

inline std::string KernelCaseName(const ::testing::TestParamInfo<KernelCase>& info) {
  return info.param.isa + "_" + std::to_string(info.param.head_dim) + "x" + std::to_string(info.param.value_dim);
}

// Leaves of every kind: full, one key short, a single key, none; and a last group that is empty.
inline const std::vector<int64_t> kLeaves = {16, 16, 15, 1, 16, 0, 7, 16, 0, 0, 0, 0};

}  // namespace hsa::ir
