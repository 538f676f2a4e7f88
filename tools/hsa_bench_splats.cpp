// Splats on real Q, K, V: beside exact attention in the same process, with the error of sampled queries; and the index alone.
#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "frontend/graph_builder.h"
#include "frontend/jit.h"
#include "oneapi/tbb/task_arena.h"
#include "runtime/exact.h"
#include "runtime/index_store.h"
#include "runtime/tensor_source.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

// A capture and the plan for its heads; lives as long as the process.
struct Subject {
  TensorFile file;
  Inputs all;
  Plan plan;
};

absl::StatusOr<std::unique_ptr<Subject>> Open(const std::string& path) {
  absl::StatusOr<TensorFile> file = TensorFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<TensorView> query = file->Get("q"), key = file->Get("k"), value = file->Get("v");
  for (const absl::StatusOr<TensorView>* tensor : {&query, &key, &value})
    if (!tensor->ok()) return tensor->status();
  const auto shape = [](const TensorView& tensor) {
    return frontend::InputShape{.heads = static_cast<uint32_t>(tensor.heads()), .dim = static_cast<uint32_t>(tensor.dim())};
  };
  const absl::StatusOr<frontend::Graph> graph = frontend::GraphBuilder("capture")
                                                    .Input("q", shape(*query))
                                                    .Input("k", shape(*key))
                                                    .Input("v", shape(*value))
                                                    .Attention({.query = "q", .key = "k", .value = "v", .output = "o"})
                                                    .Causal()
                                                    .Build();
  if (!graph.ok()) return graph.status();
  absl::StatusOr<Plan> plan = frontend::CompilePlan(*graph);
  if (!plan.ok()) return plan.status();
  return std::make_unique<Subject>(Subject{*std::move(file), {*query, *key, *value}, *std::move(plan)});
}

// The first `tokens` positions: causal attention does not see the rest.
Inputs Prefix(const Inputs& all, int64_t tokens) {
  Inputs inputs = all;
  for (TensorView* tensor : {&inputs.query, &inputs.key, &inputs.value}) tensor->shape[1] = std::min(tensor->shape[1], tokens);
  return inputs;
}

// Room for an output of f32.
struct OutputRows {
  OutputRows(int64_t heads, int64_t tokens, int64_t dim)
      : rows(heads * tokens * dim),
        outputs{.o = {reinterpret_cast<std::byte*>(rows.data()), DType::kF32, {heads, tokens, dim}, {tokens * dim, dim, 1}},
                .lse = {},
                .rows_ready = {}} {}
  TensorView view() const { return {outputs.o.data, outputs.o.dtype, outputs.o.shape, outputs.o.strides}; }

  std::vector<float> rows;
  Outputs outputs;
};

double MedianError(const Plan& plan, const Inputs& inputs, const OutputRows& output) {
  const AttentionSpec spec{.scale = plan.graph().scale(), .causal = true};
  const absl::StatusOr<VerifyStats> stats =
      Verify(spec, inputs.query, inputs.key, inputs.value, output.view(), {}, {.queries = 64, .seed = 0});
  return stats.ok() ? stats->median : -1;
}

void SplatsRun(benchmark::State& state, const Subject& subject, int64_t tokens) {
  const Inputs inputs = Prefix(subject.all, tokens);
  OutputRows output(inputs.query.heads(), inputs.query.tokens(), inputs.value.dim());
  RunOptions exact, splats;
  exact.mode = Mode::kExact;
  exact.threads = splats.threads = 1;
  SpeedGauge exact_gauge, splats_gauge;
  absl::StatusOr<RunReport> report;
  for (auto _ : state) {
    state.PauseTiming();  // exact and splats take turns, so that both see the same machine
    exact_gauge.Start();
    report = Run(subject.plan, inputs, output.outputs, exact);
    exact_gauge.Stop();
    state.ResumeTiming();
    if (report.ok()) {
      splats_gauge.Start();
      report = Run(subject.plan, inputs, output.outputs, splats);
      splats_gauge.Stop();
    }
    if (!report.ok()) return state.SkipWithError(std::string(report.status().message()).c_str());
  }
  state.counters["exact_ms"] = exact_gauge.median_seconds() * 1e3;
  state.counters["speedup"] = exact_gauge.median_seconds() / splats_gauge.median_seconds();
  state.counters["ceiling"] = 1 / report->read.total;
  state.counters["read"] = report->read.total;
  state.counters["median_error"] = MedianError(subject.plan, inputs, output);
}

// Whole segments of every KV head, one thread.
void IndexBuild(benchmark::State& state, const Subject& subject, int64_t tokens) {
  const Inputs inputs = Prefix(subject.all, tokens);
  const Outputs outputs;
  const RunOptions options;
  const Geometry geometry = Geometry::Of(subject.plan.graph(), inputs.query.tokens(), inputs.key.tokens());
  const Job job{subject.plan, inputs, outputs, options, geometry, Program(subject.plan), 1};
  oneapi::tbb::task_arena arena(1);
  Workers workers([&] { return Worker(job.program); });
  for (auto _ : state) {
    absl::StatusOr<std::unique_ptr<IndexStore>> store =
        IndexStore::Create(job, geometry.keys / geometry.segment, /*regions=*/1, /*memory_bytes=*/0);
    if (!store.ok()) return state.SkipWithError(std::string(store.status().message()).c_str());
    arena.execute([&] { (*store)->BuildSegments(workers, geometry.keys / geometry.segment); });
  }
  state.SetItemsProcessed(state.iterations() * geometry.keys * geometry.kv_heads);
}

}  // namespace

absl::Status RegisterSplats(const std::string& capture) {
  absl::StatusOr<std::unique_ptr<Subject>> opened = Open(capture);
  if (!opened.ok()) return opened.status();
  static const std::unique_ptr<Subject> subject = *std::move(opened);
  const int64_t all = subject->all.key.tokens();
  for (int64_t tokens = 4096; tokens <= all; tokens *= 2)
    benchmark::RegisterBenchmark(absl::StrCat("SplatsRun/n:", tokens).c_str(), [tokens](benchmark::State& s) {
      SplatsRun(s, *subject, tokens);
    })->Unit(benchmark::kMillisecond);
  for (int64_t tokens = 8192; tokens <= all; tokens *= 2)
    benchmark::RegisterBenchmark(absl::StrCat("IndexBuild/n:", tokens).c_str(), [tokens](benchmark::State& s) {
      IndexBuild(s, *subject, tokens);
    })->Unit(benchmark::kMillisecond);
  return absl::OkStatus();
}

}  // namespace hsa::bench
