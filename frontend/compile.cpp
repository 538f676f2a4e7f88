#include "frontend/compile.h"

#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "frontend/build_plan.h"
#include "frontend/cache_key.h"
#include "frontend/check_graph.h"
#include "frontend/graph_text.h"
#include "frontend/import_mlir.h"
#include "frontend/read_file.h"
#include "frontend/target_cpu.h"
#include "runtime/cache_directory.h"
#include "runtime/format/check_plan.h"

namespace hsa::frontend {
namespace {

// Fills plan_bytes and header when `bytes` are a sound plan.
absl::Status Accept(std::string bytes, const std::string& name, CompileResult& result) {
  absl::StatusOr<format::PlanHeader> header = format::CheckPlan(std::as_bytes(std::span(bytes)), name);
  if (!header.ok()) return header.status();
  result.header = *std::move(header);
  result.plan_bytes = std::move(bytes);
  return absl::OkStatus();
}

// An entry is a plan with its key behind it: a file that came under this name in any other way, sound as it may be, is the plan of another graph.
absl::Status Read(std::string entry, const std::string& key, CompileResult& result) {
  const std::string name = absl::StrCat("cache entry ", key);
  if (!entry.ends_with(key)) return absl::DataLossError(absl::StrCat(name, ": was cut short or not written under this name"));
  entry.resize(entry.size() - key.size());
  return Accept(std::move(entry), name, result);
}

// True when the cache had a sound plan. A damaged one is dropped, with a warning.
bool Recall(ObjectCache& cache, const std::string& key, CompileResult& result) {
  std::optional<std::string> entry = cache.Get(key);
  if (!entry.has_value()) return false;
  const absl::Status sound = Read(*std::move(entry), key, result);
  if (sound.ok()) return true;
  result.warnings.push_back(absl::StrCat(std::string(sound.message()), "; compiled again"));
  cache.Drop(key);
  return false;
}

absl::Status Build(const Graph& graph, const CompileOptions& options, CompileResult& result) {
  absl::StatusOr<std::string> bytes = BuildPlan(graph, options.cpus, options.precision);
  if (!bytes.ok()) return bytes.status();
  const absl::Status sound = Accept(*std::move(bytes), graph.name(), result);
  if (sound.ok()) return sound;
  return absl::InternalError(absl::StrCat("the compiler wrote a plan that does not pass its check: ", std::string(sound.message())));
}

absl::Status RecallOrBuild(const Graph& graph, const CompileOptions& options, CompileResult& result) {
  if (!options.use_cache) return Build(graph, options, result);
  ObjectCache cache(options.cache_dir.empty() ? DefaultCacheDirectory() : options.cache_dir, options.cache_bytes);
  const std::string key = CacheKey(WithDefaults(graph).SerializeAsString(), options.cpus, options.precision);
  result.cache_hit = Recall(cache, key, result);
  if (!result.cache_hit) {
    if (absl::Status built = Build(graph, options, result); !built.ok()) return built;
    cache.Put(key, absl::StrCat(result.plan_bytes, key));
  }
  result.cached = cache.problem().empty();
  if (!result.cached) result.warnings.push_back(cache.problem());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CompileResult> Compile(const Graph& graph, const CompileOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  if (absl::Status checked = CheckGraph(graph); !checked.ok()) return checked;
  if (absl::Status checked = CheckCpus(options.cpus); !checked.ok()) return checked;
  CompileResult result;
  if (absl::Status done = RecallOrBuild(graph, options, result); !done.ok()) return done;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

absl::StatusOr<CompileResult> CompileMlir(std::string_view text, const std::string& path, const CompileOptions& options) {
  absl::StatusOr<Graph> graph = ParseMlir(text, path);
  if (!graph.ok()) return graph.status();
  return Compile(*graph, options);
}

absl::StatusOr<Graph> LoadGraph(const std::string& path) {
  if (!path.ends_with(".mlir")) return LoadGraphText(path);
  absl::StatusOr<std::string> text = ReadFile(path, kMaxGraphTextBytes);
  if (!text.ok()) return text.status();
  return ParseMlir(*text, path);
}

}  // namespace hsa::frontend
