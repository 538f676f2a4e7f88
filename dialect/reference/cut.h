// docs/spec.md "Node" and "Opening" for one tile of one query head, in float64.
#pragma once

#include "dialect/reference/layout.h"
#include "dialect/reference/partial.h"
#include "dialect/reference/splat_tree.h"

namespace hsa::ir::reference {

// A tile of queries of one head over the index.
struct Tile {
  const Tensor& query;
  const SplatIndex& index;
  const Layout& layout;
  double scale;
  int64_t head;
  int64_t number;  // as in TileKey

  Range queries() const { return layout.queriesOf(number); }
  const std::vector<Tree>& trees() const { return index.trees[kvHead()]; }
  int64_t kvHead() const { return head * int64_t(index.trees.size()) / query.shape[0]; }
};

// scores[i − first query] [S]: log-mass of every node for every query of the tile.
void scoreTile(const Tile& tile, std::span<const std::span<double>> scores);

// One flag per node. `near` is of all queries; given decisions and `candidates` as in Interpret.
std::vector<char> selectTile(const Tile& tile, std::span<const std::span<const double>> scores, const Partial& near, double theta,
                             const GivenIndex* given, std::vector<Candidate>* candidates);

// Adds the cut that `open` makes to the rows of the tile.
void attendTile(const Tile& tile, const Tensor& key, const Tensor& value, std::span<const std::span<const double>> scores,
                std::span<const char> open, Partial& partial);

}  // namespace hsa::ir::reference
