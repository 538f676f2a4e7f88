// Graphs to plans, through the compiler or out of the cache.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/graph.pb.h"
#include "frontend/object_cache.h"
#include "frontend/precision.h"
#include "runtime/format/plan.pb.h"

namespace hsa::frontend {

struct CompileOptions {
  std::vector<std::string> cpus = {"native"};  // one variant of the code for each: "native", or LLVM's name for a processor
  Precision precision = Precision::kStored;    // of the products of exact attention, of near fields and of leaves
  bool use_cache = true;
  std::string cache_dir;                     // empty: DefaultCacheDirectory(), of runtime/cache_directory.h
  int64_t cache_bytes = kDefaultCacheBytes;  // the plans used longest ago go when there are more
};

struct CompileResult {
  std::string plan_bytes;             // the whole *.hsaplan file
  format::PlanHeader header;          // what CheckPlan read in it
  bool cache_hit = false;             // it came out of the cache
  bool cached = false;                // the next time it will; where not, though the cache was to be used, the last warning says why
  double seconds = 0;                 // of wall-clock, from graph to plan
  std::vector<std::string> warnings;  // a cache that can't be used, an entry that was damaged: one line each
};

// The plan of a graph. Nothing of MLIR is started when the cache has it. Thread-safe.
// INVALID_ARGUMENT  the graph breaks a constraint (graph_cN), or a CPU has no such name
// INTERNAL          the compiler refused a graph that has passed the check: its own message, one line
absl::StatusOr<CompileResult> Compile(const Graph& graph, const CompileOptions& options);

// The same from the text of a layer-0 module (frontend/import_mlir.h); `path` stands for it in messages.
absl::StatusOr<CompileResult> CompileMlir(std::string_view text, const std::string& path, const CompileOptions& options);

// The graph in a file: *.mlir is a module, everything else protobuf text. Checked; messages begin with the path.
absl::StatusOr<Graph> LoadGraph(const std::string& path);

}  // namespace hsa::frontend
