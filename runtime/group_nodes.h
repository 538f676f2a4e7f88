// The nodes of all query heads of a kv_head in one block: made when its windows are about to be attended, and made again for the next block.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/index_store.h"
#include "runtime/overlay.h"
#include "runtime/splat_nodes.h"
#include "runtime/splat_run.h"

namespace hsa {

class GroupNodes {
 public:
  // With an overlay, its nodes and references in place of those of any block.
  GroupNodes(const Job& job, const IndexStore& store, Overlay* overlay = nullptr);

  // About the references of `block`: nodes of the whole segments before the last of `regions`, and of the mini-segments of each of them.
  void Build(Workers& workers, int64_t kv_head, const Block& block, std::span<const Region> regions);

  const SplatNodes& of(int64_t head) const {
    return overlay_ != nullptr ? overlay_->nodes(head) : nodes_[head % static_cast<int64_t>(nodes_.size())];
  }
  double seconds() const { return seconds_; }

 private:
  const Job& job_;
  const IndexStore& store_;
  Overlay* const overlay_;
  NodeBuilder builder_;
  std::vector<SplatNodes> nodes_;
  double seconds_ = 0;
};

}  // namespace hsa
