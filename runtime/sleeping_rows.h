// What the splats of levels that sleep were sent: rows of a state, kept beside it (docs/spec.md, "Levels that come and go").
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/routed_state.h"

namespace hsa {

// Allocates when it is made, and never again.
class SleepingRows {
 public:
  SleepingRows(int64_t splats, int64_t value_dim) : value_dim_(value_dim), max_(splats), sum_(splats), acc_(splats * value_dim) {}

  // Takes the row of a splat out of the state, in which nothing was sent to it then; and puts it back in place of whatever is there.
  void Keep(int64_t splat, RoutedState& state);
  void Return(int64_t splat, RoutedState& state) const;

 private:
  int64_t value_dim_;
  std::vector<float> max_, sum_, acc_;  // [splats], [splats], [splats, value_dim]
};

}  // namespace hsa
