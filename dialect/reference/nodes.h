// docs/spec.md "Node" in float64: what the nodes of the index are to one query head in one block.
#pragma once

#include "dialect/reference/splat_tree.h"

#include <map>

namespace hsa::ir::reference {

// The moments of a node's live keys under the weights p_j = e^{σ q₀·k_j} / Σ e^{σ q₀·k_j}.
struct Node {
  int64_t keys = 0;               // n: live keys; without any, the rest is empty
  double logMass = 0;             // A
  std::vector<double> mean;       // μ [D]
  std::vector<double> valueMean;  // v̄ [Dv]
  std::vector<double> variance;   // var_b, one per band
  double trace = 0;               // Σ_d var_d
};

// How the values of a level lean with its keys: C [Dv,D], row-major.
using Tilt = std::vector<double>;

struct Splats {
  std::vector<double> reference;  // q₀ [D]
  std::vector<std::vector<Node>>
      nodes;  // per unit: node `node` of `level` is nodes[unit][firstNode[level] + node]; none of a unit that the block does not see
  std::map<int64_t, std::vector<Tilt>> tilts;  // of each level, by the segment in which the near field of a window starts
};

// The nodes as `head` sees them in `block`.
Splats splatsOf(const Tensor& query, const SplatIndex& index, const Layout& layout, int64_t head, const Block& block, double scale);

// q₀: the mean of the finite queries of `head` among `queries`, 0 without any.
std::vector<double> referenceOf(const Tensor& query, int64_t head, Range queries);

// A query as the nodes see it: where it stands from the reference.
struct Offset {
  std::vector<double> vector;     // q − q₀
  std::vector<double> bandNorms;  // ‖(q − q₀)_b‖² per band
};
Offset offsetOf(std::span<const double> q, std::span<const double> reference, int64_t bands);

// s²(q) = σ² Σ_b var_b ‖(q − q₀)_b‖²
double spread(const Node& node, const Offset& offset, double scale);
// h = ½ s² for s ≤ c, s·c − ½ c² beyond, c = √(2 ln n)
double gain(double spread, int64_t keys);
// v̂ = v̄ + tr σ C (q − q₀) (order 2), v̄ (order 0)
std::vector<double> valueOf(const Node& node, const Tilt& tilt, const Offset& offset, double scale, int64_t order);
// log M(q) = A + σ (q − q₀)·μ, and h in order 2
double logMass(const Node& node, const Offset& offset, double scale, int64_t order);

}  // namespace hsa::ir::reference
