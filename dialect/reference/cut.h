// docs/spec.md "Opening" for one tile of one query head, in float64.
#pragma once

#include "dialect/reference/layout.h"
#include "dialect/reference/nodes.h"
#include "dialect/reference/partial.h"
#include "dialect/reference/splat_tree.h"

namespace hsa::ir::reference {

// A tile of queries of one head over the index.
struct Tile {
  const Tensor& query;
  const SplatIndex& index;
  const Splats& splats;  // of its head and block
  const Layout& layout;
  double scale;
  TileKey key;
  std::vector<int64_t> queries;  // their numbers i

  std::span<const double> row(size_t n) const { return query.row(key.head, queries[n]); }
  int64_t kvHead() const { return key.head * index.kvHeads() / query.shape[0]; }
  Offset offset(size_t n) const { return offsetOf(row(n), splats.reference, layout.config().getBands()); }
};

// scores[n] [S]: log-mass of every node for query n of the tile.
void scoreTile(const Tile& tile, std::span<const std::span<double>> scores);

// One flag per node. `near` is of all queries; given decisions and `candidates` as in Interpret.
std::vector<char> selectTile(const Tile& tile, std::span<const std::span<const double>> scores, const Partial& near, double theta,
                             const GivenIndex* given, std::vector<Candidate>* candidates);

// Adds the cut that `open` makes to the rows of the tile.
void attendTile(const Tile& tile, const Tensor& key, const Tensor& value, std::span<const std::span<const double>> scores,
                std::span<const char> open, Partial& partial);

}  // namespace hsa::ir::reference
