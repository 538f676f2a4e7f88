// The links between the levels of one kv_head whose splats come and go (docs/spec.md, "Adaptation").
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/flow_tables.h"
#include "runtime/format/plan.pb.h"

namespace hsa {

// F_st of every two linked levels, in float64. What changes keeps Σ_s F_st, all that a splat passes on to a level, where splats of that level come and go.
class AdaptedLinks {
 public:
  // Begins with the links of `tables`, which are this head's, outlive it and get every tile that a linked splat may come to stand in.
  AdaptedLinks(const format::Routed& routed, FlowTables& tables);

  // `child` passes on as `splat` does; both get half of what `splat` got.
  void Halve(int64_t splat, int64_t child);
  // `splat` gets what both got, and passes on the mean of what both did, `share` of it its own; `other` is empty.
  void Join(int64_t splat, int64_t other, double share);
  void Remove(int64_t splat);
  void Touch(int64_t splat) { changed_[splat] = 1; }  // it comes or goes with its links, which are written only while both ends are there
  // Into the tables: log2 F of the splats that have changed since the last time, and the diagonal of those that are there.
  void Write(const std::function<bool(int64_t splat)>& live);

  // Of linked levels in the order of (to, from): F [splats of to, splats of from].
  void Take(std::span<const double> numbers);  // those of another stream
  std::span<const double> numbers() const { return numbers_; }

 private:
  struct Block {
    int64_t to, from, rows, columns;  // first splats and how many
    int64_t numbers;                  // where its entries start
  };
  double& At(const Block& block, int64_t to, int64_t from) {
    return numbers_[block.numbers + (to - block.to) * block.columns + from - block.from];
  }
  template <typename Row, typename Column>
  void ForEach(int64_t splat, const Row& row, const Column& column);
  void AddTile(int64_t row, int64_t column);
  void Set(int64_t to, int64_t from, double weight);
  double WeightOf(int64_t to, int64_t from) const;

  FlowTables& tables_;
  int64_t splats_, side_;  // padded, and in tiles
  std::vector<Block> blocks_;
  std::vector<double> numbers_;
  std::vector<uint8_t> changed_;  // [splats]
  std::vector<int32_t> place_;    // [side, side]: number of a tile, −1 where there is none
};

}  // namespace hsa
