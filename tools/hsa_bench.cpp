// hsa-bench: how fast the parts of HSA are on this machine, as a share of what its cores can do.
//
//   hsa-bench [--capture FILE.safetensors] [--benchmark_filter=REGEX] [--benchmark_format=json] …   flags of Google Benchmark
//   hsa-bench quality FILE.safetensors …   how few keys an error takes (hsa_bench_quality.h)
#include "tools/hsa_bench.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tools/fail.h"
#include "tools/hsa_bench_quality.h"

namespace {

constexpr std::string_view kDefaultCapture = "examples/data/qkv_8k_prose_L22.safetensors";

// Takes --capture FILE or --capture=FILE out of the arguments, so that Google Benchmark only sees its own. Empty when it is not there.
absl::StatusOr<std::string> TakeCapture(std::vector<char*>& arguments) {
  std::string capture;
  for (size_t i = 1; i < arguments.size();) {
    const std::string_view argument = arguments[i];
    if (argument == "--capture" && i + 1 == arguments.size())
      return absl::InvalidArgumentError("--capture: no file follows, wanted a safetensors file");
    if (argument != "--capture" && !argument.starts_with("--capture=")) {
      ++i;
      continue;
    }
    const bool apart = argument == "--capture";
    capture = apart ? arguments[i + 1] : std::string(argument.substr(argument.find('=') + 1));
    arguments.erase(arguments.begin() + i, arguments.begin() + i + (apart ? 2 : 1));
  }
  return capture;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "quality") return hsa::bench::QualityMain(argc - 1, argv + 1);
  std::vector<char*> arguments(argv, argv + argc);
  const absl::StatusOr<std::string> capture = TakeCapture(arguments);
  if (!capture.ok()) return hsa::Fail(2, "hsa-bench", capture.status());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  hsa::bench::RegisterExact();
  hsa::bench::RegisterStages();
  hsa::bench::RegisterRouted();
  const absl::Status splats = hsa::bench::RegisterSplats(capture->empty() ? std::string(kDefaultCapture) : *capture);
  if (!splats.ok() && !capture->empty()) return hsa::Fail(1, "hsa-bench", splats);
  if (!splats.ok())
    std::cerr << "hsa-bench: " << std::string(splats.message()) << "; SplatsRun and IndexBuild are left out, or give --capture\n";
  hsa::bench::RegisterCompile();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
