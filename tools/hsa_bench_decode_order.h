// The bisection of the runtime over any run of keys.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/query_grams.h"
#include "tools/hsa_bench_decode_tree.h"

namespace hsa::bench {

// Which directions of the keys count: all the same, or those that earlier queries ask for (docs/spec.md, "Tree of a unit").
enum class Metric { kPlain, kOfQueries };

// One thread's bisection of keys of one kv_head.
class Bisection {
 public:
  Bisection(const Program& program, const Geometry& geometry, const KeyRows& rows, int64_t kv_head, Worker& worker, QueryGrams& grams)
      : program_(program), geometry_(geometry), rows_(rows), kv_head_(kv_head), worker_(worker), grams_(grams) {}

  // Slots of the finite keys of [begin, end) behind the sinks: key positions in the order of the tree, -1 where empty; the least power of
  // two times a leaf that holds all of [begin, end). The 8,192 queries before `known`, a multiple of 1,024, give the metric.
  std::vector<int32_t> Slots(int64_t begin, int64_t end, int64_t known, Metric metric);

 private:
  const Program& program_;
  const Geometry& geometry_;
  const KeyRows& rows_;
  int64_t kv_head_;
  Worker& worker_;
  QueryGrams& grams_;
};

}  // namespace hsa::bench
