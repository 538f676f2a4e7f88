// docs/spec.md "Tree of a unit" and "Node" in float64.
#pragma once

#include "dialect/reference/layout.h"
#include "dialect/reference/linear_algebra.h"
#include "dialect/reference/tensor.h"

#include <memory>

namespace hsa::ir::reference {

struct Node {
  int64_t keys = 0;               // n: live keys
  std::vector<double> mean;       // μ [D]
  std::vector<double> valueMean;  // v̄ [Dv]
  std::vector<double> variance;   // var_b, one per band
  double beta = 1, tau = 0;
};

struct Tree {
  std::vector<int64_t> slots;  // slot → key, −1 when empty
  std::vector<Node> nodes;     // levels fine to coarse: node `node` of `level` is nodes[unit.firstNode[level] + node]
  const Matrix* basis = nullptr;  // U of the unit
};

// The trees of every (kv_head, unit) that some query of hsa.summarize sees; the others are empty and must not be read.
struct SplatIndex {
  int64_t keys = 0;
  std::vector<std::vector<bool>> finite;  // per kv_head and key: every entry of k and v is finite
  std::vector<std::vector<bool>> live;    // finite and not in the sink prefix
  std::vector<std::vector<Tree>> trees;   // per kv_head and unit
  std::vector<std::unique_ptr<Matrix>> bases;  // U per kv_head
  std::unique_ptr<Matrix> identity;
};

// Which keys have only finite entries, in one kv_head.
std::vector<bool> finiteKeys(const Tensor& key, const Tensor& value, int64_t kvHead);
bool isFinite(std::span<const double> row);

SplatIndex summarize(const Tensor& query, const Tensor& key, const Tensor& value, const Layout& layout, double scale,
                     const GivenIndex* given);

// ‖(Uᵀq)_b‖² per band: what a node's s² needs of a query.
std::vector<double> bandNorms(const Matrix& basis, std::span<const double> q, int64_t bands);

// s²(q) = σ² Σ_b var_b ‖(Uᵀq)_b‖²
double spread(const Node& node, std::span<const double> norms, double scale);
// h = ½ s² for s ≤ c, s·c − ½ c² beyond, c = √(2 ln n)
double gain(double spread, int64_t keys);

}  // namespace hsa::ir::reference
