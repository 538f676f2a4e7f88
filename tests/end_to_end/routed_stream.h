// One attention of scheme routed over a sequence that comes in pieces: a small graph, its plan, and runs over some tokens of a problem.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/graph.pb.h"
#include "runtime/plan.h"
#include "runtime/run.h"
#include "tests/end_to_end/run_problem.h"
#include "tests/oracle/routed_oracle.h"

namespace hsa::end_to_end {

// The graph of spec's heads, dims, levels, covariances, mask, links, gate and of what a token keeps.
frontend::Graph StreamGraph(const oracle::RoutedSpec& spec);
// Compiled once in a process, and once in all processes of a build.
const Plan& StreamPlan(const oracle::RoutedSpec& spec);

// Rows [begin, end) of every head of `values` [heads, tokens, dim].
std::vector<float> RowsOf(const std::vector<float>& values, int64_t heads, int64_t dim, int64_t begin, int64_t end);
// Tokens [begin, end) of a problem whose N is its M, with its splats.
oracle::RoutedProblem Piece(const oracle::RoutedProblem& problem, int64_t begin, int64_t end);

enum class SplatsFrom { kProblem, kState };

// The tensors of a problem, as a run of its plan reads them. Links and gate are always the problem's.
class StreamInputs {
 public:
  explicit StreamInputs(const oracle::RoutedProblem& problem, SplatsFrom splats = SplatsFrom::kProblem);
  const Inputs& inputs() const { return inputs_; }

 private:
  TensorView Own(int64_t heads, int64_t tokens, int64_t dim, const std::vector<float>& values);

  std::deque<OwnedTensor> tensors_;
  Inputs inputs_;
};

struct StreamRun {
  std::vector<float> o;
  RunReport report;
};

// The problem by its plan; splats are those of the problem, or of the states that options name; links and gate are always its own.
absl::StatusOr<StreamRun> TryStream(const oracle::RoutedProblem& problem, const RunOptions& options,
                                    SplatsFrom splats = SplatsFrom::kProblem);
// The same by another plan of a graph with these tensors.
absl::StatusOr<StreamRun> TryStream(const Plan& plan, const oracle::RoutedProblem& problem, const RunOptions& options,
                                    SplatsFrom splats = SplatsFrom::kProblem);
// The first, where an error ends the test.
StreamRun MustStream(const oracle::RoutedProblem& problem, const RunOptions& options, SplatsFrom splats = SplatsFrom::kProblem);

}  // namespace hsa::end_to_end
