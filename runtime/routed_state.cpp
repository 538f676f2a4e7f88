#include "runtime/routed_state.h"

#include <algorithm>
#include <cmath>

#include "kernels/affinity.h"
#include "kernels/tile_shape.h"

namespace hsa {

RoutedState::RoutedState(int64_t splats, int64_t value_dim)
    : splats_(splats),
      value_dim_(value_dim),
      max_(splats, static_cast<float>(kNothingSent)),
      bias_(splats),
      mass_(splats),
      sum_(splats * kSumLanes),
      acc_(splats * value_dim) {}

int64_t RoutedState::Bytes(int64_t splats, int64_t value_dim) {
  return splats * (value_dim + kSumLanes + 3) * static_cast<int64_t>(sizeof(float));
}

void RoutedState::Merge(const RoutedState& other) {
  for (int64_t s = 0; s < splats_; ++s) {
    const float max = std::max(max_[s], other.max_[s]);
    const float own = std::exp2(max_[s] - max), others = std::exp2(other.max_[s] - max);
    max_[s] = max;
    const auto add = [&](auto& sums, const auto& more, int64_t width) {
      for (int64_t c = s * width; c < (s + 1) * width; ++c) sums[c] = sums[c] * own + more[c] * others;
    };
    add(sum_, other.sum_, kSumLanes);
    add(acc_, other.acc_, value_dim_);
  }
}

void RoutedState::Bind(Worker& worker) const {
  worker.Bind("state_max", max_.data(), {splats_});
  worker.Bind("state_sum", sum_.data(), {splats_, kSumLanes});
  worker.Bind("state_acc", acc_.data(), {splats_, value_dim_});
}

void RoutedState::Settle(Worker& worker, const Program::Stage& settle, const RoutedTables& tables) {
  Bind(worker);
  BindSettled(worker);
  tables.BindPanels(worker);
  worker.Call(settle);
}

void RoutedState::BindSettled(Worker& worker) const {
  worker.Bind("receive_bias", bias_.data(), {splats_});
  worker.Bind("receive_mass", mass_.data(), {splats_});
}

}  // namespace hsa
