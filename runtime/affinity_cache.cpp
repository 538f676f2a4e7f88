#include "runtime/affinity_cache.h"

#include <xxhash.h>

#include <vector>

namespace hsa {
namespace {

template <typename T>
ContentHash Hash(std::span<const T> data, const ContentHash& before) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(data.data(), data.size_bytes(), before.low ^ (before.high << 1 | before.high >> 63));
  return {hash.low64, hash.high64};
}

}  // namespace

ContentHash HashOf(std::span<const LevelTree> levels, int64_t top) {
  std::vector<int64_t> shape = {top};
  for (const LevelTree& level : levels)
    shape.insert(shape.end(), {level.splats.splats, level.splats.depth, level.nodes.has_value(), level.graph.has_value()});
  ContentHash hash = Hash(std::span<const int64_t>(shape), {});
  for (const LevelTree& level : levels) {
    hash = Hash(std::span<const float>(level.splats.scale), hash);
    hash = Hash(std::span<const float>(level.splats.shift), hash);
    hash = Hash(std::span<const float>(level.splats.factor), hash);
    hash = Hash(std::span<const float>(level.splats.isotropic.center), hash);
    hash = Hash(std::span<const float>(level.splats.bias), hash);
    hash = Hash(std::span<const int32_t>(level.splats.ids), hash);
  }
  return hash;
}

ContentHash HashOf(std::span<const float> rows, const ContentHash& splats) { return Hash(rows, splats); }

std::shared_ptr<const FoundLists> AffinityCache::Find(const ContentHash& key) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->second;
}

void AffinityCache::Put(const ContentHash& key, FoundLists lists) {
  const int64_t bytes = lists.bytes();
  const std::lock_guard lock(mutex_);
  if (bytes > budget_ || places_.contains(key)) return;
  for (; bytes_ + bytes > budget_; entries_.pop_back()) {
    bytes_ -= entries_.back().second->bytes();
    places_.erase(entries_.back().first);
  }
  entries_.emplace_front(key, std::make_shared<const FoundLists>(std::move(lists)));
  places_[key] = entries_.begin();
  bytes_ += bytes;
}

int64_t AffinityCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hsa
