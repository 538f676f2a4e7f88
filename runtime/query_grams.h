// Second moments of the queries, one block of 1,024 positions at a time, and the metric that they give to the keys.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "runtime/geometry.h"
#include "runtime/rows.h"
#include "runtime/worker.h"

namespace hsa {

class QueryGrams {
 public:
  QueryGrams(const Program& program, const Geometry& geometry, const TensorView& query)
      : geometry_(geometry), query_(query), reader_(program, query.dtype), gram_(program.Find("gram")) {}

  // L with LLᵀ = I + D E/tr E, E = mean qqᵀ over the finite queries of kv_head's group that are earlier than a unit ending at `end` (docs/spec.md, "Tree of a
  // unit"), [D, D] padded; the identity when there are fewer than 64. Thread-safe; a block is summed once and kept until Forget.
  std::vector<float> Metric(Worker& worker, int64_t kv_head, int64_t end);

  // Blocks before `position` will not be asked for again.
  void Forget(int64_t position);

 private:
  struct Block {
    std::vector<float> gram;
    int64_t count = 0;
  };
  const Block& BlockAt(Worker& worker, int64_t kv_head, int64_t block);

  Geometry geometry_;
  TensorView query_;
  RowReader reader_;
  Program::Stage gram_;
  std::mutex mutex_;
  std::map<std::pair<int64_t, int64_t>, Block> blocks_;  // (block, kv_head), under mutex_; entries never move
};

}  // namespace hsa
