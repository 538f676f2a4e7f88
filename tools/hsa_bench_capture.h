// Real Q, K, V and the plan for their heads: what the benchmarks of splats run on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/plan.h"
#include "runtime/run.h"
#include "runtime/tensor_source.h"

namespace hsa::bench {

struct Capture {
  TensorFile file;
  Inputs all;
  Plan plan;
};

// Errors of opening the file and of compiling for it.
absl::StatusOr<std::unique_ptr<Capture>> OpenCapture(const std::string& path);

// Positions [first, first + count) of a tensor.
TensorView Rows(const TensorView& tensor, int64_t first, int64_t count);

// The first `tokens` positions: causal attention does not see the rest.
Inputs Prefix(const Inputs& all, int64_t tokens);

// All keys, and the last `queries` queries.
Inputs LastQueries(const Inputs& all, int64_t queries);

// Room for an output of f32.
struct OutputRows {
  explicit OutputRows(const Inputs& inputs);
  TensorView view() const { return {outputs.o.data, outputs.o.dtype, outputs.o.shape, outputs.o.strides}; }

  std::vector<float> rows;
  Outputs outputs;
};

// The capture followed by perturbed repeats of it, as tools/make_long_input.py makes them but for the generator of noise: planes of q and k turned
// by N(0, 0.1) rad, noise of 0.05 standard deviations. In a file without a name, mapped, so that it is not anonymous memory.
struct LongInput {
  TensorFile file;
  Inputs all;
};

// Of `tokens` positions; made when it is first asked for, and kept until another length is. A failure ends the process with its message.
const Inputs& LongInputs(const Capture& capture, int64_t tokens);

}  // namespace hsa::bench
