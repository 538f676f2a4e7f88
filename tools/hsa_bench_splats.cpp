// Splats on real Q, K, V: beside exact attention in the same process, with the error of sampled queries.
#include "absl/strings/str_cat.h"
#include "runtime/exact.h"
#include "tools/hsa_bench.h"
#include "tools/hsa_bench_capture.h"

namespace hsa::bench {
namespace {

double MedianError(const Plan& plan, const Inputs& inputs, const OutputRows& output) {
  const AttentionSpec spec{.scale = plan.graph().scale(), .causal = true};
  const absl::StatusOr<VerifyStats> stats =
      Verify(spec, inputs.query, inputs.key, inputs.value, output.view(), {}, {.queries = 64, .seed = 0});
  return stats.ok() ? stats->median : -1;
}

void SplatsRun(benchmark::State& state, const Capture& capture, int64_t tokens) {
  const Inputs inputs = Prefix(capture.all, tokens);
  OutputRows output(inputs);
  RunOptions exact, splats;
  exact.mode = Mode::kExact;
  exact.threads = splats.threads = 1;
  SpeedGauge exact_gauge, splats_gauge;
  absl::StatusOr<RunReport> report;
  for (auto _ : state) {
    state.PauseTiming();  // exact and splats take turns, so that both see the same machine
    exact_gauge.Start();
    report = Run(capture.plan, inputs, output.outputs, exact);
    exact_gauge.Stop();
    state.ResumeTiming();
    if (report.ok()) {
      splats_gauge.Start();
      report = Run(capture.plan, inputs, output.outputs, splats);
      splats_gauge.Stop();
    }
    if (!report.ok()) return state.SkipWithError(std::string(report.status().message()).c_str());
  }
  state.counters["exact_ms"] = exact_gauge.median_seconds() * 1e3;
  state.counters["speedup"] = exact_gauge.median_seconds() / splats_gauge.median_seconds();
  state.counters["ceiling"] = 1 / report->read.total;
  state.counters["read"] = report->read.total;
  state.counters["median_error"] = MedianError(capture.plan, inputs, output);
}

}  // namespace

void RegisterSplats(const Capture& capture) {
  for (int64_t tokens = 4096; tokens <= capture.all.key.tokens(); tokens *= 2)
    benchmark::RegisterBenchmark(absl::StrCat("SplatsRun/n:", tokens).c_str(), [&capture, tokens](benchmark::State& state) {
      SplatsRun(state, capture, tokens);
    })->Unit(benchmark::kMillisecond);
}

}  // namespace hsa::bench
