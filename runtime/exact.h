// The output of a run beside exact attention in float64, on sampled queries. Plain loops: slow on purpose, so that they are plainly right.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace hsa {

// What a graph says about its attention: docs/spec.md#mask.
struct AttentionSpec {
  double scale = 1;  // σ
  bool causal = false;
  int64_t sliding_window = 0;  // 0: none
  int64_t sink_tokens = 0;     // prefix that a sliding window keeps visible
};

struct VerifiedRow {
  int64_t head = 0;
  int64_t query = 0;
  double rel_l2 = 0;     // ‖o − exact‖ / ‖exact‖
  double lse_error = 0;  // |lse − exact|; 0 when no lse was given
};

// Quantiles are nearest-rank, over all rows.
struct VerifyStats {
  int64_t n = 0;  // rows: query positions × query heads
  double median = 0, p90 = 0, p95 = 0, max = 0;
  double lse_max = 0;
  std::vector<VerifiedRow> rows;  // by query, then head
};

struct VerifyOptions {
  int64_t queries = 0;  // positions to draw; all of them when there are fewer
  uint64_t seed = 0;
  std::vector<int64_t> exclude = {};               // query numbers that are not drawn, ascending: those that a calibration has seen
  std::function<bool(double done)> progress = {};  // from any thread, one at a time; false cancels. May be empty.
};

// Compares rows of `o` [H,N,Dv], and of `lse` [1,H,N] when it has data. Where the exact row is not finite, the row of `o` must have an
// element that is not finite either: its error is then 0, else infinite. Where the exact row is 0, any other row has an infinite error.
// INVALID_ARGUMENT  shapes that disagree: names both
// CANCELLED         progress() returned false
absl::StatusOr<VerifyStats> Verify(const AttentionSpec& spec, const TensorView& query, const TensorView& key, const TensorView& value,
                                   const TensorView& o, const TensorView& lse, const VerifyOptions& options);

// `count` different integers of [0, population), ascending: Floyd's sampling, position j taking mt19937_64(seed)() mod (j + 1). The same on
// every machine. All of them when count ≥ population.
std::vector<int64_t> SampleWithoutReplacement(int64_t population, int64_t count, uint64_t seed);

}  // namespace hsa
