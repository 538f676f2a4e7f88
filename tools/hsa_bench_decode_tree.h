// Nodes over groups of keys as one query head sees them: moments about a reference, float64 (docs/spec.md, "Node").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/tensor.h"

namespace hsa::bench {

// Keys and values of one kv_head.
struct KeyRows {
  KeyRows(const TensorView& key, const TensorView& value, int64_t kv_head);

  const float* Key(int64_t j) const { return &k[j * dim]; }
  const float* Value(int64_t j) const { return &v[j * value_dim]; }

  int64_t tokens, dim, value_dim;
  std::vector<float> k, v;      // [tokens, dim], [tokens, value_dim]
  std::vector<uint8_t> finite;  // key and value both
};

// Where a head's nodes are seen from: q₀ [D], and σ q₀·k_j of every key.
struct Reference {
  static Reference Zero(const KeyRows& rows);
  // The mean of the finite queries [begin, end) of `head`; zero when there are none.
  static Reference MeanQuery(const TensorView& query, int64_t head, int64_t begin, int64_t end, const KeyRows& rows, double scale);

  std::vector<double> query, scores;
};

// What a segment says of the tilt C of one level, sums over segments:  C₀ = Σ between / Σ trace;
// C_ℓ = Σ (within · C_{ℓ−1} + between) / Σ trace.
struct TiltSum {
  std::vector<double> between;  // [Dv, D]
  double within = 0, trace = 0;
};

// The tree over one unit of keys, or a flat list of groups. Nodes stand level by level, the coarsest first.
struct KeyTree {
  struct Node {
    int64_t first = 0, count = 0;           // its keys
    int64_t first_child = 0, children = 0;  // 0: a leaf
    size_t level = 0;                       // 0: the finest
    double log_mass = 0;                    // A
    double trace = 0;                       // Σ_d var_d
  };

  const double* Mean(size_t node) const { return &mean[node * (mean.size() / nodes.size())]; }
  const double* Value(size_t node) const { return &value[node * (value.size() / nodes.size())]; }
  const double* Var(size_t node) const { return &var[node * (var.size() / nodes.size())]; }

  std::vector<int32_t> keys;  // positions
  std::vector<Node> nodes;
  size_t roots = 0;                      // nodes [0, roots) are the coarsest
  std::vector<double> mean, value, var;  // μ [nodes, D], v̄ [nodes, Dv], var [nodes, bands]
};

// `slots` hold key positions in the order of the bisection, -1 where empty, a power of two times level_tokens[0] of them; the coarsest
// level is the last of `level_tokens` (ascending) that fits.
KeyTree TreeOf(std::span<const int32_t> slots, std::span<const int64_t> level_tokens, int64_t bands, const KeyRows& rows,
               const Reference& reference);
// Group g is keys [starts[g], starts[g + 1]); order 0 only: no variances.
KeyTree FlatTree(std::vector<int32_t> keys, std::span<const int64_t> starts, const KeyRows& rows, const Reference& reference);

// Of each level of the tree of a whole segment.
std::vector<TiltSum> TiltSumsOf(const KeyTree& tree, size_t levels, const KeyRows& rows, const Reference& reference);
// C of each level, [Dv, D], from the sums of some segments; empty without one.
std::vector<std::vector<double>> TiltOf(std::span<const std::vector<TiltSum>* const> segments);

}  // namespace hsa::bench
