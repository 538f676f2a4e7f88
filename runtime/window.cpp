#include "runtime/window.h"

#include <algorithm>
#include <array>

namespace hsa {

namespace {

constexpr int64_t kSumLanes = 16;  // partial sums of a row

// One buffer of a tile's state, and where a window keeps it.
struct StatePart {
  const char* buffer;
  std::vector<float> Window::* rows;
  int64_t width;
};

std::array<StatePart, 3> StateParts(const Geometry& g) {
  return {{{"max", &Window::max, 1}, {"sum", &Window::sum, kSumLanes}, {"acc", &Window::acc, g.padded_value_dim}}};
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

void WindowAttender::AttendNear(Worker& worker, const TileIo& io, Window& window, const RegionKeys& keys) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t count = window.end - window.begin;
  for (const StatePart& part : StateParts(g_)) (window.*part.rows).resize(count * part.width);
  window.near_keys.clear();
  // Tiles stand at multiples of their size, wherever the first query does.
  for (int64_t begin = window.begin; begin < window.end;) {
    const int64_t end = std::min(window.end, (begin / g_.tile + 1) * g_.tile);
    const Tile tile = Tile::Range(window.head, begin, end);
    io.Load(worker, tile);
    opener_.AttendNear(worker, tile, window.near_start, keys);
    for (int32_t position : tile.positions())
      window.near_keys.push_back(static_cast<float>(opener_.NearKeys(position, window.near_start, keys)));
    for (const StatePart& part : StateParts(g_))
      std::copy_n(worker.Buffer(part.buffer), (end - begin) * part.width,
                  (window.*part.rows).begin() + (begin - window.begin) * part.width);
    begin = end;
  }
  window.tiles = order_.Tiles(worker, window.head, window.begin, window.end);
  window.done.assign(window.tiles.size(), {});
  window.near_seconds = SecondsSince(start);
}

TileCost WindowAttender::AttendFar(Worker& worker, const TileIo& io, const Window& window, const Tile& tile, double theta,
                                   TileOpener::Depth depth) {
  const int64_t finite = io.Load(worker, tile);
  for (const StatePart& part : StateParts(g_)) {
    float* rows = worker.Buffer(part.buffer);
    for (int64_t r = 0; r < tile.rows(); ++r)
      std::copy_n((window.*part.rows).begin() + (tile.position[r] - window.begin) * part.width, part.width, rows + r * part.width);
  }
  return opener_.AttendFar(worker, tile, finite, window.near_start, *window.nodes, theta, depth);
}

void WindowAttender::AttendFar(Worker& worker, const TileIo& io, Window& window, size_t t, double theta) {
  TileDone& done = window.done[t];
  done.wasted_seconds += done.cost.seconds();
  done.theta = theta;
  done.cost = AttendFar(worker, io, window, window.tiles[t], theta, TileOpener::Depth::kWhole);
}

}  // namespace hsa
