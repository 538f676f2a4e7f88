#include "frontend/jit.h"

#include <span>

namespace hsa::frontend {
namespace {

absl::StatusOr<Plan> Map(const absl::StatusOr<CompileResult>& compiled) {
  if (!compiled.ok()) return compiled.status();
  return Plan::FromBytes(std::as_bytes(std::span(compiled->plan_bytes)), compiled->header.graph().name());
}

}  // namespace

absl::StatusOr<Plan> CompilePlan(const Graph& graph, const CompileOptions& options) { return Map(Compile(graph, options)); }

absl::StatusOr<Plan> CompilePlanMlir(std::string_view text, const std::string& path, const CompileOptions& options) {
  return Map(CompileMlir(text, path, options));
}

}  // namespace hsa::frontend
