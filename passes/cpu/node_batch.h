// The log-mass of 64 nodes as a tile of queries sees them.
#pragma once

#include "passes/cpu/node_products.h"

namespace hsa::ir {

// What a node keeps beside its mean, value and variances.
enum NodeScalar : int64_t {
  kNodeConstant,   // log2 e (A − σ q₀·μ): with σ log2 e q·μ, log2 M of order 0; -inf without keys
  kNodeLogMass,    // log2 e A
  kNodeGainBound,  // c² = 2 ln n
  kNodeCount,      // n
  kNodeTrace,      // Σ_d var_d
};
inline constexpr int64_t kNodeScalars = 5;

// One level of the index. A group is four nodes; node id = 4 · group + place.
struct LevelNodes {
  Value mean;    // [?,D,4]
  Value var;     // [?,bands,4]
  Value scalar;  // [?,5,4]: a row for each NodeScalar
  Value params;  // [4] i32: first valid node, end of the valid nodes, groups of children per node, unused
};

// Scratch that a batch is gathered into.
struct NodeBatch {
  Value var;      // [4,bands,16]
  Value scalars;  // [4,64]: the constant in units of σ log2 e, as products are (-inf where there is no node), 2c, c², the trace
};

// What the second-order terms of a batch take from its nodes.
void gatherNodes(KernelEmitter& e, const LevelNodes& level, const BatchGroups& groups, const NodeBatch& batch);

// Where the residuals of a batch go: sum [64]: Σ_r r_j(q_r)², each [TQ,64]: r_j(q_r)². One that is not a number is 0.
struct Residuals {
  Value sum, each;
};

// scores[r, j] = log2 M_j(q_r) / (σ log2 e) of the gathered nodes: the product with the means, then the second-order gain (docs/spec.md, "Node").
void callNodeScores(KernelEmitter& e, NodeProducts& products, const LevelNodes& level, const BatchGroups& groups, Value queryBands,
                    const NodeBatch& batch, Value scores);

// shares[r, j] = M_j(q_r) / Z(q_r), and the residuals that go with them.
void callNodeShares(KernelEmitter& e, NodeProducts& products, const LevelNodes& level, const BatchGroups& groups, Value queryBands,
                    const NodeBatch& batch, Value shares, Value logZ, const Residuals& residuals);

}  // namespace hsa::ir
