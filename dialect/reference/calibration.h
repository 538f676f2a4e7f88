// docs/spec.md "Node": β and τ of every node of a tree, from 16 earlier queries.
#pragma once

#include "dialect/reference/splat_tree.h"

namespace hsa::ir::reference {

// Wants the moments of tree.nodes; writes their beta and tau.
void calibrate(Tree& tree, const Tensor& query, const Tensor& key, const Layout& layout, const Unit& unit, int64_t kvHead, double scale);

}  // namespace hsa::ir::reference
