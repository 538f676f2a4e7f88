// hsa-bench: how fast the parts of HSA are on this machine, as a share of what its cores can do.
//
//   hsa-bench [--capture FILE.safetensors] [--markdown FILE] [--html FILE] [--compare OLD.json] [--longest TOKENS] [--benchmark_filter=REGEX] …
//       --longest 4194304 adds the sizes of Decode and Streaming up to there, which take minutes each.
//       The rest are flags of Google Benchmark; --benchmark_out=FILE.json keeps a run for --compare, --benchmark_repetitions=N tells its noise.
//       Exit status: 0, 1 for a file that is refused or cannot be written, 2 for wrong usage, 3 when --compare found something slower.
//   hsa-bench quality FILE.safetensors …   how few keys an error takes (hsa_bench_quality.h)
#include "tools/hsa_bench.h"

#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/machine.h"
#include "runtime/write_file.h"
#include "tools/fail.h"
#include "tools/hsa_bench_adapt.h"
#include "tools/hsa_bench_capture.h"
#include "tools/hsa_bench_quality.h"
#include "tools/hsa_bench_results.h"
#include "tools/hsa_bench_sparse.h"

namespace hsa::bench {
namespace {

constexpr std::string_view kDefaultCapture = "examples/data/qkv_8k_prose_L22.safetensors";

// Takes FLAG FILE or FLAG=FILE (or a number in its place) out of the arguments, so that Google Benchmark only sees its own. Empty when it is not there.
absl::StatusOr<std::string> TakeFile(const std::string& flag, std::vector<char*>& arguments) {
  std::string file;
  for (size_t i = 1; i < arguments.size();) {
    const std::string_view argument = arguments[i];
    if (argument == flag && i + 1 == arguments.size()) return absl::InvalidArgumentError(flag + ": no file follows, wanted its name");
    if (argument != flag && !argument.starts_with(flag + "=")) {
      ++i;
      continue;
    }
    const bool apart = argument == flag;
    file = apart ? arguments[i + 1] : std::string(argument.substr(flag.size() + 1));
    if (file.empty()) return absl::InvalidArgumentError(flag + ": is empty, wanted the name of a file");
    arguments.erase(arguments.begin() + i, arguments.begin() + i + (apart ? 2 : 1));
  }
  return file;
}

// The files of a run that Google Benchmark does not know of; empty: not given.
struct Files {
  std::string capture, markdown, html, compare, longest;
};

absl::StatusOr<Files> TakeFiles(std::vector<char*>& arguments) {
  Files files;
  const std::pair<const char*, std::string*> flags[] = {{"--capture", &files.capture},
                                                        {"--markdown", &files.markdown},
                                                        {"--html", &files.html},
                                                        {"--compare", &files.compare},
                                                        {"--longest", &files.longest}};
  for (const auto& [flag, file] : flags) {
    absl::StatusOr<std::string> taken = TakeFile(flag, arguments);
    if (!taken.ok()) return taken.status();
    *file = *std::move(taken);
  }
  return files;
}

// Most tokens of a benchmark that takes minutes at millions of them.
absl::StatusOr<int64_t> LongestOf(const Files& files) {
  constexpr int64_t kUsual = 262144;
  if (files.longest.empty()) return kUsual;
  int64_t tokens = 0;
  if (!absl::SimpleAtoi(files.longest, &tokens) || tokens < 1)
    return absl::InvalidArgumentError(absl::StrCat("--longest is '", files.longest, "', wanted a number of tokens, such as 1048576"));
  return std::max(tokens, kUsual);
}

// Benchmarks that need no capture, and the others where there is one.
absl::Status Register(const Files& files) {
  absl::StatusOr<int64_t> longest = LongestOf(files);
  if (!longest.ok()) return longest.status();
  RegisterExact();
  RegisterStages();
  RegisterRouted();
  RegisterAdapt();
  absl::StatusOr<std::unique_ptr<Capture>> opened = OpenCapture(files.capture.empty() ? std::string(kDefaultCapture) : files.capture);
  if (!opened.ok() && !files.capture.empty()) return opened.status();
  static const std::unique_ptr<Capture> capture = opened.ok() ? *std::move(opened) : nullptr;
  RegisterSparse(capture.get());
  if (capture != nullptr) {
    RegisterSplats(*capture);
    RegisterIndex(*capture, *longest);
    RegisterStream(*capture, *longest);
    RegisterScaling(*capture);
  } else {
    std::cerr << "hsa-bench: " << std::string(opened.status().message())
              << "; SplatsRun, IndexBuild, Decode, Streaming and Scaling are left out, or give --capture\n";
  }
  RegisterCompile();
  return absl::OkStatus();
}

// What was asked for beside the display. True when nothing got slower.
absl::StatusOr<bool> Tell(const Files& files, const std::vector<Measured>& old_run, const BenchRun& run) {
  if (!files.markdown.empty())
    if (absl::Status written = WriteFile(files.markdown, ResultsMarkdown(run)); !written.ok()) return written;
  if (!files.html.empty())
    if (absl::Status written = WriteFile(files.html, ResultsHtml(run)); !written.ok()) return written;
  if (files.compare.empty()) return true;
  const Comparison comparison = Compare(old_run, run.benchmarks);
  std::cout << '\n' << comparison.text;
  return comparison.slower == 0;
}

int Main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  const std::string line = absl::StrCat("hsa-bench ", absl::StrJoin(arguments.begin() + 1, arguments.end(), " "));
  const absl::StatusOr<Files> files = TakeFiles(arguments);
  if (!files.ok()) return Fail(2, "hsa-bench", files.status());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  // Looked at before the minutes that the benchmarks take.
  for (const std::string& path : {files->markdown, files->html})
    if (const absl::Status written = path.empty() ? absl::OkStatus() : WriteFile(path, ""); !written.ok())
      return Fail(1, "hsa-bench", written);
  const absl::StatusOr<std::vector<Measured>> old_run = files->compare.empty() ? std::vector<Measured>() : ReadResults(files->compare);
  if (!old_run.ok()) return Fail(1, "hsa-bench", old_run.status());
  if (const absl::Status registered = Register(*files); !registered.ok()) return Fail(1, "hsa-bench", registered);
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  const absl::StatusOr<bool> good = Tell(*files, *old_run, {line, ThisMachine().model, Now(), collector.Take()});
  benchmark::Shutdown();
  if (!good.ok()) return Fail(1, "hsa-bench", good.status());
  return *good ? 0 : 3;
}

}  // namespace
}  // namespace hsa::bench

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "quality") return hsa::bench::QualityMain(argc - 1, argv + 1);
  return hsa::bench::Main(argc, argv);
}
