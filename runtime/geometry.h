// Where a run's queries, keys, windows and units stand: pure arithmetic of docs/spec.md, "Mask" and "Units, near field and index".
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/affinity.h"
#include "runtime/format/plan.pb.h"

namespace hsa {

struct Geometry {
  int64_t queries = 0, keys = 0;  // N, M
  int64_t heads = 0, kv_heads = 0, head_dim = 0, value_dim = 0;
  int64_t padded_head_dim = 0, padded_value_dim = 0;  // multiples of 16
  int64_t paired_head_dim = 0;                        // multiple of 32: of keys in pairs of bf16
  bool causal = false;
  int64_t sliding_window = 0, sink_tokens = 0;
  int64_t near_sinks = 0, window = 0, tile = 0, leaf = 0, mini = 0, segment = 0, bands = 0, order = 0;
  int64_t levels = 0;
  bool content_tiles = false;  // queries of a window are tiled by content, not by position
  bool lone_tiles = false;     // each query is a tile of its own

  static Geometry Of(const format::Graph& graph, int64_t queries, int64_t keys) {
    const auto padded = [](int64_t dim) { return (dim + 15) / 16 * 16; };
    const format::Splats& s = graph.splats();
    return {.queries = queries,
            .keys = keys,
            .heads = graph.query_heads(),
            .kv_heads = graph.kv_heads(),
            .head_dim = graph.head_dim(),
            .value_dim = graph.value_dim(),
            .padded_head_dim = padded(graph.head_dim()),
            .padded_value_dim = padded(graph.value_dim()),
            .paired_head_dim = (static_cast<int64_t>(graph.head_dim()) + 31) / 32 * 32,
            .causal = graph.mask().causal(),
            .sliding_window = static_cast<int64_t>(graph.mask().sliding_window()),
            .sink_tokens = static_cast<int64_t>(graph.mask().sink_tokens()),
            .near_sinks = s.near_sink_tokens(),
            .window = s.window_tokens(),
            .tile = graph.has_routed() ? kSplatTile : static_cast<int64_t>(s.tile_queries()),
            .leaf = s.leaf_tokens(),
            .mini = s.mini_segment_tokens(),
            .segment = s.segment_tokens(),
            .bands = s.bands(),
            .order = s.order(),
            .levels = s.level_tokens_size(),
            .content_tiles = s.query_order() == format::CONTENT};
  }

  int64_t group() const { return heads / kv_heads; }         // query heads per KV head
  int64_t first_position() const { return keys - queries; }  // of query 0
  int64_t minis_per_segment() const { return segment / mini; }

  // Positions lo..hi (inclusive) that the query at `position` sees, besides the sink prefix.
  int64_t VisibleHi(int64_t position) const { return causal ? position : keys - 1; }
  int64_t VisibleLo(int64_t position) const { return sliding_window > 0 ? std::max<int64_t>(0, position - sliding_window + 1) : 0; }
  int64_t VisibleKeys(int64_t position) const {
    const int64_t lo = VisibleLo(position), hi = VisibleHi(position);
    return hi - lo + 1 + std::min(lo, sink_tokens);
  }

  // Keys that all queries of one head see, added up.
  double AllVisibleKeys() const {
    double visible = 0;
    for (int64_t position = first_position(); position < keys; ++position) visible += static_cast<double>(VisibleKeys(position));
    return visible;
  }

  // First key of the near field of the window at `window_start`; the index covers what lies before it.
  int64_t NearStart(int64_t window_start) const { return causal ? window_start : keys / mini * mini; }
};

}  // namespace hsa
