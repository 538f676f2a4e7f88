#include "tests/end_to_end/compiled_decisions.h"

#include <stdexcept>

#include "runtime/group_nodes.h"
#include "runtime/run_state.h"
#include "runtime/splat_run.h"
#include "runtime/window.h"

namespace hsa::end_to_end {

namespace {

using ir::reference::GivenIndex;
using ir::reference::NodeKey;
using ir::reference::TileKey;
using ir::reference::UnitKey;

// Reads an index and worklists whose last slot holds the mini-segments of `region`.
class Reader {
 public:
  Reader(const Job& job, const IndexStore& store, const Region& region, std::span<const LevelArrays> levels)
      : g_(job.geometry), store_(store), region_(region), levels_(levels) {}

  void Orders(GivenIndex& out) const {
    for (int64_t kv_head = 0; kv_head < g_.kv_heads; ++kv_head) {
      for (int64_t s = 0; s < region_.segment; ++s) Order(kv_head, {s * g_.segment, g_.segment}, s * g_.segment, out);
      for (int64_t m = 0; m < region_.minis; ++m)
        Order(kv_head, {region_.segment * g_.segment + m * g_.mini, g_.mini}, store_.mini_slot(region_.segment) * g_.segment + m * g_.mini,
              out);
    }
  }

  // An opened leaf is in the worklist itself; of an opened node above, the groups of its children are.
  std::vector<NodeKey> Opened(const std::vector<std::vector<int32_t>>& worklists) const {
    std::vector<NodeKey> opened;
    for (int32_t leaf : worklists[0]) opened.push_back(Node(0, leaf));
    for (size_t level = 1; level < levels_.size(); ++level)
      for (int32_t group : worklists[level]) {
        // On the level of mini-segments' roots, groups of the last slot are those roots: nobody opened a parent of theirs.
        const bool root = level + 1 == levels_.size() && group * 4 >= store_.mini_slot(region_.segment) * g_.minis_per_segment();
        if (!root && group % levels_[level].child_groups == 0) opened.push_back(Node(level, group / levels_[level].child_groups));
      }
    return opened;
  }

 private:
  void Order(int64_t kv_head, UnitKey unit, int64_t first_slot, GivenIndex& out) const {
    std::vector<int64_t>& slots = out.slots[{kv_head, unit}];
    slots.clear();
    for (int64_t s = 0; s < unit.tokens; ++s) {
      const int32_t position = store_.index(kv_head).leaf_pos()[first_slot + s];
      slots.push_back(position < g_.keys ? position : -1);
    }
  }

  NodeKey Node(size_t level, int64_t node) const {
    const LevelArrays& l = levels_[level];
    const int64_t slot = node / l.nodes, inside = node % l.nodes;
    if (slot < store_.mini_slot(region_.segment)) return {{slot * g_.segment, g_.segment}, static_cast<int64_t>(level), inside};
    const int64_t per_mini = g_.mini / l.tokens;
    return {{region_.segment * g_.segment + inside / per_mini * g_.mini, g_.mini}, static_cast<int64_t>(level), inside % per_mini};
  }

  const Geometry& g_;
  const IndexStore& store_;
  const Region& region_;
  const std::span<const LevelArrays> levels_;
};

}  // namespace

Decided DecideAndAttend(const Plan& plan, const oracle::Problem& p, double theta, DType dtype) {
  OwnedTensor q(p.H, p.N, p.D, dtype, Layout::kHeadsFirst), k(p.Hkv, p.M, p.D, dtype, Layout::kHeadsFirst),
      v(p.Hkv, p.M, p.Dv, dtype, Layout::kHeadsFirst);
  OwnedTensor o(p.H, p.N, p.Dv, DType::kF32, Layout::kHeadsFirst), lse(1, p.H, p.N, DType::kF32, Layout::kHeadsFirst);
  q.Fill(p.q), k.Fill(p.k), v.Fill(p.v);
  const Inputs inputs{q.view(), k.view(), v.view()};
  const Outputs outputs{.o = o.mutable_view(), .lse = lse.mutable_view()};
  const RunOptions options{.mode = Mode::kTheta, .theta = theta};
  const Job job{plan, inputs, outputs, options, Geometry::Of(plan.graph(), p.N, p.M), Program(plan), /*threads=*/1};
  const Geometry& g = job.geometry;

  Decided decided;
  const std::vector<Block> blocks = BlocksOf(g);
  size_t most_regions = 1;
  for (const Block& block : blocks) most_regions = std::max(most_regions, block.regions.size());
  absl::StatusOr<std::unique_ptr<IndexStore>> store = IndexStore::Create(job, blocks.empty() ? 0 : blocks.back().regions.back().segment,
                                                                         static_cast<int64_t>(most_regions), /*memory_bytes=*/0);
  if (!store.ok()) throw std::runtime_error(store.status().ToString());
  Workers workers([&] { return Worker(job.program); });
  const TileIo io(job.program, g, inputs, outputs);
  WindowAttender attender(job, **store);
  GroupNodes nodes(job, **store);
  for (const Block& block : blocks) {
    for (const Region& region : block.regions) (*store)->BuildRegion(workers, region.segment, region.minis);
    for (int64_t head = 0; head < g.heads; ++head) {
      nodes.Build(workers, head / g.group(), block, block.regions);
      for (const Region& region : block.regions) {
        const RegionKeys keys = PackRegion(KeysFor::kQueries, job, workers.local(), **store, region, head / g.group());
        const Reader reader(job, **store, region, nodes.of(head).levels());
        reader.Orders(decided.index);
        for (Window& window : WindowsOf(g, head, std::span(&region, 1), nodes.of(head))) {
          attender.AttendNear(workers.local(), io, window, keys);
          const int64_t w0 = window.begin / g.window * g.window;
          std::vector<std::vector<int64_t>>& tiles = decided.index.tiles[{head, w0}];
          for (const Tile& tile : window.tiles) {
            attender.AttendFar(workers.local(), io, window, tile, theta, TileOpener::Depth::kWhole);
            io.Store(workers.local(), tile);
            std::vector<NodeKey>& opened = decided.index.opened[TileKey{head, w0, static_cast<int64_t>(tiles.size())}];
            tiles.emplace_back(tile.positions().begin(), tile.positions().end());
            if (window.near_start > 0) opened = reader.Opened(attender.opener().worklists());
          }
        }
      }
    }
  }
  decided.attended = {o.Values(), lse.Values(), {}};
  return decided;
}

}  // namespace hsa::end_to_end
