// A long file by splats, within a budget of memory and without one: time and anonymous memory of both.
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "runtime/memory_usage.h"
#include "runtime/tensor_writer.h"
#include "tools/hsa_bench.h"
#include "tools/hsa_bench_capture.h"

namespace hsa::bench {
namespace {

constexpr double kMiB = 1 << 20;

// Anonymous memory above what the process held before, at its highest. What a benchmark before it gave back to malloc and not to the system hides
// some: for numbers to report, run one benchmark in a process.
struct Streamed {
  SpeedGauge gauge;
  double peak_mib = 0;
};

absl::Status Stream(const Capture& capture, const Inputs& inputs, int64_t budget_bytes, Streamed& streamed) {
  const std::string path = (std::filesystem::temp_directory_path() / absl::StrCat("hsa-bench-", getpid(), ".out.safetensors")).string();
  const TensorSpec spec{"o", DType::kBF16, {inputs.query.heads(), inputs.query.tokens(), inputs.value.dim()}};
  absl::StatusOr<TensorWriter> writer = TensorWriter::Create(path, std::span(&spec, 1));
  if (!writer.ok()) return writer.status();
  Outputs outputs;
  outputs.o = writer->View("o");
  outputs.rows_ready = [&](int64_t begin, int64_t end) {
    writer->RowsReady("o", begin, end);
    return absl::OkStatus();
  };
  const int64_t before = CurrentMemoryUsage().anon_bytes;
  MemorySampler sampler(std::chrono::milliseconds(2));
  streamed.gauge.Start();
  const absl::Status done =
      Run(capture.plan, inputs, outputs, {.mode = Mode::kTheta, .theta = 0.003, .threads = 1, .memory_budget_bytes = budget_bytes})
          .status();
  streamed.gauge.Stop();
  streamed.peak_mib = std::max(streamed.peak_mib, static_cast<double>(sampler.Peak().anon_bytes - before) / kMiB);
  return done;
}

void Streaming(benchmark::State& state, const Capture& capture, int64_t tokens, int64_t budget_bytes) {
  const Inputs& inputs = LongInputs(capture, tokens);
  Streamed bounded, unbounded;
  for (auto _ : state) {
    state.PauseTiming();
    absl::Status done = Stream(capture, inputs, 0, unbounded);
    state.ResumeTiming();
    if (done.ok()) done = Stream(capture, inputs, budget_bytes, bounded);
    if (!done.ok()) return state.SkipWithError(std::string(done.message()).c_str());
  }
  state.counters["budget_mib"] = static_cast<double>(budget_bytes) / kMiB;
  state.counters["peak_mib"] = bounded.peak_mib;
  state.counters["unbounded_ms"] = unbounded.gauge.median_seconds() * 1e3;
  state.counters["unbounded_peak_mib"] = unbounded.peak_mib;
  state.counters["slowdown"] = bounded.gauge.median_seconds() / unbounded.gauge.median_seconds();
}

}  // namespace

void RegisterStream(const Capture& capture, int64_t longest) {
  constexpr std::pair<int64_t, int64_t> kSizes[] = {
      {32768, 88 * kMiB}, {131072, 128 * kMiB}, {1048576, 384 * kMiB}, {4194304, 1024 * kMiB}};
  for (const auto& [tokens, budget] : kSizes) {
    if (tokens > longest) break;
    benchmark::RegisterBenchmark(absl::StrCat("Streaming/n:", tokens).c_str(),
                                 [&capture, tokens, budget](benchmark::State& state) { Streaming(state, capture, tokens, budget); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace hsa::bench
