#include "runtime/sleeping_rows.h"

#include <span>
#include <tuple>

namespace hsa {

void SleepingRows::Keep(int64_t splat, RoutedState& state) {
  std::tie(max_[splat], sum_[splat]) = state.Get(splat, std::span(acc_).subspan(splat * value_dim_, value_dim_));
  state.Clear(splat);
}

void SleepingRows::Return(int64_t splat, RoutedState& state) const {
  state.Clear(splat);
  state.Put(splat, {max_[splat], sum_[splat], std::span(acc_).subspan(splat * value_dim_, value_dim_)});
}

}  // namespace hsa
