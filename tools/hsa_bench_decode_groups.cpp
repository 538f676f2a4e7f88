#include "tools/hsa_bench_decode_groups.h"

#include <algorithm>
#include <cmath>

#include "tools/hsa_bench_decode.h"

namespace hsa::bench {

std::vector<int64_t> GroupKeys(const std::vector<double>& budgets, int64_t visible) {
  std::vector<int64_t> group_keys;
  const int64_t near = std::min(visible, kDecodeSinks + kDecodeLast);
  for (double budget : budgets) {
    const double half = std::floor((std::round(budget * static_cast<double>(visible)) - static_cast<double>(near)) / 2);
    group_keys.push_back(half < 1 ? 0 : std::max(kDecodeLeaf, static_cast<int64_t>(std::ceil(static_cast<double>(visible - near) / half))));
  }
  return group_keys;
}

KeyTree BlockTree(const KeyRows& rows, int64_t begin, int64_t end, int64_t keys_per_block, const Reference& reference) {
  std::vector<int32_t> keys;
  std::vector<int64_t> starts;
  for (int64_t j = begin; j < end; ++j) {
    if ((j - begin) % keys_per_block == 0) starts.push_back(static_cast<int64_t>(keys.size()));
    if (rows.finite[j]) keys.push_back(static_cast<int32_t>(j));
  }
  starts.push_back(static_cast<int64_t>(keys.size()));
  return FlatTree(std::move(keys), starts, rows, reference);
}

KeyTree ClusterTree(const KeyRows& rows, int64_t begin, int64_t end, const std::vector<int32_t>& labels, const Reference& reference) {
  std::vector<std::vector<int32_t>> members;
  for (int64_t j = begin; j < end; ++j) {
    const int32_t label = labels[j - begin];
    if (label < 0) continue;
    if (static_cast<int32_t>(members.size()) <= label) members.resize(label + 1);
    members[label].push_back(static_cast<int32_t>(j));
  }
  std::vector<int32_t> keys;
  std::vector<int64_t> starts = {0};
  for (const std::vector<int32_t>& cluster : members) {
    keys.insert(keys.end(), cluster.begin(), cluster.end());
    starts.push_back(static_cast<int64_t>(keys.size()));
  }
  return FlatTree(std::move(keys), starts, rows, reference);
}

}  // namespace hsa::bench
