// The flags of hsa-bench quality.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tools/check_given.h"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {
namespace {

// Flags as they were written.
struct Text {
  std::string errors, budgets, decode_budgets, last, verify, oracle_queries, seed, threads;
};

void Declare(CLI::App& app, QualityCommand& command, Text& text) {
  app.add_option("FILE", command.files, "safetensors files with q [H,N,D], k [Hkv,M,D] and v [Hkv,M,Dv]; attention is causal")->required();
  app.add_option("--errors", text.errors, "relative L2 errors to hold runs to, each in (0, 1) (default 0.2,0.1,0.05,0.02,0.01)")
      ->type_name("E[,E]");
  app.add_option("--budgets", text.budgets, "shares of the visible keys to give runs, each in (0, 1] (default 0.018,0.036,0.073,0.15,0.3)")
      ->type_name("F[,F]");
  app.add_option("--decode-budgets", text.decode_budgets,
                 "shares of the visible keys to give single late queries, each in (0, 1] (default 0.0045,0.009,0.018,0.036,0.073,0.15)")
      ->type_name("F[,F]");
  app.add_option("--last", text.last, "use the last N queries of each file only (default: all)")->type_name("N");
  app.add_option("--verify", text.verify, "query positions, all heads, to compare with float64 (default 256)")->type_name("N");
  app.add_option("--oracle-queries", text.oracle_queries,
                 "query positions, among the last quarter of the keys, for the oracle and for single late queries (default 64)")
      ->type_name("N");
  app.add_option("--seed", text.seed, "of everything that is drawn at random (default 0)")->type_name("N");
  app.add_option("--threads", text.threads, "default: all that the machine has")->type_name("N");
  app.add_option("--json", command.json, "write all numbers here")->type_name("FILE");
  app.add_option("--html", command.html, "write a page with the curves here")->type_name("FILE");
}

template <typename... Words>
absl::Status Usage(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words..., "; hsa-bench quality --help lists the flags"));
}

// Sets `list` from "0.1,0.05"; an empty text leaves it alone.
absl::Status SetShares(std::vector<double>& list, const std::string& flag, const std::string& text, double below,
                       const std::string& wanted) {
  if (text.empty()) return absl::OkStatus();
  list.clear();
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ','))) {
    double share = 0;
    if (!absl::SimpleAtod(part, &share) || !(share > 0 && share < below)) return Usage(flag, " has '", part, "', wanted ", wanted);
    list.push_back(share);
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status SetCount(T& count, const std::string& flag, const std::string& text, T least, T most, const std::string& wanted) {
  if (text.empty()) return absl::OkStatus();
  T number{};
  if (!absl::SimpleAtoi(text, &number) || number < least || number > most) return Usage(flag, " is '", text, "', wanted ", wanted);
  count = number;
  return absl::OkStatus();
}

absl::Status SetNumbers(const Text& text, QualityCommand& command) {
  constexpr int64_t kMost = int64_t{1} << 40;
  absl::Status set =
      SetShares(command.errors, "--errors", text.errors, 1.0, "errors of more than 0 and less than 1, with commas between them");
  if (set.ok())
    set = SetShares(command.budgets, "--budgets", text.budgets, 1 + 1e-12, "shares of more than 0 and at most 1, with commas between them");
  if (set.ok())
    set = SetShares(command.decode_budgets, "--decode-budgets", text.decode_budgets, 1 + 1e-12,
                    "shares of more than 0 and at most 1, with commas between them");
  if (set.ok()) set = SetCount<int64_t>(command.last, "--last", text.last, 1, kMost, "a number of queries, 1 or more");
  if (set.ok()) set = SetCount<int64_t>(command.verify, "--verify", text.verify, 1, kMost, "a number of query positions, 1 or more");
  if (set.ok())
    set = SetCount<int64_t>(command.oracle_queries, "--oracle-queries", text.oracle_queries, 1, kMost,
                            "a number of query positions, 1 or more");
  if (set.ok()) set = SetCount<uint64_t>(command.seed, "--seed", text.seed, 0, ~uint64_t{0}, "an integer of 0 or more");
  if (set.ok()) set = SetCount<int>(command.threads, "--threads", text.threads, 1, 65536, "1 to 65536");
  return set;
}

// No file is written twice, and none that is read is written.
absl::Status CheckFiles(const QualityCommand& command) {
  std::map<std::string, std::string> seen;
  const auto real = [](const std::string& path) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
    return error ? path : whole.string();
  };
  for (const std::string& file : command.files) seen.emplace(real(file), "FILE");
  for (const auto& [flag, path] : {std::pair("--json", command.json), std::pair("--html", command.html)}) {
    std::error_code error;
    if (path.empty() || (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))) continue;
    if (const auto [other, first] = seen.emplace(real(path), flag); !first)
      return Usage(other->second, " and ", flag, " are the same file ", path, ", give two");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<QualityCommand> ParseQualityOptions(int argc, const char* const* argv) {
  QualityCommand command;
  command.line = absl::StrCat("hsa-bench ", absl::StrJoin(std::vector<std::string>(argv, argv + argc), " "));
  Text text;
  CLI::App app("What runs read for the error that they are held to, beside a plainer method and beside the true top keys.",
               "hsa-bench quality");
  app.footer("docs/accuracy.md says how to read it.\nExit status: 0, 1 for a failed run, 2 for wrong usage, 130 for Ctrl-C.");
  Declare(app, command, text);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    command.help = app.help();
    return command;
  } catch (const CLI::ParseError& error) {
    return Usage(absl::StrReplaceAll(std::string(error.what()), {{"\n", " "}}));
  }
  absl::Status status = CheckGiven(app);
  if (status.ok()) status = SetNumbers(text, command);
  if (status.ok()) status = CheckFiles(command);
  if (!status.ok()) return status;
  return command;
}

}  // namespace hsa::bench
