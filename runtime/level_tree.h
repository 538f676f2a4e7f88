// The splats of one level in the order in which a token looks for the nearest: all of them, or those of a few nodes of a tree.
#pragma once

#include <optional>
#include <vector>

#include "runtime/routed_tables.h"
#include "runtime/splat_graph.h"
#include "runtime/splat_panels.h"
#include "runtime/worker.h"

namespace hsa {

// Of one kv_head: its slots from `first` on, as far as they have a splat.
struct LevelSplats {
  const RoutedTables& tables;
  int64_t first, slots;
  bool isotropic;
};

struct LevelTree {
  // Every 64 slots are evenly spread over the level where there are no nodes. Else node n holds the slots [64 n, 64 n + 64), and stands in `nodes` as a splat of
  // its own: the mean center, the mean r of each dimension (kernels/affinity.h) and the mean log2 a of its splats. Balanced bisection of r μ along principal axes, as the index
  // of scheme softmax orders its keys; all nodes are whole but the last.
  SplatPanels splats;
  std::optional<SplatPanels> nodes;  // ids are the nodes, of which every 64 slots are evenly spread over the level
  std::optional<SplatGraph> graph;   // of `splats`, slot by slot: says which nodes to look into; when not set, the nodes do

  static LevelTree Flat(const LevelSplats& level);
  // `width` is what the plan's stage principal_axis takes, at least the depth of the tables.
  static LevelTree WithNodes(const Program& program, Worker& worker, const LevelSplats& level, int64_t width);
  static LevelTree WithGraph(const Program& program, Worker& worker, const LevelSplats& level, int64_t width);
};

}  // namespace hsa
