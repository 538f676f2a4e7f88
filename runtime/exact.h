// The output of a run beside exact attention in float64, on sampled queries. Plain loops: slow on purpose, so that they are plainly right.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"
#include "runtime/verified_rows.h"

namespace hsa {

// What a graph says about its attention: docs/spec.md#mask.
struct AttentionSpec {
  double scale = 1;  // σ
  bool causal = false;
  int64_t sliding_window = 0;  // 0: none
  int64_t sink_tokens = 0;     // prefix that a sliding window keeps visible
};

// Compares rows of `o` [H,N,Dv], and of `lse` [1,H,N] when it has data. Where the exact row is not finite, the row of `o` must have an
// element that is not finite either: its error is then 0, else infinite. Where the exact row is 0, any other row has an infinite error.
// INVALID_ARGUMENT  shapes that disagree: names both
// CANCELLED         progress() returned false
absl::StatusOr<VerifyStats> Verify(const AttentionSpec& spec, const TensorView& query, const TensorView& key, const TensorView& value,
                                   const TensorView& o, const TensorView& lse, const VerifyOptions& options);

}  // namespace hsa
