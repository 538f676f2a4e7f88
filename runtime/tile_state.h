// Partial results of the rows of a tile outside of a worker (docs/spec.md, "Partial").
#pragma once

#include <span>
#include <vector>

#include "runtime/worker.h"

namespace hsa {

// Rows of partial results somewhere: max [rows], sum and acc with as many numbers for each row as they have.
struct PartialRows {
  std::span<float> max, sum, acc;
};

// `to` becomes the partial results over the keys of both, which must be disjoint.
void MergePartials(const PartialRows& to, const PartialRows& from);

struct TileState {
  std::vector<float> max, sum, acc;  // log2 units; sum in kSumLanes parts of each row

  // What the worker's buffers hold.
  static TileState Of(const Worker& worker);
  void Put(Worker& worker) const;

  PartialRows rows() { return {max, sum, acc}; }
};

}  // namespace hsa
