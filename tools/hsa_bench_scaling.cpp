// One thread beside two, by turns.
#include "absl/strings/str_cat.h"
#include "tools/hsa_bench.h"
#include "tools/hsa_bench_capture.h"

namespace hsa::bench {
namespace {

void Scaling(benchmark::State& state, const Capture& capture, int64_t tokens, RunOptions options) {
  const Inputs inputs = Prefix(capture.all, tokens);
  OutputRows output(inputs);
  SpeedGauge one, two;
  absl::Status done;
  const auto run = [&](SpeedGauge& gauge, int threads) {
    options.threads = threads;
    gauge.Start();
    done = Run(capture.plan, inputs, output.outputs, options).status();
    gauge.Stop();
  };
  for (auto _ : state) {
    state.PauseTiming();
    run(one, 1);
    state.ResumeTiming();
    if (done.ok()) run(two, 2);
    if (!done.ok()) return state.SkipWithError(std::string(done.message()).c_str());
  }
  state.counters["one_thread_ms"] = one.median_seconds() * 1e3;
  state.counters["two_over_one"] = one.median_seconds() / two.median_seconds();
}

}  // namespace

void RegisterScaling(const Capture& capture) {
  const std::pair<const char*, RunOptions> kWays[] = {{"exact", {.mode = Mode::kExact}},
                                                      {"tolerance", {.mode = Mode::kTolerance, .crossover_keys = 1}},
                                                      {"theta", {.mode = Mode::kTheta, .theta = 0.003}}};
  for (const auto& [name, options] : kWays)
    for (int64_t tokens = 8192; tokens <= capture.all.key.tokens(); tokens *= 2)
      benchmark::RegisterBenchmark(absl::StrCat("Scaling/", name, "/n:", tokens).c_str(),
                                   [&capture, tokens, options](benchmark::State& state) { Scaling(state, capture, tokens, options); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
}

}  // namespace hsa::bench
