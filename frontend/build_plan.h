// Runs the compiler: from a graph to a plan, or to any layer on the way.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/graph.pb.h"
#include "frontend/precision.h"

namespace hsa::frontend {

// The bytes of the plan file of `graph`, with one variant for each of `cpus`. Both have passed their checks.
// INTERNAL  the compiler refused: its own words, one line
absl::StatusOr<std::string> BuildPlan(const Graph& graph, const std::vector<std::string>& cpus, Precision precision);

enum class Layer {
  kHsa,         // layer 0: hsa.attention
  kStages,      // layer 1, decomposed and fused
  kStructured,  // layer 2: tiles in memory
  kLlvm,        // optimised LLVM IR
  kAssembly,
  kObject,  // ELF
};

// `graph` as that layer has it, for one processor: text, but for kObject. INTERNAL as above.
absl::StatusOr<std::string> EmitLayer(const Graph& graph, const std::string& cpu, Precision precision, Layer layer);

}  // namespace hsa::frontend
