// hsa-compile: an attention graph, compiled to a plan for the processors asked for; or several, into the cache alone.
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/build_plan.h"
#include "frontend/compile.h"
#include "frontend/target_cpu.h"
#include "runtime/format/plan_file.h"
#include "tools/byte_size.h"
#include "tools/fail.h"

namespace hsa {
namespace {

struct CompileCommand {
  std::vector<std::string> graphs;  // one, or with `warm` several
  std::string output;
  bool warm = false;  // fill the cache, write nothing else
  frontend::CompileOptions options;
  std::optional<frontend::Layer> layer;  // a plan when not set
  std::string help;                      // print this and do nothing else
};

// Flags as they were written.
struct Text {
  std::string target = "cpu", mcpu = "native", precision = "auto", emit = "plan", sm, cache_size;
  bool no_cache = false;
};

void Declare(CLI::App& app, CompileCommand& command, Text& text) {
  app.add_option("GRAPH", command.graphs, "the graph: protobuf text (*.textproto, see examples/) or a module of the hsa dialect (*.mlir)")
      ->required();
  app.add_option("-o,--output", command.output, "plan to write (*.hsaplan), or what --emit asks for (default: standard output)")
      ->type_name("FILE");
  app.add_option("--target", text.target, "cpu")->type_name("NAME");
  app.add_option("--mcpu", text.mcpu, "processors, one variant of the code each: native, or LLVM's names, with commas between them")
      ->type_name("NAME[,NAME]");
  app.add_option(
         "--precision", text.precision,
         "of the products of keys: auto (default: bf16 of inputs in bf16, f32 of others), f32, bf16, or int8; bf16 where the processor "
         "has AMX or AVX512-BF16, int8 where it has AVX512-VNNI")
      ->type_name("TYPE");
  app.add_option("--emit", text.emit, "hsa, stages, structured, llvm, asm, obj or plan (default)")->type_name("LAYER");
  app.add_option("--sm", text.sm, "not in this version")->group("");
  app.add_flag("--warm", command.warm,
               "compile every GRAPH into the cache and write no file: the same command without --warm is then a cache hit");
  app.add_flag("--no-cache", text.no_cache, "compile even if the plan is in the cache, and don't put it there");
  app.add_option("--cache-dir", command.options.cache_dir, "default: $XDG_CACHE_HOME/hsa or ~/.cache/hsa")->type_name("DIR");
  app.add_option("--cache-size", text.cache_size, "of all plans in the cache (default: 256MiB); those used longest ago go first")
      ->type_name("SIZE");
  app.set_version_flag("--version", "hsa-compile " HSA_VERSION);
}

template <typename... Words>
absl::Status Usage(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words..., "; hsa-compile --help lists the flags"));
}

absl::Status CheckTarget(const Text& text) {
  if (text.target == "cuda" || !text.sm.empty()) return Usage("--target=cuda is not in this version; give --target=cpu");
  if (text.target != "cpu") return Usage("--target is '", text.target, "', wanted cpu");
  if (std::ranges::find(frontend::kPrecisionNames, text.precision) == frontend::kPrecisionNames.end())
    return Usage("--precision is '", text.precision, "', wanted auto, f32, bf16 or int8");
  return absl::OkStatus();
}

absl::Status ReadCache(const Text& text, CompileCommand& command) {
  command.options.use_cache = !text.no_cache;
  if (text.cache_size.empty()) return absl::OkStatus();
  const std::optional<int64_t> bytes = ParseByteSize(text.cache_size);
  if (!bytes.has_value() || *bytes == 0) return Usage("--cache-size is '", text.cache_size, "', wanted a size like 256MiB");
  command.options.cache_bytes = *bytes;
  return absl::OkStatus();
}

// --warm has no output, whatever would be one.
absl::Status CheckWarm(const Text& text, const CompileCommand& command) {
  if (!command.output.empty()) return Usage("--warm writes no file, and -o names ", command.output, "; leave one of them out");
  if (text.emit != "plan") return Usage("--warm caches plans, and --emit=", text.emit, " asks for something else; leave one of them out");
  if (text.no_cache) return Usage("--warm fills the cache, and --no-cache forbids it; leave one of them out");
  return absl::OkStatus();
}

absl::Status ReadEmit(const std::string& emit, CompileCommand& command) {
  static const std::map<std::string, frontend::Layer> layers = {
      {"hsa", frontend::Layer::kHsa},   {"stages", frontend::Layer::kStages}, {"structured", frontend::Layer::kStructured},
      {"llvm", frontend::Layer::kLlvm}, {"asm", frontend::Layer::kAssembly},  {"obj", frontend::Layer::kObject}};
  if (emit == "plan") {
    if (command.output.empty()) return Usage("no place for the plan; give -o FILE.hsaplan");
    return absl::OkStatus();
  }
  if (emit == "ptx") return Usage("--emit=ptx is not in this version");
  const auto layer = layers.find(emit);
  if (layer == layers.end()) return Usage("--emit is '", emit, "', wanted hsa, stages, structured, llvm, asm, obj or plan");
  command.layer = layer->second;
  if (command.options.cpus.size() > 1) return Usage("--emit=", emit, " shows one processor, --mcpu names ", command.options.cpus.size());
  if (emit == "obj" && command.output.empty()) return Usage("no place for the object; give -o FILE.o");
  return absl::OkStatus();
}

absl::StatusOr<CompileCommand> ParseCompileOptions(int argc, char** argv) {
  CompileCommand command;
  Text text;
  CLI::App app("Compiles an attention graph to a plan for hsa-run.", "hsa-compile");
  Declare(app, command, text);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    command.help = app.help();
    return command;
  } catch (const CLI::CallForVersion&) {
    command.help = app.version() + "\n";
    return command;
  } catch (const CLI::ParseError& error) {
    return Usage(std::string(error.what()));
  }
  if (absl::Status target = CheckTarget(text); !target.ok()) return target;
  absl::StatusOr<std::vector<std::string>> cpus = frontend::ParseCpus(text.mcpu);
  if (!cpus.ok()) return Usage("--mcpu: ", std::string(cpus.status().message()));
  command.options.cpus = *std::move(cpus);
  command.options.precision =
      static_cast<frontend::Precision>(std::ranges::find(frontend::kPrecisionNames, text.precision) - frontend::kPrecisionNames.begin());
  if (absl::Status cache = ReadCache(text, command); !cache.ok()) return cache;
  if (command.warm) {
    if (absl::Status warm = CheckWarm(text, command); !warm.ok()) return warm;
    return command;
  }
  if (command.graphs.size() > 1) return Usage("one GRAPH makes one plan, and there are ", command.graphs.size(), "; give one, or --warm");
  if (absl::Status emit = ReadEmit(text.emit, command); !emit.ok()) return emit;
  std::error_code missing;  // a file that does not exist yet is another file
  if (!command.output.empty() && std::filesystem::equivalent(command.graphs.front(), command.output, missing)) {
    return Usage("-o ", command.output, " would replace the graph itself");
  }
  return command;
}

// "causal.hsaplan: 143 KiB, native (avx512 8x32), 118 ms, cache miss"
std::string Summary(const std::string& name, const frontend::CompileOptions& options, const frontend::CompileResult& result) {
  const auto variant = [](std::string* out, const format::Variant& v) {
    absl::StrAppend(out, v.name(), " (", v.isa(), " ", v.tile(), ")");
  };
  return absl::StrCat(name, ": ", (result.plan_bytes.size() + 1023) / 1024, " KiB, ",
                      absl::StrJoin(result.header.variants(), ", ", variant), ", ", std::ceil(result.seconds * 1e3), " ms, ",
                      !options.use_cache ? "cache off"
                      : result.cache_hit ? "cache hit"
                                         : "cache miss");
}

void Warn(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) std::cerr << "hsa-compile: warning: " << warning << '\n';
}

absl::Status WritePlan(const frontend::Graph& graph, const CompileCommand& command) {
  absl::StatusOr<frontend::CompileResult> result = frontend::Compile(graph, command.options);
  if (!result.ok()) return result.status();
  Warn(result->warnings);
  if (absl::Status written = format::WritePlanFile(command.output, result->plan_bytes); !written.ok()) return written;
  std::cout << Summary(command.output, command.options, *result) << '\n';
  return absl::OkStatus();
}

absl::Status WriteLayer(const frontend::Graph& graph, const CompileCommand& command) {
  absl::StatusOr<std::string> bytes = frontend::EmitLayer(graph, command.options.cpus.front(), command.options.precision, *command.layer);
  if (!bytes.ok()) return bytes.status();
  if (!command.output.empty()) return format::WritePlanFile(command.output, *bytes);
  std::cout << *bytes << std::flush;
  return std::cout.good() ? absl::OkStatus() : absl::DataLossError("standard output: writing failed");
}

// Here a cache that does not take the plan is an error: there is nothing else that the command was for.
absl::Status WarmCache(const std::string& path, const frontend::CompileOptions& options) {
  absl::StatusOr<frontend::Graph> graph = frontend::LoadGraph(path);
  if (!graph.ok()) return graph.status();
  absl::StatusOr<frontend::CompileResult> result = frontend::Compile(*graph, options);
  if (!result.ok()) return result.status();
  if (!result->cached) return absl::FailedPreconditionError(result->warnings.back());
  Warn(result->warnings);
  std::cout << Summary(path, options, *result) << std::endl;
  return absl::OkStatus();
}

absl::Status RunCompile(const CompileCommand& command) {
  if (command.warm) {
    for (const std::string& path : command.graphs)
      if (absl::Status warm = WarmCache(path, command.options); !warm.ok()) return warm;
    return absl::OkStatus();
  }
  absl::StatusOr<frontend::Graph> graph = frontend::LoadGraph(command.graphs.front());
  if (!graph.ok()) return graph.status();
  return command.layer.has_value() ? WriteLayer(*graph, command) : WritePlan(*graph, command);
}

}  // namespace
}  // namespace hsa

int main(int argc, char** argv) {
  absl::StatusOr<hsa::CompileCommand> command = hsa::ParseCompileOptions(argc, argv);
  if (!command.ok()) return hsa::Fail(2, "hsa-compile", command.status());
  if (!command->help.empty()) return (std::cout << command->help).good() ? 0 : 1;
  if (absl::Status done = hsa::RunCompile(*command); !done.ok()) return hsa::Fail(1, "hsa-compile", done);
}
