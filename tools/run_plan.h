// What hsa-run does: one plan over the tensors of one file, its output written, checked and reported.
#pragma once

#include "absl/status/statusor.h"
#include "runtime/report.h"
#include "tools/run_options.h"

namespace hsa {

// The output file appears whole, after the run and its verification, or not at all.
// CANCELLED  Ctrl-C; other errors are those of Plan::Load, TensorFile, TensorWriter and Run, and name the file
absl::StatusOr<RunReport> RunPlan(RunCommand command);

}  // namespace hsa
