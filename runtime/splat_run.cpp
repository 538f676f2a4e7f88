#include "runtime/splat_run.h"

#include <algorithm>
#include <bit>

#include "runtime/pairs.h"
#include "runtime/trace.h"

namespace hsa {

std::vector<Region> RegionsOf(const Geometry& g) {
  std::vector<Region> regions;
  const int64_t first_window = g.first_position() / g.window, windows = (g.keys + g.window - 1) / g.window;
  for (int64_t w = first_window; w < windows; ++w) {
    const int64_t near_start = g.NearStart(w * g.window), segment = near_start / g.segment;
    if (regions.empty() || regions.back().segment != segment) regions.push_back({segment, 0, w, w});
    regions.back().end_window = w + 1;
    regions.back().minis = std::max(regions.back().minis, near_start % g.segment / g.mini);
  }
  return regions;
}

std::vector<Block> BlocksOf(const Geometry& g) {
  std::vector<Block> blocks;
  for (const Region& region : RegionsOf(g)) {
    // As many segments as lie before it, at most 32: whatever follows, an earlier block stays as it is.
    const int64_t number =
        region.segment < 32 ? std::max<int64_t>(1, std::bit_width(static_cast<uint64_t>(region.segment))) - 1 : 4 + region.segment / 32;
    const int64_t begin = std::max(g.first_position(), region.first_window * g.window);
    if (blocks.empty() || blocks.back().number != number) blocks.push_back({number, {}, begin, begin});
    blocks.back().regions.push_back(region);
    blocks.back().end = std::min(g.keys, region.end_window * g.window);
  }
  return blocks;
}

RegionKeys PackRegion(KeysFor reader, const Job& job, Worker& worker, const IndexStore& store, const Region& region, int64_t kv_head) {
  const Geometry& g = job.geometry;
  const TraceScope scope(job.options.trace, "pack", "splats");
  const TensorView &k = job.inputs.key, &v = job.inputs.value;
  const int64_t end = g.causal ? std::min(g.keys, region.end_window * g.window) : g.keys;
  RegionKeys keys;
  keys.first = g.NearStart(region.first_window * g.window) / g.mini * g.mini;
  keys.exception_positions = store.Exceptions(kv_head, end);
  const auto pack = [&](const auto& packer) {
    packer.PackRange(worker, k, v, kv_head, keys.first, end - keys.first, keys.natural);
    packer.PackList(worker, k, v, kv_head, keys.exception_positions, keys.exceptions);
  };
  // A near field starts at a mini-segment, and pairs are met so many at a time.
  if (reader == KeysFor::kQueries && ReadsPairs(job) && g.mini % kPairSegmentKeys == 0)
    pack(PairPacker(job.program, g, k.dtype));
  else
    pack(PanelPacker(job.program, g, k.dtype));
  return keys;
}

}  // namespace hsa
