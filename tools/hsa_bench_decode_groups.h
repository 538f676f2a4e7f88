// Far keys in groups without a tree: blocks of consecutive keys, and clusters.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/hsa_bench_decode_tree.h"

namespace hsa::bench {

// Keys of a block, and of a cluster in the mean, for each budget of a query that sees `visible` keys: a leaf, or as many as it takes for
// the groups to cost half of what the near keys leave of the budget. 0 where they leave nothing. What fits the earliest query fits all:
// later ones see more.
std::vector<int64_t> GroupKeys(const std::vector<double>& budgets, int64_t visible);

// The finite keys of [begin, end), keys_per_block positions each.
KeyTree BlockTree(const KeyRows& rows, int64_t begin, int64_t end, int64_t keys_per_block, const Reference& reference);

// Those that have a cluster in `labels`, which starts at `begin`, by cluster.
KeyTree ClusterTree(const KeyRows& rows, int64_t begin, int64_t end, const std::vector<int32_t>& labels, const Reference& reference);

// The cluster of each key of [begin, M): k-means (k-means++, Lloyd) over the finite keys of [begin, end), each run of 32,768 by itself,
// with keys_per_cluster members in the mean; the keys behind them join the nearest centroid. -1 for a key that is not finite.
std::vector<int32_t> KmeansLabels(const KeyRows& rows, int64_t begin, int64_t end, int64_t keys_per_cluster, uint64_t seed);

}  // namespace hsa::bench
