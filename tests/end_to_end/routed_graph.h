// Graphs of scheme routed for tests, and their plans.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/graph.pb.h"
#include "runtime/plan.h"
#include "tests/oracle/routed_oracle.h"

namespace hsa::end_to_end {

// The spec with N queries at the end of M keys.
inline oracle::RoutedSpec Of(oracle::RoutedSpec spec, int64_t N, int64_t M, double width = 1, double threshold = 0) {
  spec.N = N, spec.M = M, spec.width = width, spec.threshold = threshold;
  return spec;
}

void AddInput(frontend::Graph& graph, const std::string& name, int64_t heads, int64_t dim);

// The graph of spec's heads, dims, levels, covariances, mask, gate and of what a token keeps. Its links are the test's to add.
frontend::Graph RoutedGraph(const std::string& name, const oracle::RoutedSpec& spec);

// Compiled once in a process, and once in all processes of a build.
Plan& RoutedPlan(const frontend::Graph& graph, const std::vector<std::string>& cpus = {"native"});

}  // namespace hsa::end_to_end
