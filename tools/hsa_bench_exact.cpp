// Exact attention: whole runs, and the kernel alone.
#include <array>

#include "absl/strings/str_cat.h"
#include "runtime/tile.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

void ExactRun(benchmark::State& state, Shape shape, int64_t tokens, int threads) {
  const Plan& plan = PlanOf(shape);
  RandomTensors tensors(tokens, shape.dim, shape.precision == frontend::Precision::kBf16 ? DType::kBF16 : DType::kF32);
  const Inputs inputs = tensors.inputs();
  const Outputs outputs = tensors.outputs();
  RunOptions options;
  options.mode = Mode::kExact;
  options.threads = threads;
  SpeedGauge gauge(shape.precision);
  for (auto _ : state) {
    gauge.Start();
    const absl::StatusOr<RunReport> report = Run(plan, inputs, outputs, options);
    gauge.Stop();
    if (!report.ok()) return state.SkipWithError(std::string(report.status().message()).c_str());
  }
  gauge.Report(state, AttentionFlop(shape, tokens), threads);
}

// One tile against 4,096 keys that all its queries see: what a long run does nearly all of the time, without its packing and its masks.
void ExactKernel(benchmark::State& state, Shape shape) {
  constexpr int64_t kKeys = 4096;
  const Plan& plan = PlanOf(shape);
  const Geometry geometry = Geometry::Of(plan.graph(), kKeys, kKeys);
  const Program program(plan);
  RandomTensors tensors(kKeys, shape.dim);
  const Inputs inputs = tensors.inputs();
  const Outputs outputs = tensors.outputs();
  Worker worker(program);
  KeyPanels panels;
  PanelPacker(program, geometry, DType::kF32).PackRange(worker, inputs.key, inputs.value, 0, 0, kKeys, panels);
  const Tile tile = Tile::Range(0, kKeys - geometry.tile, kKeys);
  TileBounds bounds = TileBounds::Of(geometry, tile);
  bounds.hi.fill(kKeys);
  const std::array<int32_t, 2> range = {0, static_cast<int32_t>(panels.panels)};
  const TileIo io(program, geometry, inputs, outputs);
  const Program::Stage attend = program.Find("attend_panels");
  io.Load(worker, tile);
  panels.Bind(worker, geometry);
  bounds.Bind(worker, geometry);
  worker.Bind("panel_range", range.data(), {2});
  SpeedGauge gauge;
  for (auto _ : state) {
    gauge.Start();
    worker.Call(attend);
    gauge.Stop();
  }
  gauge.Report(state, 4.0 * static_cast<double>(geometry.tile * kKeys * shape.dim));
}

}  // namespace

void RegisterExact() {
  // The second: inputs, products and outputs in bf16.
  for (const auto& [name, precision] : {std::pair("ExactRun", frontend::Precision::kF32),
                                        {"ExactRunBf16", frontend::Precision::kBf16},
                                        {"ExactRunInt8", frontend::Precision::kInt8}})
    for (int64_t dim : {64, 128})
      for (bool causal : {true, false})
        for (int64_t tokens = 512; tokens <= (precision == frontend::Precision::kBf16 ? 65536 : 32768); tokens *= 2)
          for (int threads : {1, 2})
            benchmark::RegisterBenchmark(
                absl::StrCat(name, "/d:", dim, "/n:", tokens, "/causal:", causal ? 1 : 0, "/threads:", threads).c_str(), ExactRun,
                Shape{dim, causal, precision}, tokens, threads)
                ->Unit(benchmark::kMillisecond);
  for (int64_t dim : {64, 128})
    benchmark::RegisterBenchmark(absl::StrCat("ExactKernel/d:", dim).c_str(), ExactKernel, Shape{dim, true})->Unit(benchmark::kMillisecond);
}

}  // namespace hsa::bench
