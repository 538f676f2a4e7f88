// hsa-bench: how fast the parts of HSA are on this machine, as a share of what its cores can do.
//
//   hsa-bench [--capture FILE.safetensors] [--benchmark_filter=REGEX] [--benchmark_format=json] …   flags of Google Benchmark
#include "tools/hsa_bench.h"

#include <string_view>

int main(int argc, char** argv) {
  hsa::bench::RegisterExact();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
