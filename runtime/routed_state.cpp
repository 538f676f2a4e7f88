#include "runtime/routed_state.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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

void RoutedState::Put(int64_t splat, const Row& row) {
  max_[splat] = row.max;
  std::fill_n(&sum_[splat * kSumLanes], kSumLanes, 0.0f);
  sum_[splat * kSumLanes] = row.sum;
  std::copy(row.acc.begin(), row.acc.end(), &acc_[splat * value_dim_]);
}

std::pair<float, float> RoutedState::Get(int64_t splat, std::span<float> acc) const {
  std::copy_n(&acc_[splat * value_dim_], acc.size(), acc.begin());
  const float* lanes = &sum_[splat * kSumLanes];
  return {max_[splat], static_cast<float>(std::accumulate(lanes, lanes + kSumLanes, 0.0))};
}

PartialRows RoutedState::Splat(int64_t splat) {
  return {std::span(max_).subspan(splat, 1), std::span(sum_).subspan(splat * kSumLanes, kSumLanes),
          std::span(acc_).subspan(splat * value_dim_, value_dim_)};
}

std::vector<float> RoutedState::LogSent() const {
  std::vector<float> logs(splats_);
  for (int64_t s = 0; s < splats_; ++s) logs[s] = max_[s] + std::log2(Get(s, {}).second);
  return logs;
}

void RoutedState::Halve(int64_t splat, int64_t child) {
  const PartialRows from = Splat(splat), to = Splat(child);
  to.max[0] = from.max[0];
  for (size_t i = 0; i < to.sum.size(); ++i) to.sum[i] = from.sum[i] *= 0.5f;
  for (size_t i = 0; i < to.acc.size(); ++i) to.acc[i] = from.acc[i] *= 0.5f;
  if (!own_max_.empty()) own_max_[child] = own_max_[splat];
}

void RoutedState::Join(int64_t splat, int64_t other) {
  MergePartials(Splat(splat), Splat(other));
  if (!own_max_.empty()) own_max_[splat] = std::max(own_max_[splat], own_max_[other]);
  Clear(other);
}

void RoutedState::Clear(int64_t splat) {
  const PartialRows rows = Splat(splat);
  rows.max[0] = static_cast<float>(kNothingSent);
  std::ranges::fill(rows.sum, 0.0f);
  std::ranges::fill(rows.acc, 0.0f);
  if (!own_max_.empty()) own_max_[splat] = static_cast<float>(kNothingSent);
}

void RoutedState::Bind(Worker& worker) const {
  worker.Bind("state_max", max_.data(), {splats_});
  worker.Bind("state_sum", sum_.data(), {splats_, kSumLanes});
  worker.Bind("state_acc", acc_.data(), {splats_, value_dim_});
}

void RoutedState::PassOn(Worker& worker, const Program::Stage& flow, const FlowTables& tables) {
  const RoutedState own = *this;
  worker.Bind("own_max", own.max_.data(), {splats_});
  worker.Bind("own_sum", own.sum_.data(), {splats_, kSumLanes});
  worker.Bind("own_acc", own.acc_.data(), {splats_, value_dim_});
  tables.Bind(worker);
  Bind(worker);
  worker.Call(flow);
  own_max_ = own.max_;
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
