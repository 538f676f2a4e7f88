#include "runtime/window.h"

#include <algorithm>
#include <array>

namespace hsa {

namespace {

// One buffer of a tile's state, and where a near field keeps it.
struct StatePart {
  const char* buffer;
  std::vector<float> NearField::* rows;
  int64_t width;
};

std::array<StatePart, 3> StateParts(const Geometry& g) {
  return {{{"max", &NearField::max, 1}, {"sum", &NearField::sum, kSumLanes}, {"acc", &NearField::acc, g.padded_value_dim}}};
}

}  // namespace

std::vector<Window> WindowsOf(const Geometry& g, int64_t head, std::span<const Region> regions, const SplatNodes& nodes) {
  std::vector<Window> windows;
  for (size_t r = 0; r < regions.size(); ++r)
    for (int64_t w = regions[r].first_window; w < regions[r].end_window; ++w) {
      Window& window = windows.emplace_back();
      window.head = head;
      window.kv_head = head / g.group();
      window.begin = std::max(g.first_position(), w * g.window);
      window.end = std::min(g.keys, (w + 1) * g.window);
      window.near_start = g.NearStart(w * g.window);
      window.region = static_cast<int64_t>(r);
      window.nodes = &nodes;
    }
  return windows;
}

WindowAttender::WindowAttender(const Job& job, const IndexStore& store)
    : g_(job.geometry), order_(job.program, job.geometry, job.inputs.query), opener_(job, store) {}

void WindowAttender::Order(Worker& worker, Window& window) const {
  if (!window.tiles.empty()) return;
  const auto start = std::chrono::steady_clock::now();
  window.tiles = order_.Tiles(worker, window.head, window.begin, window.end);
  window.done.assign(window.tiles.size(), {});
  window.near_seconds += SecondsSince(start);
}

NearField WindowAttender::AttendNear(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, const RegionKeys& keys) {
  NearField near;
  io.Load(worker, tile);
  opener_.AttendNear(worker, tile, window.near_start, keys);
  for (const StatePart& part : StateParts(g_)) {
    const float* rows = worker.Buffer(part.buffer);
    (near.*part.rows).assign(rows, rows + tile.rows() * part.width);
  }
  for (int32_t position : tile.positions()) near.keys.push_back(static_cast<float>(opener_.NearKeys(position, window.near_start, keys)));
  return near;
}

void WindowAttender::AttendNear(Worker& worker, const TileIo& io, Window& window, const RegionKeys& keys) {
  const auto start = std::chrono::steady_clock::now();
  window.near = {};
  // Tiles stand at multiples of their size, wherever the first query does.
  for (int64_t begin = window.begin; begin < window.end;) {
    const int64_t end = std::min(window.end, (begin / g_.tile + 1) * g_.tile);
    const NearField near = AttendNear(worker, io, window, Tile::Range(window.head, begin, end), keys);
    const auto append = [](const std::vector<float>& rows, std::vector<float>& all) { all.insert(all.end(), rows.begin(), rows.end()); };
    for (const StatePart& part : StateParts(g_)) append(near.*part.rows, window.near.*part.rows);
    append(near.keys, window.near.keys);
    begin = end;
  }
  window.near_seconds += SecondsSince(start);
  Order(worker, window);
}

TileCost WindowAttender::AttendFar(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, const NearField& near,
                                   double theta, TileOpener::Depth depth) {
  const auto attend = [&](double at) {
    const int64_t finite = io.Load(worker, tile);
    for (const StatePart& part : StateParts(g_))
      std::copy_n((near.*part.rows).begin(), tile.rows() * part.width, worker.Buffer(part.buffer));
    return opener_.AttendFar(worker, tile, finite, window.near_start, *window.nodes, at, depth);
  };
  TileCost cost = attend(theta);
  if (depth == TileOpener::Depth::kWhole && theta != kReadAll && opener_.LostRow(worker, tile)) cost += attend(kReadAll);
  return cost;
}

TileCost WindowAttender::AttendFar(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, double theta,
                                   TileOpener::Depth depth) {
  thread_local NearField near;
  for (const StatePart& part : StateParts(g_)) {
    std::vector<float>& rows = near.*part.rows;
    rows.resize(tile.rows() * part.width);
    for (int64_t r = 0; r < tile.rows(); ++r)
      std::copy_n((window.near.*part.rows).begin() + (tile.position[r] - window.begin) * part.width, part.width,
                  rows.begin() + r * part.width);
  }
  return AttendFar(worker, io, window, tile, near, theta, depth);
}

}  // namespace hsa
