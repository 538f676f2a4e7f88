// docs/spec.md "Tree of a unit" in float64: in which order its keys lie.
#pragma once

#include "dialect/reference/layout.h"
#include "dialect/reference/tensor.h"

#include <memory>

namespace hsa::ir::reference {

// Which keys have only finite entries, in one kv_head.
std::vector<bool> finiteKeys(const Tensor& key, const Tensor& value, int64_t kvHead);
bool isFinite(std::span<const double> row);

// Slot → key, −1 when empty. Node `node` of a level covers the slots [node·size, (node+1)·size).
using Tree = std::vector<int64_t>;

// The trees of every (kv_head, unit) that some query of hsa.summarize sees, over its keys; the others are empty and must not be read.
struct SplatIndex {
  std::shared_ptr<const Tensor> key, value;
  std::vector<std::vector<Tree>> trees;  // per kv_head and unit

  int64_t keys() const { return key->shape[1]; }
  int64_t kvHeads() const { return key->shape[0]; }
};

SplatIndex summarize(const Tensor& query, std::shared_ptr<const Tensor> key, std::shared_ptr<const Tensor> value, const Layout& layout,
                     const GivenIndex* given);

}  // namespace hsa::ir::reference
