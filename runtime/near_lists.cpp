#include "runtime/near_lists.h"

#include <algorithm>
#include <numeric>

#include "kernels/affinity.h"

namespace hsa {

NearLists::NearLists(int64_t levels, int64_t top) : levels_(levels), slots_(nearListSlots(static_cast<int>(top))) {}

void NearLists::Reset(int64_t tokens) {
  tokens_ = tokens;
  // Tiles of 64 begin anywhere, so the last one of a level may reach behind it.
  const int64_t rows = levels_ * tokens + kSplatTile;
  score_.assign(rows * slots_, static_cast<float>(kNothingSent));
  splat_.assign(rows * slots_, 0);
  count_.assign(levels_ * tokens, 0);
}

void NearLists::SearchAll(Worker& worker, const Program::Stage& nearest, const std::vector<SplatPanels>& levels, const float* rows) {
  for (int64_t first = 0; first < tokens_; first += kSplatTile) {
    const int64_t count = std::min<int64_t>(kSplatTile, tokens_ - first);
    worker.SetTileRows(count);
    for (int64_t level = 0; level < levels_; ++level) {
      const SplatPanels& splats = levels[level];
      const int64_t row = level * tokens_ + first;
      worker.Bind("q_rows", rows + first * splats.depth, {kSplatTile, splats.depth});
      splats.Bind(worker, 0, splats.slots());
      worker.Bind("near_score", &score_[row * slots_], {kSplatTile, slots_});
      worker.Bind("near_splat", &splat_[row * slots_], {kSplatTile, slots_});
      worker.Call(nearest);
    }
  }
}

void NearLists::Count(Worker& worker, const Program::Stage& count, std::span<const float> least) {
  BindKeys(worker);
  worker.Bind("near_least", least.data(), {tokens_});
  worker.Call(count);
}

void NearLists::Drop(int64_t token) {
  for (int64_t level = 0; level < levels_; ++level) count_[level * tokens_ + token] = 0;
}

void NearLists::BindKeys(Worker& worker) const {
  worker.Bind("near_score", score_.data(), {levels_ * tokens_, slots_});
  worker.Bind("near_splat", splat_.data(), {levels_ * tokens_, slots_});
  worker.Bind("near_count", count_.data(), {levels_ * tokens_});
}

void NearLists::BindQueries(Worker& worker) const {
  worker.Bind("query_score", score_.data(), {levels_ * tokens_, slots_});
  worker.Bind("query_splat", splat_.data(), {levels_ * tokens_, slots_});
  worker.Bind("query_count", count_.data(), {levels_ * tokens_});
}

int64_t NearLists::kept() const { return std::accumulate(count_.begin(), count_.end(), int64_t{0}); }

int64_t NearLists::Bytes(int64_t levels, int64_t top, int64_t tokens) {
  return (levels * tokens + kSplatTile) * (2 * nearListSlots(static_cast<int>(top)) + 1) * static_cast<int64_t>(sizeof(float));
}

}  // namespace hsa
