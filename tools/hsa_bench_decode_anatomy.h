// What makes the error of a cut: masses or values, on which level, in which queries.
#pragma once

#include <vector>

#include "tools/hsa_bench_decode.h"
#include "tools/hsa_bench_decode_cut.h"

namespace hsa::bench {

// One row: sums over the closed nodes of each level, finest first, and over all of them last.
struct AnatomyRow {
  struct Level {
    double scored = 0, opened = 0;
    double mass = 0;                                    // share of the true mass
    double value_error = 0, mass_error = 0, error = 0;  // relative L2
    double log_mass = 0, log_mass_squares = 0;          // Σ share · log(estimated / true mass), and of its square
  };
  int64_t position = 0;
  std::vector<Level> levels;
};

AnatomyRow Dissect(const DecodeQuery& query, const Estimator& estimator, const Cut& cut, size_t levels);

// `level_tokens` as the plan's.
AnatomyHead AnatomyOf(int64_t head, std::vector<AnatomyRow> rows, const std::vector<int64_t>& level_tokens);

}  // namespace hsa::bench
