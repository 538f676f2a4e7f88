#include "tools/run_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "tools/adapt_flag.h"
#include "tools/byte_size.h"
#include "tools/check_given.h"

namespace hsa {
namespace {

// Flags as they were written; what they mean is checked afterwards, so that each message can say what it wants.
struct Text {
  std::string theta, budget, seed, segment, threads, memory_budget, out_dtype, precision, verify, tolerance, confidence, adapt, splats_by,
      links_by, window, refine, token_error, search, affinity_cache;
  bool exact = false;
};

void Declare(CLI::App& app, RunCommand& command, Text& text) {
  app.add_option("PLAN", command.plan, "plan that hsa-compile wrote (*.hsaplan)")->required();
  app.add_option("--in", command.input, "safetensors file with the plan's query, key and value")->required()->type_name("FILE");
  app.add_option("--splats", command.splats, "safetensors file with the splats of a plan of scheme routed (default: that of --in)")
      ->type_name("FILE");
  app.add_option("--make-splats", command.make_splats, "make the splats from the keys, write them here and run with them")
      ->type_name("FILE");
  app.add_option("--splats-by", text.splats_by, "how --make-splats groups the keys: bisection (default), or kmeans, drawn by --seed")
      ->type_name("bisection|kmeans");
  app.add_option("--links-by", text.links_by,
                 "links that --make-splats makes: zeros (default), or overlap: what splats of both levels share")
      ->type_name("HOW");
  app.add_option("--state", command.options.load_states,
                 "go on from this state of a plan of scheme routed, with its splats; may be repeated")
      ->type_name("FILE")
      ->expected(1)
      ->take_all();
  app.add_option("--state-out", command.options.save_state, "write the state at the end here (*.hsastate)")->type_name("FILE");
  app.add_option("--adapt", text.adapt,
                 "splats of a causal plan of scheme routed come, go and move while tokens stream by; observe: only measure their residual; "
                 "off: not "
                 "even where the plan says so "
                 "(docs/routed.md)")
      ->type_name("off|on|observe|LIMITS");
  app.add_option("--token-error", text.token_error,
                 "scheme routed: send near-identical tokens as one and leave out those that hardly count, changing outputs by at most this "
                 "share of the largest value, in (0, 1) (docs/routed.md)")
      ->type_name("EPSILON");
  app.add_option("--window", text.window,
                 "causal plans of scheme routed: a token sees N tokens, and those of its pane, an eighth of N; a multiple of 512, 0 for "
                 "all before it (docs/routed.md)")
      ->type_name("N");
  app.add_option("--refine", text.refine,
                 "dense plans of scheme routed: queries receive from coarse levels first, and from finer ones while the last one changed "
                 "them by more than this share, in (0, 1) (docs/routed.md)")
      ->type_name("EPSILON");
  app.add_option("--search", text.search,
                 "sparse plans of scheme routed: how tokens look for their splats (default: the fastest for each level) (docs/routed.md)")
      ->type_name("brute|descent|hnsw");
  app.add_option("--affinity-cache", text.affinity_cache,
                 "sparse plans of scheme routed: remember what segments of 1,024 tokens found, in so many bytes, for when they come again")
      ->type_name("SIZE");
  app.add_option("-o,--output", command.output, "safetensors file to write; without it the result is only measured")->type_name("FILE");
  app.add_flag("--exact", text.exact, "read every visible key");
  app.add_option("--theta", text.theta, "open splats above this residual; 0 opens all")->type_name("THETA");
  app.add_option("--budget", text.budget, "read about this share of the visible keys, within 10 %, in (0, 1]")->type_name("F");
  app.add_option("--tolerance", text.tolerance, "relative L2 error that a query's output may have, in (0, 1)")->type_name("EPSILON");
  app.add_option("--confidence", text.confidence, "probability that it keeps to it, in (0, 1) (default 0.95)")->type_name("P");
  app.add_option("--seed", text.seed, "of everything that is drawn at random (default 0)")->type_name("N");
  app.add_option("--save-index", command.options.save_index, "write the splat index here")->type_name("FILE");
  app.add_option("--index", command.options.load_index, "use this splat index instead of building one")->type_name("FILE");
  app.add_flag("--check-index", command.options.check_index, "compare every byte of the index and all keys, not a sample");
  app.add_option("--segment", text.segment, "keys streamed at a time in exact mode (default: the plan's segment)")->type_name("N");
  app.add_option("--threads", text.threads, "default: all that the machine has")->type_name("N");
  app.add_option("--memory-budget", text.memory_budget, "bound on anonymous memory: bytes, or with KiB, MiB, GiB")->type_name("SIZE");
  app.add_option("--scratch", command.options.scratch_dir, "folder for what does not fit (default: the system's temporary one)")
      ->type_name("DIR");
  app.add_option("--out-dtype", text.out_dtype, "f32 or bf16 (default f32)")->type_name("TYPE");
  app.add_option(
         "--precision", text.precision,
         "of the products: f32, or bf16 or int8 of a plan that has code for it (default: as it was compiled, where that is faster here)")
      ->type_name("TYPE");
  app.add_flag("--lse", command.lse, "also write lse, the logarithm of each row's sum");
  app.add_flag("--error", command.error, "also write error, the relative L2 error that each row is expected to have");
  app.add_option("--trace", command.trace, "write what happened when, for ui.perfetto.dev")->type_name("FILE");
  app.add_option("--verify", text.verify, "compare N random query positions, all heads, with float64")->type_name("N");
  app.add_option("--report", command.report, "write the numbers of the run as JSON (docs/report.md)")->type_name("FILE");
  app.add_option("--variant", command.variant, "use this variant of the plan's code (default: the best that runs here)")->type_name("NAME");
  app.add_option("--machine-profile", command.machine_profile,
                 "what was measured of this machine (docs/machine.md); none: measure nothing (default: machine.json in ~/.cache/hsa)")
      ->type_name("FILE");
  app.set_version_flag("--version", "hsa-run " HSA_VERSION);
}

absl::Status Usage(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(what), "; hsa-run --help lists the flags"));
}

absl::Status Unwanted(std::string_view flag, const std::string& given, std::string_view wanted) {
  return Usage(absl::StrCat(std::string(flag), " is '", given, "', wanted ", std::string(wanted)));
}

// Sets `value` from the text of a flag; an empty text leaves it alone.
template <typename T>
absl::Status Set(T& value, std::string_view flag, const std::string& text, T least, T most, std::string_view wanted) {
  if (text.empty()) return absl::OkStatus();
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // Written so that NaN, which is neither less nor more, is refused as well.
  if (error != std::errc() || end != text.data() + text.size() || !(number >= least && number <= most)) return Unwanted(flag, text, wanted);
  value = number;
  return absl::OkStatus();
}

absl::Status SetMode(const Text& text, RunOptions& options) {
  if (text.exact + !text.theta.empty() + !text.budget.empty() + !text.tolerance.empty() > 1)
    return Usage("--exact, --tolerance, --theta and --budget exclude each other, give one of them");
  if (!text.confidence.empty() && text.exact + !text.theta.empty() + !text.budget.empty() > 0)
    return Usage("--confidence belongs to --tolerance, give it alone or with that");
  if (text.exact) {
    options.mode = Mode::kExact;
    if (!options.save_index.empty() || !options.load_index.empty())
      return Usage("--exact reads every key and has no index, give --tolerance, --theta or --budget with --index or --save-index");
  }
  if (!text.theta.empty()) {
    options.mode = Mode::kTheta;
    double theta = 0;
    if (absl::Status set = Set(theta, "--theta", text.theta, 0.0, std::numeric_limits<double>::max(), "a number of 0 or more"); !set.ok())
      return set;
    options.theta = theta;
  }
  if (!text.tolerance.empty() || !text.confidence.empty()) {
    options.mode = Mode::kTolerance;
    constexpr double kAboveZero = std::numeric_limits<double>::min(), kBelowOne = 1 - std::numeric_limits<double>::epsilon() / 2;
    absl::Status set = Set(options.tolerance.error, "--tolerance", text.tolerance, kAboveZero, kBelowOne, "more than 0, less than 1");
    if (set.ok())
      set = Set(options.tolerance.confidence, "--confidence", text.confidence, kAboveZero, kBelowOne, "more than 0, less than 1");
    if (!set.ok()) return set;
  }
  if (!text.exact && !text.segment.empty())
    return Usage("--segment is of exact mode, where keys are streamed; give --exact with it, or leave it out");
  if (!text.budget.empty()) {
    options.mode = Mode::kBudget;
    if (absl::Status set = Set(options.budget, "--budget", text.budget, std::numeric_limits<double>::min(), 1.0, "more than 0, at most 1");
        !set.ok())
      return set;
  }
  return absl::OkStatus();
}

absl::Status SetNumbers(const Text& text, RunCommand& command) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  RunOptions& options = command.options;
  absl::Status set = Set<uint64_t>(options.seed, "--seed", text.seed, 0, std::numeric_limits<uint64_t>::max(), "an integer of 0 or more");
  if (set.ok()) set = Set<int64_t>(options.segment_tokens, "--segment", text.segment, 1, kMost, "a number of tokens, 1 or more");
  if (set.ok()) set = Set<int>(options.threads, "--threads", text.threads, 1, 65536, "1 to 65536");
  if (set.ok()) set = Set<int64_t>(command.verify, "--verify", text.verify, 1, kMost, "a number of query positions, 1 or more");
  if (int64_t window = 0; set.ok() && !text.window.empty()) {
    set = Set<int64_t>(window, "--window", text.window, 0, kMost, "a number of tokens, or 0 for all");
    options.window_tokens = window;
  }
  if (!set.ok()) return set;
  if (!text.memory_budget.empty()) {
    const std::optional<int64_t> bytes = ParseByteSize(text.memory_budget);
    if (!bytes || *bytes == 0) return Unwanted("--memory-budget", text.memory_budget, "a size such as 256MiB");
    options.memory_budget_bytes = *bytes;
  }
  if (!text.affinity_cache.empty()) {
    const std::optional<int64_t> bytes = ParseByteSize(text.affinity_cache);
    if (!bytes || *bytes == 0) return Unwanted("--affinity-cache", text.affinity_cache, "a size such as 64MiB");
    command.affinity_cache_bytes = *bytes;
  }
  if (!text.splats_by.empty() && text.splats_by != "bisection" && text.splats_by != "kmeans")
    return Unwanted("--splats-by", text.splats_by, "bisection or kmeans");
  if (!text.splats_by.empty() && command.make_splats.empty()) return Usage("--splats-by makes splats, give it with --make-splats");
  if (!text.links_by.empty() && text.links_by != "zeros" && text.links_by != "overlap")
    return Unwanted("--links-by", text.links_by, "zeros or overlap");
  if (!text.links_by.empty() && command.make_splats.empty()) return Usage("--links-by makes links, give it with --make-splats");
  command.links_by = text.links_by == "overlap" ? LinksBy::kOverlap : LinksBy::kZeros;
  command.splats_by = text.splats_by == "kmeans" ? SplatsBy::kKmeans : SplatsBy::kBisection;
  if (!text.refine.empty()) {
    double error = 0;
    set = Set(error, "--refine", text.refine, 0.0, 1.0, "a number in (0, 1)");
    if (!set.ok()) return set;
    options.refine = error;
  }
  if (!text.token_error.empty()) {
    double error = 0;
    set = Set(error, "--token-error", text.token_error, 0.0, 1.0, "a number in (0, 1)");
    if (!set.ok()) return set;
    options.token_error = error;
  }
  if (!text.search.empty()) {
    for (const LevelSearch search : {LevelSearch::kBrute, LevelSearch::kDescent, LevelSearch::kHnsw})
      if (text.search == LevelSearchName(search)) options.search = search;
    if (!options.search) return Unwanted("--search", text.search, "brute, descent or hnsw");
  }
  if (!text.adapt.empty()) {
    absl::StatusOr<AdaptLimits> limits = ParseAdapt(text.adapt);
    if (!limits.ok()) return limits.status();
    options.adapt = *limits;
  }
  if (!text.out_dtype.empty() && text.out_dtype != "f32" && text.out_dtype != "bf16")
    return Unwanted("--out-dtype", text.out_dtype, "f32 or bf16");
  command.out_dtype = text.out_dtype == "bf16" ? DType::kBF16 : DType::kF32;
  const std::map<std::string, Products> products = {
      {"", Products::kWhereFaster}, {"f32", Products::kF32}, {"bf16", Products::kBf16}, {"int8", Products::kInt8}};
  if (!products.contains(text.precision)) return Unwanted("--precision", text.precision, "f32, bf16 or int8");
  options.products = products.at(text.precision);
  return absl::OkStatus();
}

// No file is written twice, and none that is read is written.
absl::Status CheckFiles(const RunCommand& command) {
  std::vector<std::pair<std::string_view, const std::string*>> files;
  for (const std::string& state : command.options.load_states) files.emplace_back("--state", &state);
  const std::size_t states = files.size();
  files.insert(files.end(), {{"PLAN", &command.plan},
                             {"--in", &command.input},
                             {"--splats", &command.splats},
                             {"--index", &command.options.load_index},
                             {"--save-index", &command.options.save_index},
                             {"-o", &command.output},
                             {"--make-splats", &command.make_splats},
                             {"--trace", &command.trace},
                             {"--report", &command.report},
                             {"--state-out", &command.options.save_state}});
  const std::size_t read = states + 4;  // the first ones
  std::map<std::string, std::string_view> seen;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& [flag, path] = files[i];
    std::error_code error;
    if (path->empty() || (std::filesystem::exists(*path, error) && !std::filesystem::is_regular_file(*path, error))) continue;
    const std::filesystem::path real = std::filesystem::weakly_canonical(std::filesystem::absolute(*path, error), error);
    const auto [other, first] = seen.emplace(error ? *path : real.string(), flag);
    if (!first && i >= read)
      return Usage(absl::StrCat(std::string(other->second), " and ", std::string(flag), " are the same file ", *path, ", give two"));
  }
  if (command.options.check_index && command.options.load_index.empty())
    return Usage("--check-index looks at an index, give it with --index");
  if (!command.make_splats.empty() && !command.splats.empty())
    return Usage("--splats and --make-splats exclude each other, give one of them");
  if (!command.options.load_states.empty() && !command.make_splats.empty())
    return Usage("--state goes on with the splats of its file, --make-splats makes others, give one of them");
  if (!command.options.save_index.empty() && !command.options.load_index.empty())
    return Usage("--index and --save-index exclude each other, give one of them");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunCommand> ParseRunOptions(int argc, const char* const* argv) {
  RunCommand command;
  Text text;
  CLI::App app("Runs a compiled attention plan over the tensors of a safetensors file.", "hsa-run");
  app.footer(
      "Mode: one of --tolerance, --budget, --theta and --exact; without any, what the plan says: a tolerance of 0.05 at 0.95 unless its "
      "graph "
      "gives another or a theta.\nExit status: 0, 1 for a failed run, 2 for wrong usage, 130 for Ctrl-C.");
  Declare(app, command, text);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    command.help = app.help();
    return command;
  } catch (const CLI::CallForVersion& version) {
    command.help = absl::StrCat(version.what(), "\n");
    return command;
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return Usage(message);
  }
  absl::Status status = CheckGiven(app);
  if (status.ok()) status = SetMode(text, command.options);
  if (status.ok() && command.error && !text.theta.empty())
    status = Usage("--error is scaled by audited queries, which --theta has none of, give --tolerance or --budget with it");
  if (status.ok()) status = SetNumbers(text, command);
  if (status.ok()) status = CheckFiles(command);
  if (!status.ok()) return status;
  if (command.machine_profile == "none") command.machine_profile.clear();
  return command;
}

}  // namespace hsa
