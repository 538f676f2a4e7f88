// The one file that sees hnswlib.
#include "runtime/splat_graph.h"

#define NO_MANUAL_VECTORIZATION  // of its own distances, which are not used, and prefetches, of which one reads behind the end of a list
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace hsa {
namespace {

constexpr size_t kLinks = 16;  // of a splat to its neighbours; twice as many at the bottom, where all of them are
constexpr size_t kBuildCandidates = 100;
constexpr int64_t kCandidates = 4;  // that are kept in sight, for each that is wanted

// Points as the graph holds them: center [depth], then scale and shift [depth] each, then -log2 a. A token has its coordinates in place of a center, and no more.
// −log2 a φ_b of the center of `a`: how far a splat or a token is from the splat b.
float Distance(const void* a, const void* b, const void* depth_of) {
  constexpr size_t kLanes = 16;
  const size_t depth = *static_cast<const size_t*>(depth_of);
  const auto *x = static_cast<const float*>(a), *splat = static_cast<const float*>(b);
  const float *scale = splat + depth, *shift = scale + depth;
  std::array<float, kLanes> sums = {};
  for (size_t d = 0; d < depth; d += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float apart = scale[d + lane] * x[d + lane] + shift[d + lane];
      sums[lane] += apart * apart;
    }
  float sum = splat[3 * depth];
  for (const float x : sums) sum += x;
  return sum;
}

class AffinitySpace : public hnswlib::SpaceInterface<float> {
 public:
  explicit AffinitySpace(size_t depth) : depth_(depth) {}
  size_t get_data_size() override { return (3 * depth_ + 1) * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return Distance; }
  void* get_dist_func_param() override { return &depth_; }

 private:
  size_t depth_;
};

}  // namespace

struct SplatGraph::Graph {
  Graph(size_t depth, size_t splats) : space(depth), links(&space, splats, kLinks, kBuildCandidates) {}

  AffinitySpace space;
  hnswlib::HierarchicalNSW<float> links;
};

SplatGraph::SplatGraph(const RoutedTables& tables, std::span<const int32_t> which)
    : graph_(std::make_unique<Graph>(tables.depth, which.size())) {
  std::vector<float> point(3 * tables.depth + 1);
  for (size_t i = 0; i < which.size(); ++i) {
    for (int64_t d = 0; d < tables.depth; ++d) point[d] = tables.Center(which[i], d);
    std::copy_n(&tables.scale[which[i] * tables.depth], tables.depth, &point[tables.depth]);
    std::copy_n(&tables.shift[which[i] * tables.depth], tables.depth, &point[2 * tables.depth]);
    point.back() = -tables.amplitude[which[i]];
    graph_->links.addPoint(point.data(), i);
  }
}

SplatGraph::~SplatGraph() = default;
SplatGraph::SplatGraph(SplatGraph&&) noexcept = default;

void SplatGraph::Nearest(const float* token, int64_t most, std::vector<int32_t>& places) const {
  auto found = graph_->links.searchKnn(token, kCandidates * most);
  while (static_cast<int64_t>(found.size()) > most) found.pop();  // the farthest
  for (places.clear(); !found.empty(); found.pop()) places.push_back(static_cast<int32_t>(found.top().second));
}

int64_t SplatGraph::Bytes(int64_t splats, int64_t depth) {
  constexpr int64_t kLocks = 65536 * sizeof(std::mutex);                                 // that hnswlib makes for updates
  const int64_t splat = (3 * depth + 1 + 2 * kLinks + 1) * 4 + sizeof(std::mutex) + 64;  // and its label, level and place in a map
  return kLocks + splats * splat;
}

}  // namespace hsa
