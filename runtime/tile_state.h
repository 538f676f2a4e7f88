// Partial results of the rows of a tile outside of a worker (docs/spec.md, "Partial").
#pragma once

#include <vector>

#include "runtime/worker.h"

namespace hsa {

struct TileState {
  std::vector<float> max, sum, acc;  // log2 units; sum in kSumLanes parts of each row

  // What the worker's buffers hold.
  static TileState Of(const Worker& worker);
  void Put(Worker& worker) const;

  // Of both sets of keys, which must be disjoint.
  void Merge(const TileState& other);
};

}  // namespace hsa
