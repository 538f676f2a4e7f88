// What a run by splats read, from what each of its query heads took to the report.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/open_tile.h"
#include "runtime/report.h"
#include "runtime/run_state.h"

namespace hsa {

// Of one query head, over all its queries.
struct HeadReads {
  double theta = 0;
  int64_t dense_blocks = 0;
  double near = 0;  // keys
  TileCost cost;
};

// Fills read, levels, heads, flop, seconds.score and seconds.leaves.
void ReportReads(const Job& job, std::span<const HeadReads> heads, RunReport& report);

// Bytes of `keys` rows of keys with their values and of `nodes` nodes with all that is stored of them.
int64_t BytesOf(const Job& job, double keys, double nodes);

}  // namespace hsa
