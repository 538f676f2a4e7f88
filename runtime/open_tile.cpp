#include "runtime/open_tile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "runtime/pairs.h"

namespace hsa {

namespace {
constexpr double kOpenAll = -1;  // below every residual

int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
}  // namespace

TileOpener::TileOpener(const Job& job, const IndexStore& store)
    : g_(job.geometry),
      store_(store),
      pairs_(ReadsPairs(job)),
      bands_(job.program.Find("query_bands")),
      attend_(job.program.Find("attend_panels")),
      start_mass_(job.program.Find("start_mass")),
      root_mass_(job.program.Find(pairs_ ? "root_mass_pairs" : "root_mass")),
      log_mass_(job.program.Find("log_mass")),
      score_(job.program.Find(pairs_ ? "score_level_pairs" : "score_level")),
      leaves_(job.program.Find("attend_leaves", job.inputs.key.dtype)),
      pair_query_(job.program.Find("pair_query")),
      attend_pairs_(job.program.Find("attend_pairs")),
      leaf_pairs_(job.program.Find("attend_leaf_pairs", job.inputs.key.dtype)) {}

double TileOpener::NearKeys(int64_t position, int64_t near_start, const RegionKeys& keys) const {
  const int64_t lo = g_.VisibleLo(position), hi = g_.VisibleHi(position);
  int64_t count = std::max<int64_t>(0, hi + 1 - std::max(lo, near_start));
  for (int32_t key : keys.exception_positions) {
    if (key >= near_start) break;
    count += key >= lo || key < g_.sink_tokens;
  }
  return static_cast<double>(count);
}

// Panels [first, end); whole batches are read.
void TileOpener::AttendPanels(Worker& worker, const KeyPanels& panels, const TileBounds& visible, int64_t first, int64_t end) {
  const int64_t batch = panels.paired() ? kPairSegmentKeys / kPanelKeys : kBatchPanels;
  const std::array<int32_t, 2> range = {static_cast<int32_t>(first), static_cast<int32_t>(std::min(RoundUp(end, batch), panels.panels))};
  if (range[0] >= range[1]) return;
  panels.Bind(worker, g_);
  visible.Bind(worker, g_);
  worker.Bind("panel_range", range.data(), {2});
  worker.Call(panels.paired() ? attend_pairs_ : attend_);
}

// Sinks and non-finite keys that come before `before`; those behind it are read in their place.
void TileOpener::AttendExceptions(Worker& worker, const TileBounds& bounds, int64_t before, const RegionKeys& keys) {
  const std::vector<int32_t>& positions = keys.exception_positions;
  const auto count = std::lower_bound(positions.begin(), positions.end(), before) - positions.begin();
  AttendPanels(worker, keys.exceptions, bounds.Before(before), 0, RoundUp(count, kPanelKeys) / kPanelKeys);
}

void TileOpener::AttendNear(Worker& worker, const Tile& tile, int64_t near_start, const RegionKeys& keys) {
  const TileBounds bounds = TileBounds::Of(g_, tile);
  if (keys.natural.paired()) worker.Call(pair_query_);
  AttendExceptions(worker, bounds, near_start, keys);
  AttendPanels(worker, keys.natural, bounds, (near_start - keys.first) / kPanelKeys,
               RoundUp(bounds.most_hi + 1 - keys.first, kPanelKeys) / kPanelKeys);
}

VisibleUnits TileOpener::UnitsOf(const TileBounds& bounds, int64_t near_start, double theta) const {
  VisibleUnits units;
  const int64_t segments = near_start / g_.segment, minis = near_start % g_.segment / g_.mini, leaves = store_.index(0).leaves_per_slot();
  // A unit before every query's window holds nothing, unless it has keys of the mask's sink prefix, nor does one behind every query; one within all
  // windows is whole.
  const auto hidden = [&](int64_t begin, int64_t end) {
    return (end <= bounds.least_lo && begin >= g_.sink_tokens) || begin > bounds.most_hi;
  };
  const auto whole = [&](int64_t begin) { return theta != kReadAll && begin >= bounds.most_lo; };
  units.mini_slot = store_.mini_slot(segments);
  units.end_segment = segments;
  units.end_mini = minis;
  for (int64_t s = 0; s < segments && !whole(s * g_.segment); ++s) {
    units.first_segment = s + 1;
    if (!hidden(s * g_.segment, (s + 1) * g_.segment)) units.exact_leaves.push_back({s * leaves, leaves});
  }
  for (int64_t m = 0; m < minis && !whole(segments * g_.segment + m * g_.mini); ++m) {
    const int64_t begin = segments * g_.segment + m * g_.mini, count = g_.mini / kPanelKeys;
    units.first_mini = m + 1;
    if (!hidden(begin, begin + g_.mini)) units.exact_leaves.push_back({units.mini_slot * leaves + m * count, count});
  }
  return units;
}

void TileOpener::ClearWork() {
  work_.resize(g_.levels + 1);
  for (std::vector<int32_t>& work : work_) work.clear();
}

void TileOpener::RootMass(Worker& worker, const SplatNodes& nodes, const VisibleUnits& units) {
  worker.Call(start_mass_);
  const auto add = [&](size_t level, int64_t first, int64_t end) {
    if (first >= end) return;
    std::vector<int32_t>& work = work_[level + 1];
    for (int64_t group = first / kGroupNodes; group * kGroupNodes < end; ++group) work.push_back(static_cast<int32_t>(group));
    const std::array<int32_t, 4> params = {static_cast<int32_t>(first), static_cast<int32_t>(end), 0, 0};
    const std::array<int32_t, 2> counts = {static_cast<int32_t>(work.size()), 0};
    nodes.BindLevel(worker, level);
    worker.Bind("level_params", params.data(), {4});
    worker.Bind("work_in", work.data(), {static_cast<int64_t>(work.size())});
    worker.Bind("counts", counts.data(), {2});
    worker.Call(root_mass_);
  };
  const int64_t mini_base = units.mini_slot * g_.minis_per_segment();
  add(nodes.levels().size() - 1, units.first_segment, units.end_segment);
  add(nodes.mini_level(), mini_base + units.first_mini, mini_base + units.end_mini);
}

// The leaves to read are in work_[0] then.
void TileOpener::ScoreTree(Worker& worker, const SplatNodes& nodes, const Tile& tile, const VisibleUnits& units, double threshold,
                           TileCost& cost) {
  const size_t levels = nodes.levels().size();
  nodes.BindReference(worker);
  worker.Call(bands_);
  RootMass(worker, nodes, units);
  const auto rows = static_cast<double>(tile.rows());
  worker.Call(log_mass_);
  const auto limit = static_cast<float>(threshold);
  worker.Bind("theta", &limit, {1});
  const int64_t mini_base = units.mini_slot * g_.minis_per_segment();
  // Roots may share a group with nodes that the tile does not see.
  const int64_t segments = units.end_segment - units.first_segment, minis = units.end_mini - units.first_mini;
  cost.levels[levels - 1].scored = static_cast<double>(segments);
  cost.levels[nodes.mini_level()].scored = static_cast<double>(minis);
  for (size_t level = levels; level-- > 0;) {
    std::vector<int32_t>&in = work_[level + 1], &out = work_[level];
    if (in.empty()) continue;
    const LevelArrays& l = nodes.levels()[level];
    std::array<int32_t, 4> params = {0, std::numeric_limits<int32_t>::max(), static_cast<int32_t>(l.child_groups), 0};
    if (level == levels - 1) params[0] = static_cast<int32_t>(units.first_segment), params[1] = static_cast<int32_t>(units.end_segment);
    if (level == nodes.mini_level()) {
      // Children of segments lie before the mini-segments' slot; if there are any, the tile sees the mini-segments from the first on.
      params[0] = static_cast<int32_t>(units.end_segment > units.first_segment ? 0 : mini_base + units.first_mini);
      params[1] = static_cast<int32_t>(mini_base + units.end_mini);
    }
    const size_t before = out.size();
    out.resize(before + in.size() * kGroupNodes * l.child_groups);
    std::array<int32_t, 2> counts = {static_cast<int32_t>(in.size()), static_cast<int32_t>(before)};
    nodes.BindTilt(worker, units.end_segment, level);
    nodes.BindLevel(worker, level);
    worker.Bind("level_params", params.data(), {4});
    worker.Bind("work_in", in.data(), {static_cast<int64_t>(in.size())});
    worker.Bind("work_out", out.data(), {static_cast<int64_t>(out.size())});
    worker.Bind("counts", counts.data(), {2});
    worker.Call(score_);
    out.resize(counts[1]);
    const size_t groups = out.size() - before;
    cost.levels[level].opened = static_cast<double>(groups) / static_cast<double>(l.child_groups);
    if (level > 0) cost.levels[level - 1].scored += static_cast<double>(groups * kGroupNodes);
  }
  for (LevelCost& level : cost.levels) {
    level.scored *= rows, level.opened *= rows;
    cost.nodes += level.scored;
  }
}

void TileOpener::NoteDoubt(const Worker& worker) {
  const float* lanes = worker.Buffer("closed_r2");
  for (float& doubt : doubt_) doubt = std::sqrt(std::accumulate(lanes, lanes + kSumLanes, 0.0f)), lanes += kSumLanes;
}

// Returns how many keys the opened leaves have. They are read by the stage, if one is given.
double TileOpener::ReadLeaves(Worker& worker, const SplatIndex& index, const TileBounds& bounds, const VisibleUnits& units,
                              const Program::Stage* read) {
  std::vector<int32_t>& leaves = work_[0];
  for (const auto& [first, count] : units.exact_leaves)
    for (int64_t leaf = first; leaf < first + count; ++leaf) leaves.push_back(static_cast<int32_t>(leaf));
  if (leaves.empty()) return 0;
  if (read != nullptr) {
    const std::array<int32_t, 2> counts = {static_cast<int32_t>(leaves.size()), 0};
    index.BindLeaves(worker);
    bounds.Bind(worker, g_);
    worker.Bind("work_in", leaves.data(), {static_cast<int64_t>(leaves.size())});
    worker.Bind("counts", counts.data(), {2});
    worker.Call(*read);
  }
  return static_cast<double>(leaves.size()) * kPanelKeys;
}

bool TileOpener::LostRow(const Worker& worker, const Tile& tile) const {
  constexpr float kLeastSum = 0x1p-96f;
  const float* lanes = worker.Buffer("sum");
  for (int64_t row = 0; row < tile.rows(); ++row)
    if (std::accumulate(lanes + row * kSumLanes, lanes + (row + 1) * kSumLanes, 0.0f) < kLeastSum) return true;  // not where it is NaN
  return false;
}

TileCost TileOpener::AttendFar(Worker& worker, const Tile& tile, int64_t finite, int64_t near_start, const SplatNodes& nodes, double theta,
                               Depth depth) {
  TileCost cost;
  doubt_.assign(tile.rows(), 0.0f);
  if (near_start == 0) return cost;
  auto start = std::chrono::steady_clock::now();
  const TileBounds bounds = TileBounds::Of(g_, tile);
  const SplatIndex& index = store_.index(tile.head / g_.group());
  const VisibleUnits units = UnitsOf(bounds, near_start, theta);
  const double threshold = theta > 0 ? theta * theta * static_cast<double>(finite) : kOpenAll;
  const auto rows = static_cast<double>(tile.rows());
  ClearWork();
  if (pairs_) worker.Call(pair_query_);
  if (theta != kReadAll) {
    ScoreTree(worker, nodes, tile, units, threshold, cost);
    NoteDoubt(worker);
  }
  cost.score_seconds = SecondsSince(start);
  start = std::chrono::steady_clock::now();
  const Program::Stage* read = depth == Depth::kProbe ? nullptr : pairs_ ? &leaf_pairs_ : &leaves_;
  cost.leaves = rows * ReadLeaves(worker, index, bounds, units, read);
  cost.leaves_seconds = SecondsSince(start);
  return cost;
}

void TileOpener::AttendAll(Worker& worker, const Tile& tile, const RegionKeys& keys, int64_t part, int64_t parts) {
  const TileBounds bounds = TileBounds::Of(g_, tile);
  ClearWork();
  VisibleUnits units = UnitsOf(bounds, keys.first, kReadAll);
  for (auto& [first, count] : units.exact_leaves) {
    const int64_t begin = count * part / parts, end = count * (part + 1) / parts;
    first += begin, count = end - begin;
  }
  ReadLeaves(worker, store_.index(tile.head / g_.group()), bounds, units, &leaves_);
  if (part > 0) return;
  AttendExceptions(worker, bounds, keys.first, keys);
  AttendPanels(worker, keys.natural, bounds, 0, RoundUp(bounds.most_hi + 1 - keys.first, kPanelKeys) / kPanelKeys);
}

}  // namespace hsa
