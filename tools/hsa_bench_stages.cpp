// Single stages of a plan over one segment of random keys, d = 64: what each makes of the core.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <numeric>

#include "runtime/index_builder.h"
#include "runtime/memory_block.h"
#include "runtime/splat_nodes.h"
#include "runtime/tile.h"
#include "tools/fail.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

constexpr int64_t kDim = 64;
constexpr int64_t kKeys = 8192, kLeafKeys = 16, kLeaves = kKeys / kLeafKeys, kGroup = 4, kPanel = 16;

// A built segment, the last tile of queries in the worker's buffers, and every port bound that the stages below read.
class Segment {
 public:
  // `precision`: of the products of its plan.
  explicit Segment(frontend::Precision precision)
      : plan_(PlanOf({.dim = kDim, .causal = true, .precision = precision})),
        geometry_(Geometry::Of(plan_.graph(), kKeys, kKeys)),
        program_(plan_),
        tensors_(kKeys, kDim),
        inputs_(tensors_.inputs()),
        outputs_(tensors_.outputs()),
        worker_(program_) {
    BuildIndex();
    ReadRows();
    BindOrdering();
    BindOpening();
  }
  // Ports hold addresses of members.
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  const Geometry& geometry() const { return geometry_; }
  void Call(const Program::Stage& stage) { worker_.Call(stage); }
  Program::Stage Find(const char* name) const { return program_.Find(name, DType::kF32); }
  void ResetCounts(int32_t work) { counts_ = {work, 0}; }

  // A tile of queries and its bands in the buffers: what the stages of a tile read beside ports.
  void LoadTile() {
    const Tile tile = Tile::Range(0, kKeys - geometry_.tile, kKeys);
    TileIo(program_, geometry_, inputs_, outputs_).Load(worker_, tile);
    nodes_->BindReference(worker_);
    Call(Find("query_bands"));
    if (const Program::Stage pairs = Find("pair_query"); pairs.entry != nullptr) Call(pairs);
    std::fill_n(worker_.Buffer("log_z"), geometry_.tile, 14.0f);  // log2 of some 16,384 keys of score 0
  }

 private:
  void BuildIndex() {
    absl::StatusOr<MemoryBlock> memory = MemoryBlock::Anonymous(SplatIndex::Bytes(geometry_, DType::kF32, 1));
    if (!memory.ok()) std::exit(Fail(1, "hsa-bench", memory.status()));
    memory_ = *std::move(memory);
    index_ = std::make_unique<SplatIndex>(geometry_, DType::kF32, 1, memory_.data());
    nodes_ = std::make_unique<SplatNodes>(plan_.graph(), geometry_, 1);
    QueryGrams grams(program_, geometry_, inputs_.query);
    std::vector<int32_t> bad;
    const Unit unit{.kv_head = 0, .begin = 0, .tokens = kKeys, .slot = 0, .mini = 0};
    IndexBuilder(program_, geometry_, inputs_.key, inputs_.value).Build(worker_, grams, *index_, unit, bad);
    const NodeBuilder builder(program_, geometry_, inputs_);
    builder.SetReference(worker_, 0, 0, kKeys, *nodes_);
    builder.Build(worker_, *index_, unit, *nodes_);
  }

  void ReadRows() {
    const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim;
    k_.Resize(kKeys, d);
    v_.Resize(kKeys, dv);
    const RowReader reader(program_, DType::kF32);
    reader.Read(worker_, inputs_.key, 0, 0, kKeys, d, k_.rows.data(), k_.bad.data());
    reader.Read(worker_, inputs_.value, 0, 0, kKeys, dv, v_.rows.data(), v_.bad.data());
    worker_.Bind("k_rows", k_.rows.data(), {kKeys, d});
    worker_.Bind("v_rows", v_.rows.data(), {kKeys, dv});
  }

  void BindOrdering() {
    const int64_t d = geometry_.padded_head_dim, dv = geometry_.padded_value_dim;
    std::iota(order_.begin(), order_.end(), 0);
    metric_.assign(d * d, 0.01f);
    metric_x_.resize(kKeys * (d + dv));
    projection_.resize(kKeys);
    panel_k_.resize(kKeys * d);
    panel_v_.resize(kKeys * dv);
    worker_.Bind("order", order_.data(), {kKeys});
    worker_.Bind("metric", metric_.data(), {d, d});
    worker_.Bind("alpha", &alpha_, {1});
    worker_.Bind("metric_x", metric_x_.data(), {kKeys, d + dv});
    worker_.Bind("projection", projection_.data(), {kKeys});
    worker_.Bind("panel_k", panel_k_.data(), {kKeys / kPanel, d, kPanel});
    worker_.Bind("panel_v", panel_v_.data(), {kKeys / kPanel, kPanel, dv});
    nodes_->BindReference(worker_);
    Call(Find("metric_rows"));
  }

  void BindOpening() {
    std::iota(work_in_.begin(), work_in_.end(), 0);
    bounds_ = TileBounds::Of(geometry_, Tile::Range(0, kKeys - geometry_.tile, kKeys));
    bounds_.hi.fill(kKeys);
    tilt_sum_.assign(geometry_.padded_head_dim * geometry_.padded_value_dim, 0.0f);
    worker_.Bind("tilt_sum", tilt_sum_.data(), {geometry_.padded_head_dim, geometry_.padded_value_dim});
    worker_.Bind("tilt_traces", tilt_traces_.data(), {2});
    nodes_->BindTilt(worker_, 0, 0);
    nodes_->BindNodes(worker_, 0, 0, kLeaves / kGroup);
    index_->BindLeaves(worker_);
    bounds_.Bind(worker_, geometry_);
    worker_.Bind("level_params", level_params_.data(), {4});
    worker_.Bind("work_in", work_in_.data(), {kLeaves});
    worker_.Bind("work_out", work_out_.data(), {kLeaves});
    worker_.Bind("counts", counts_.data(), {2});
    worker_.Bind("theta", &threshold_, {1});
  }

  const Plan& plan_;
  Geometry geometry_;
  Program program_;
  RandomTensors tensors_;
  Inputs inputs_;
  Outputs outputs_;
  Worker worker_;
  MemoryBlock memory_;
  std::unique_ptr<SplatIndex> index_;
  std::unique_ptr<SplatNodes> nodes_;
  WideRows k_, v_;
  TileBounds bounds_;
  std::array<int32_t, kKeys> order_{};
  std::array<int32_t, kLeaves> work_in_{}, work_out_{};
  std::array<int32_t, 2> counts_{};
  std::array<int32_t, 4> level_params_ = {0, std::numeric_limits<int32_t>::max(), 1, 0};
  float alpha_ = 0.5f;
  float threshold_ = 1e30f;  // above every residual: all nodes close, and their values are summed
  std::vector<float> metric_, metric_x_, projection_, panel_k_, panel_v_, tilt_sum_;
  std::array<float, 2> tilt_traces_{};
};

struct StageCase {
  const char* name;
  frontend::Precision precision;
  int32_t work;  // length of the worklist, where the stage reads one
  double flop;   // of its products; 0: it moves `bytes`
  double bytes;
};

void StageRun(benchmark::State& state, const StageCase& stage) {
  Segment segment(stage.precision);
  const Program::Stage entry = segment.Find(stage.name);
  if (entry.entry == nullptr) return state.SkipWithError("this processor does not multiply pairs of bf16");
  segment.LoadTile();
  SpeedGauge gauge(stage.precision);
  for (auto _ : state) {
    segment.ResetCounts(stage.work);
    gauge.Start();
    segment.Call(entry);
    gauge.Stop();
  }
  if (stage.flop > 0) gauge.Report(state, stage.flop);
  if (stage.bytes > 0) gauge.ReportBytes(state, stage.bytes);
}

}  // namespace

void RegisterStages() {
  constexpr double d = 64, dv = 64, bands = 8, tile = 64, keys = kKeys, nodes = kLeaves;
  constexpr auto f32 = frontend::Precision::kF32, bf16 = frontend::Precision::kBf16;
  constexpr double leaf_flop = 2 * tile * keys * (d + dv), node_flop = 2 * tile * nodes * (d + bands + dv);
  static const StageCase cases[] = {
      {"attend_leaves", f32, kLeaves, leaf_flop, 0},
      {"attend_leaf_pairs", bf16, kLeaves, leaf_flop, 0},
      {"score_level", f32, kLeaves / kGroup, node_flop, 0},
      {"score_level_pairs", bf16, kLeaves / kGroup, node_flop, 0},
      {"leaf_moments", f32, 0, 2 * keys * (3 * d + dv), 0},  // q₀·k, means, variances, values
      {"metric_rows", f32, 0, 2 * keys * d * d, 0},
      {"principal_axis", f32, 0, keys * (d + dv) * (1 + 5 * 4 + 2), 0},  // mean, five power iterations of two products, projections
      {"pack_panels", f32, 0, 0, 2 * keys * (d + dv) * 4},               // read and written
      {"load_query", f32, 0, 0, tile * (2 * d + dv + 17) * 4},
  };
  for (const StageCase& stage : cases)
    benchmark::RegisterBenchmark((std::string("Stage/") + stage.name).c_str(), StageRun, stage)->Unit(benchmark::kMicrosecond);
}

}  // namespace hsa::bench
