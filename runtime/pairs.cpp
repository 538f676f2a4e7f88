#include "runtime/pairs.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/machine.h"
#include "kernels/peak.h"
#include "kernels/tile_shape.h"
#include "runtime/stage_features.h"

namespace hsa {

namespace {

int64_t SlotsFor(int64_t keys) { return (keys + kPairSegmentKeys - 1) / kPairSegmentKeys * kPairSegmentKeys; }

static_assert(kRowsAtOnce % kPairSegmentKeys == 0);

// Weights in bf16 cost a row 1.7e-3 in the median, 2.6e-3 at most (docs/performance.md, "AMX"): smaller tolerances are for f32.
constexpr double kLeastTolerance = 0.005;

bool ToleranceAllows(const Job& job) { return job.options.mode != Mode::kTolerance || job.options.tolerance.error >= kLeastTolerance; }

// Every stage of it: plans of older versions have some of them.
bool HasPairs(const Job& job) {
  constexpr std::array<std::string_view, 5> kStages = {"pack_pairs", "pair_query", "attend_pairs", "root_mass_pairs", "score_level_pairs"};
  return std::ranges::all_of(kStages, [&](std::string_view name) { return job.program.Find(name).entry != nullptr; }) &&
         job.program.Find("attend_leaf_pairs", job.inputs.key.dtype).entry != nullptr;
}

// Whether vdpbf16ps does more than f32 in the same time: twice as much on one vendor's processors, half of it on another's. Measured once per process, in 10 ms.
bool DotsAreFaster() {
  static const bool faster = [] {
    constexpr int kTurns = 2;
    constexpr double kEnough = 1.25;  // of the peaks; packing and rounding are work on top
    return MeasureDotPeak(kTurns).gflops > kEnough * MeasurePeak(kTurns).gflops;
  }();
  return faster;
}

// The stage in pairs that reads inputs as they are stored, or, of an older plan, one that it has; null where the plan has none.
const format::Stage* PairStage(const Job& job) {
  const auto& stages = job.plan.header().stages();
  for (const std::string_view name : {"attend_leaf_pairs", "attend_pairs"})
    if (const auto found = std::ranges::find(stages, name, &format::Stage::name); found != stages.end()) return &*found;
  return nullptr;
}

bool IsWanted(const Job& job) {
  if (job.options.products != Products::kWhereFaster) return job.options.products == Products::kBf16;
  return PairUnitOf(job.plan.variant()) == PairUnit::kTiles || DotsAreFaster();
}

}  // namespace

int64_t PairPacker::Reserve(int64_t count, KeyPanels& out) const {
  const int64_t slots = SlotsFor(count);
  out.panels = slots / kPanelKeys;
  out.pair_k.resize(slots * geometry_.paired_head_dim);
  out.pair_v.resize(slots * geometry_.padded_value_dim);
  out.pos.assign(slots, kPadPosition);
  out.bad.assign(out.panels, 0);
  return slots;
}

void PairPacker::Pack(Worker& worker, WideRows& k, const WideRows& v, std::span<const int32_t> positions, int64_t begin,
                      KeyPanels& out) const {
  const auto rows = static_cast<int64_t>(positions.size());
  const int64_t panels = SlotsFor(rows) / kPanelKeys, dim = geometry_.paired_head_dim, value_dim = geometry_.padded_value_dim;
  for (int64_t i = 0; i < rows; ++i) {
    out.pos[begin + i] = positions[i];
    out.bad[(begin + i) / kPanelKeys] |= v.bad[i];
    SpreadNaN(k, i, geometry_.padded_head_dim);
  }
  worker.Bind("k_rows", k.rows.data(), {rows, geometry_.padded_head_dim});
  worker.Bind("v_rows", v.rows.data(), {rows, value_dim});
  worker.Bind("pair_k", &out.pair_k[begin * dim], {panels, dim / 2, kPairPanelKeys});
  worker.Bind("pair_v", &out.pair_v[begin * value_dim], {panels / 2, value_dim, kPairPanelKeys});
  worker.Call(pack_);
}

void PairPacker::PackRange(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, int64_t first, int64_t count,
                           KeyPanels& out) const {
  const Geometry& g = geometry_;
  Reserve(count, out);
  thread_local WideRows k, v;
  k.Resize(kRowsAtOnce, g.padded_head_dim);
  v.Resize(kRowsAtOnce, g.padded_value_dim);
  std::array<int32_t, kRowsAtOnce> positions;
  for (int64_t begin = 0; begin < count; begin += kRowsAtOnce) {
    const int64_t rows = std::min(count - begin, kRowsAtOnce);
    reader_.Read(worker, key, kv_head, first + begin, rows, g.padded_head_dim, k.rows.data(), k.bad.data());
    reader_.Read(worker, value, kv_head, first + begin, rows, g.padded_value_dim, v.rows.data(), v.bad.data());
    std::iota(positions.begin(), positions.begin() + rows, static_cast<int32_t>(first + begin));
    Pack(worker, k, v, std::span(positions).first(rows), begin, out);
  }
}

void PairPacker::PackList(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head,
                          std::span<const int32_t> positions, KeyPanels& out) const {
  const Geometry& g = geometry_;
  const auto count = static_cast<int64_t>(positions.size());
  Reserve(count, out);
  thread_local WideRows k, v;
  k.Resize(kRowsAtOnce, g.padded_head_dim);
  v.Resize(kRowsAtOnce, g.padded_value_dim);
  for (int64_t begin = 0; begin < count; begin += kRowsAtOnce) {
    const std::span<const int32_t> some = positions.subspan(begin, std::min(count - begin, kRowsAtOnce));
    for (size_t i = 0; i < some.size(); ++i) {
      reader_.Read(worker, key, kv_head, some[i], 1, g.padded_head_dim, &k.rows[i * g.padded_head_dim], &k.bad[i]);
      reader_.Read(worker, value, kv_head, some[i], 1, g.padded_value_dim, &v.rows[i * g.padded_value_dim], &v.bad[i]);
    }
    Pack(worker, k, v, some, begin, out);
  }
}

bool ReadsPairs(const Job& job) { return ToleranceAllows(job) && HasPairs(job) && IsWanted(job); }

std::string_view PairUnitName(const Job& job) { return PairUnitOf(job.plan.variant()) == PairUnit::kDot ? "avx512bf16" : "amx"; }

std::string WhyNoPairs(const Job& job) {
  const format::Stage* stage = job.options.products == Products::kF32 || ReadsPairs(job) ? nullptr : PairStage(job);
  if (stage == nullptr) return "";
  const bool stored = stage->inputs_size() == 0 || job.inputs.key.dtype == DType::kBF16;
  const std::vector<std::string> missing = MissingFeatures(job.plan.variant(), *stage);
  if (missing.size() == 1 && ThisMachine().Has(missing[0])) return stored ? "the system refuses the tiles of AMX (arch_prctl)" : "";
  // What is auto takes what there is.
  if (stage->inputs_size() > 0 && job.options.products == Products::kWhereFaster) return "";
  if (!stored)
    return "the plan has code for it where inputs are bf16, and here they are f32 or f16; compile the graph with --precision bf16";
  if (!missing.empty()) return absl::StrCat("this processor lacks ", absl::StrJoin(missing, " "));
  return !ToleranceAllows(job) ? "the tolerance is too small for it"
         : !HasPairs(job)      ? "this variant has no code for it"
                               : "vdpbf16ps is no faster than f32 on this processor";
}

int64_t KeyPairBytes(const Geometry& g, int64_t keys) {
  const int64_t slots = SlotsFor(keys);
  return slots * (2 * (g.paired_head_dim + g.padded_value_dim) + 4) + slots / kPanelKeys * 4;
}

}  // namespace hsa
