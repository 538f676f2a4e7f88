// What segments of tokens have found before, by content: a segment that comes again, over the same splats, keeps what it kept and does not look for it.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "runtime/level_tree.h"
#include "runtime/near_lists.h"

namespace hsa {

// 128 bits of a hash: two contents that share one would be taken for each other, at 2^-64 for four billion segments.
struct ContentHash {
  uint64_t low = 0, high = 0;
  auto operator<=>(const ContentHash&) const = default;
};

// Of what a search depends on beside the tokens: the splats of each level, how they are looked for, and how many are kept.
ContentHash HashOf(std::span<const LevelTree> levels, int64_t top);
// Of tokens, rows of floats bit by bit, over splats of that hash.
ContentHash HashOf(std::span<const float> rows, const ContentHash& splats);

// The lists that were used last, within a budget of bytes. May be shared by runs, one after the other or at once. Thread-safe.
class AffinityCache {
 public:
  explicit AffinityCache(int64_t budget_bytes) : budget_(budget_bytes) {}

  // Null where it is not there.
  std::shared_ptr<const FoundLists> Find(const ContentHash& key);
  // Drops those that were not used for longest. What is larger than the budget by itself is not kept.
  void Put(const ContentHash& key, FoundLists lists);

  int64_t bytes() const;
  int64_t budget_bytes() const { return budget_; }

 private:
  using Entry = std::pair<ContentHash, std::shared_ptr<const FoundLists>>;

  const int64_t budget_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // under mutex_, as all below; last used first
  std::map<ContentHash, std::list<Entry>::iterator> places_;
  int64_t bytes_ = 0;
};

}  // namespace hsa
