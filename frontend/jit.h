// Graphs to plans that run in this process.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "frontend/compile.h"
#include "frontend/graph.pb.h"
#include "runtime/plan.h"

namespace hsa::frontend {

// Compile, then map the code: errors of Compile, and of Plan::FromBytes when no variant of options.cpus runs on this processor.
absl::StatusOr<Plan> CompilePlan(const Graph& graph, const CompileOptions& options = {});

// The same from the text of a layer-0 module; `path` stands for it in messages.
absl::StatusOr<Plan> CompilePlanMlir(std::string_view text, const std::string& path, const CompileOptions& options = {});

}  // namespace hsa::frontend
