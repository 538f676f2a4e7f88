// From a graph to a plan, and from a file to a plan that runs.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "frontend/compile.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

// A folder of this process, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / absl::StrCat("hsa-bench-", getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

void Compile(benchmark::State& state, const frontend::CompileOptions& options) {
  const frontend::Graph graph = GraphOf({});
  for (auto _ : state) {
    const absl::StatusOr<frontend::CompileResult> result = frontend::Compile(graph, options);
    if (!result.ok()) return state.SkipWithError(std::string(result.status().message()).c_str());
    if (result->cache_hit != options.use_cache) return state.SkipWithError("the cache did not do what was asked");
  }
}

void CompileCold(benchmark::State& state, frontend::Precision precision) {
  Compile(state, {.precision = precision, .use_cache = false, .cache_dir = {}});
}

void CompileCached(benchmark::State& state) {
  const TemporaryFolder folder;
  const frontend::CompileOptions options{.cache_dir = folder.path()};
  (void)frontend::Compile(GraphOf({}), options);  // fills the cache
  Compile(state, options);
}

// A file that the system has in its cache: check, map, relocate nothing, ready to run.
void PlanLoad(benchmark::State& state) {
  const absl::StatusOr<frontend::CompileResult> result = frontend::Compile(GraphOf({}), {});
  if (!result.ok()) return state.SkipWithError(std::string(result.status().message()).c_str());
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/bench.hsaplan";
  std::ofstream(path, std::ios::binary) << result->plan_bytes;
  for (auto _ : state) {
    absl::StatusOr<Plan> plan = Plan::Load(path);
    if (!plan.ok()) return state.SkipWithError(std::string(plan.status().message()).c_str());
    benchmark::DoNotOptimize(plan);
  }
  state.counters["plan_bytes"] = static_cast<double>(result->plan_bytes.size());
}

}  // namespace

void RegisterCompile() {
  for (const auto& [name, precision] : {std::pair("Compile/cold", frontend::Precision::kStored),
                                        {"Compile/cold/f32", frontend::Precision::kF32},
                                        {"Compile/cold/bf16", frontend::Precision::kBf16}})
    benchmark::RegisterBenchmark(name, CompileCold, precision)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
  benchmark::RegisterBenchmark("Compile/cached", CompileCached)->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("PlanLoad", PlanLoad)->Unit(benchmark::kMicrosecond);
}

}  // namespace hsa::bench
