// k-means by OpenCV's core: in Debian's main section, kept up for twenty years, one shared library that runs on the TBB we already link.
// faiss is a static archive that wants OpenMP and a BLAS at link time, VLFeat is no longer maintained, and mlpack is not in Debian 12.
#include <algorithm>
#include <functional>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/core/hal/hal.hpp>

#include "oneapi/tbb/parallel_for.h"
#include "tools/hsa_bench_decode_groups.h"

namespace hsa::bench {
namespace {

constexpr int kIterations = 10;      // of Lloyd
constexpr int64_t kRunKeys = 32768;  // clustered together: all at once would cost the square of the length

int32_t Nearest(const float* key, const cv::Mat& centroids) {
  int32_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (int32_t c = 0; c < centroids.rows; ++c)
    if (const float distance = cv::hal::normL2Sqr_(key, centroids.ptr<float>(c), centroids.cols); distance < least)
      least = distance, best = c;
  return best;
}

// Appends the centroids of `members` to `centroids`, and tells each member's.
void ClusterRun(const KeyRows& rows, const std::vector<int64_t>& members, int64_t keys_per_cluster, cv::Mat& centroids,
                const std::function<void(int64_t key, int32_t cluster)>& tell) {
  cv::Mat samples(static_cast<int>(members.size()), static_cast<int>(rows.dim), CV_32F), assigned, found;
  for (size_t i = 0; i < members.size(); ++i) std::copy_n(rows.Key(members[i]), rows.dim, samples.ptr<float>(static_cast<int>(i)));
  const int clusters = static_cast<int>(std::max<int64_t>(1, samples.rows / keys_per_cluster));
  cv::kmeans(samples, clusters, assigned, {cv::TermCriteria::COUNT, kIterations, 0}, 1, cv::KMEANS_PP_CENTERS, found);
  for (size_t i = 0; i < members.size(); ++i) tell(members[i], centroids.rows + assigned.at<int>(static_cast<int>(i)));
  centroids.push_back(found);
}

}  // namespace

std::vector<int32_t> KmeansLabels(const KeyRows& rows, int64_t begin, int64_t end, int64_t keys_per_cluster, uint64_t seed) {
  cv::theRNG() = cv::RNG(seed + 1);  // a seed of 0 would be OpenCV's own
  std::vector<int32_t> labels(rows.tokens - begin, -1);
  cv::Mat centroids;
  for (int64_t run = begin; run < end; run += kRunKeys) {
    std::vector<int64_t> members;
    for (int64_t j = run; j < std::min(run + kRunKeys, end); ++j)
      if (rows.finite[j]) members.push_back(j);
    if (!members.empty())
      ClusterRun(rows, members, keys_per_cluster, centroids, [&](int64_t key, int32_t cluster) { labels[key - begin] = cluster; });
  }
  if (centroids.rows == 0) return labels;
  tbb::parallel_for(end, rows.tokens, [&](int64_t j) {
    if (rows.finite[j]) labels[j - begin] = Nearest(rows.Key(j), centroids);
  });
  return labels;
}

}  // namespace hsa::bench
