// The index of a prompt: what building it costs beside exact attention, and what a decode step that reads it takes beside an exact one.
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "oneapi/tbb/task_arena.h"
#include "runtime/index_store.h"
#include "runtime/run_state.h"
#include "tools/hsa_bench.h"
#include "tools/hsa_bench_capture.h"

namespace hsa::bench {
namespace {

// Seconds that exact attention of all queries takes on one thread, from its last 1,024: a key costs the same wherever it stands.
double ExactSeconds(const Capture& capture, const Inputs& inputs) {
  constexpr int64_t kLast = 1024;
  const Inputs last = LastQueries(inputs, kLast);
  OutputRows output(last);
  const absl::StatusOr<RunReport> report = Run(capture.plan, last, output.outputs, {.mode = Mode::kExact, .threads = 1});
  if (!report.ok()) return 0;
  const auto n = static_cast<double>(inputs.key.tokens()), m = static_cast<double>(kLast);
  return report->seconds.total * n * (n + 1) / (m * (2 * n - m + 1));
}

// Whole segments of every KV head, one thread; `exact` of the same length in the same minute.
void IndexBuild(benchmark::State& state, const Capture& capture, int64_t tokens) {
  const Inputs& inputs = LongInputs(capture, tokens);
  const Outputs outputs;
  const RunOptions options;
  const Geometry geometry = Geometry::Of(capture.plan.graph(), tokens, tokens);
  const Job job{capture.plan, inputs, outputs, options, geometry, Program(capture.plan), 1};
  oneapi::tbb::task_arena arena(1);
  Workers workers([&] { return Worker(job.program); });
  SpeedGauge gauge;
  double exact = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    state.PauseTiming();
    exact = std::min(exact, ExactSeconds(capture, inputs));
    state.ResumeTiming();
    absl::StatusOr<std::unique_ptr<IndexStore>> store =
        IndexStore::Create(job, geometry.keys / geometry.segment, /*regions=*/1, /*memory_bytes=*/0);
    if (!store.ok()) return state.SkipWithError(std::string(store.status().message()).c_str());
    gauge.Start();
    arena.execute([&] { (*store)->BuildSegments(workers, geometry.keys / geometry.segment); });
    gauge.Stop();
  }
  state.SetItemsProcessed(state.iterations() * geometry.keys * geometry.kv_heads);
  state.counters["share_of_exact"] = gauge.median_seconds() / exact;
}

// The index of all but the last position, as a prompt with a tolerance leaves it: its last 4,096 queries are calibrated.
absl::Status SaveIndex(const Capture& capture, const Inputs& all, const std::string& path) {
  const int64_t n = all.key.tokens() - 1;
  const Inputs prompt = LastQueries({Rows(all.query, 0, n), Rows(all.key, 0, n), Rows(all.value, 0, n)}, 4096);
  OutputRows output(prompt);
  return Run(capture.plan, prompt, output.outputs, {.mode = Mode::kTolerance, .save_index = path}).status();
}

// One query at the end of `tokens` keys, one thread: from the index, and reading every key, by turns.
void Decode(benchmark::State& state, const Capture& capture, int64_t tokens) {
  const Inputs& all = LongInputs(capture, tokens);
  const std::string path = (std::filesystem::temp_directory_path() / absl::StrCat("hsa-bench-", getpid(), ".hsaidx")).string();
  absl::Status status = SaveIndex(capture, all, path);
  const Inputs inputs = LastQueries(all, 1);
  OutputRows output(inputs);
  SpeedGauge exact, decode;
  RunReport report;
  const auto run = [&](SpeedGauge& gauge, const RunOptions& options) {
    gauge.Start();
    absl::StatusOr<RunReport> done = Run(capture.plan, inputs, output.outputs, options);
    gauge.Stop();
    status = done.status();
    if (done.ok()) report = *std::move(done);
  };
  for (auto _ : state) {
    state.PauseTiming();
    if (status.ok()) run(exact, {.mode = Mode::kExact, .threads = 1});
    state.ResumeTiming();
    if (status.ok()) run(decode, {.mode = Mode::kTolerance, .threads = 1, .load_index = path});
    if (!status.ok()) {
      state.SkipWithError(std::string(status.message()).c_str());
      break;
    }
  }
  unlink(path.c_str());
  if (!status.ok()) return;
  state.counters["exact_ms"] = exact.median_seconds() * 1e3;
  state.counters["speedup"] = exact.median_seconds() / decode.median_seconds();
  state.counters["read"] = report.read.total;
  state.counters["mb_read"] = static_cast<double>(report.bytes_read) * 1e-6;
}

}  // namespace

void RegisterIndex(const Capture& capture, int64_t longest) {
  for (int64_t tokens : {8192, 32768, 131072})
    benchmark::RegisterBenchmark(absl::StrCat("IndexBuild/n:", tokens).c_str(), [&capture, tokens](benchmark::State& state) {
      IndexBuild(state, capture, tokens);
    })->Unit(benchmark::kMillisecond);
  for (int64_t tokens : {32768, 262144, 1048576, 4194304}) {
    if (tokens > longest) break;
    benchmark::RegisterBenchmark(absl::StrCat("Decode/n:", tokens).c_str(),
                                 [&capture, tokens](benchmark::State& state) { Decode(state, capture, tokens); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace hsa::bench
