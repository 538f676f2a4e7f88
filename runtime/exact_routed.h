// The output of a run of scheme routed beside its formula in float64, on sampled queries. Plain loops, so that they are plainly right.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"
#include "runtime/run.h"
#include "runtime/verified_rows.h"

namespace hsa {

// Whether the formula of a run with these options is that of its splats as they are given.
// INVALID_ARGUMENT  splats adapt while the run goes on
absl::Status CheckVerifiesRouted(const RunOptions& options);

// Compares rows of `o` [H,N,Dv] with what docs/spec.md ("Routed") says of them. All tokens of the inputs are read once, in their order, and sent to sums of
// every splat, whatever the run left out or did not find: what --token-error drops and --search misses is part of the error. `run` is what was run, with the plan's
// defaults: the states that it began with, whose sums are taken as they are, and its window, whose tokens are sent again for each pane that a sample is in. Memory: (2 D + 2 Dv + 64) numbers a splat, with covariances that have a factor D² more.
// INVALID_ARGUMENT  o of another shape than the plan makes
// CANCELLED         progress() returned false
// the errors of RoutedSnapshot::Open
absl::StatusOr<VerifyStats> VerifyRouted(const format::Graph& graph, const Inputs& inputs, const RunOptions& run, const TensorView& o,
                                         const VerifyOptions& options);

}  // namespace hsa
