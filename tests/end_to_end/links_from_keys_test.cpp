// Links from data (docs/spec.md, "Sparse"): those that a plan's stages make of some keys beside the formula in float64.
#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/links_from_keys.h"
#include "runtime/splats_from_keys.h"
#include "runtime/tensor_source.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/routed_stream.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

struct Case {
  std::string name;
  RoutedSpec spec;
};
const Case kCases[] = {
    {"dense", {.H = 2, .Hkv = 2, .M = 700, .D = 12, .Dv = 8, .levels = {40, 9}, .link = true}},
    {"isotropic_causal", {.M = 500, .D = 16, .Dv = 8, .levels = {70, 12}, .isotropic = true, .link = true, .causal = true}},
    {"sparse", {.M = 1500, .D = 12, .Dv = 8, .levels = {40, 9}, .link = true, .causal = true, .top = 3}},
    {"isotropic_threshold", {.M = 700, .D = 12, .Dv = 8, .levels = {40, 9}, .isotropic = true, .link = true, .top = 16, .threshold = 0.4}},
    {"low_rank", {.M = 300, .D = 12, .Dv = 8, .levels = {20, 6}, .link = true, .rank = 2}},
};

// Tensors of a file of one kv_head, as numbers.
struct Splats {
  Splats(const TensorFile& file, int64_t head, const RoutedSpec& spec) : head(head), spec(spec) {
    for (const char* name : {"center", "variance"}) {
      const TensorView view = *file.Get(name);
      std::vector<std::vector<double>>& rows = *name == 'c' ? center : variance;
      for (int64_t s = 0; s < view.shape[1]; ++s) {
        const auto* row = reinterpret_cast<const float*>(view.Row(head, s));
        rows.emplace_back(row, row + view.shape[2]);
      }
    }
  }
  int64_t first(int64_t level) const { return level == 0 ? 0 : spec.levels[0]; }

  // p of one key to the splats of a level.
  std::vector<double> Shares(const float* key, int64_t level) const {
    std::vector<double> log(spec.levels[level]), shares(log.size(), 0.0);
    for (size_t s = 0; s < log.size(); ++s)
      for (int64_t d = 0; d < spec.D; ++d) {
        const size_t splat = first(level) + s;
        const double apart = key[d] - center[splat][d];
        log[s] -= 0.5 * apart * apart / variance[splat][spec.isotropic ? 0 : d];
      }
    std::vector<size_t> order(log.size());
    for (size_t s = 0; s < order.size(); ++s) order[s] = s;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return log[a] > log[b]; });
    const size_t top = std::min<size_t>(order.size(), spec.top > 0 ? spec.top : 8);
    double sum = 0;
    for (size_t i = 0; i < top; ++i)
      if (const double share = std::exp(log[order[i]] - log[order[0]]); share >= spec.threshold) sum += shares[order[i]] = share;
    for (double& share : shares) share /= sum;
    return shares;
  }

  int64_t head;
  const RoutedSpec& spec;
  std::vector<std::vector<double>> center, variance;
};

// [splats of to][splats of from]
std::vector<std::vector<double>> Links(const RoutedProblem& p, const Splats& splats, int64_t from, int64_t to) {
  const RoutedSpec& spec = p.spec;
  std::vector<std::vector<double>> shared(spec.levels[from], std::vector<double>(spec.levels[to], 0.0));
  for (int64_t j = 0; j < spec.M; ++j) {
    const float* key = &p.k[(splats.head * spec.M + j) * spec.D];
    const std::vector<double> left = splats.Shares(key, from), right = splats.Shares(key, to);
    for (size_t t = 0; t < left.size(); ++t)
      for (size_t s = 0; s < right.size(); ++s) shared[t][s] += left[t] * right[s];
  }
  std::vector<std::vector<double>> links(spec.levels[to], std::vector<double>(spec.levels[from], 0.0));
  for (size_t t = 0; t < shared.size(); ++t) {
    const double most = *std::max_element(shared[t].begin(), shared[t].end());
    double sum = 0;
    for (double& x : shared[t]) x = x < most / 64 ? 0 : x, sum += x;
    for (size_t s = 0; s < links.size() && sum > 0; ++s) links[s][t] = shared[t][s] / sum;
  }
  return links;
}

class LinksFromKeysTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, LinksFromKeysTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(LinksFromKeysTest, AreThoseOfTheFormula) {
  const RoutedSpec& spec = GetParam().spec;
  const RoutedProblem p = oracle::RandomRouted(spec, 61);
  OwnedTensor keys(spec.Hkv, spec.M, spec.D, DType::kF32, Layout::kHeadsFirst);
  keys.Fill(p.k);
  const TestFolder folder;
  const absl::Status written = WriteSplatsFromKeys(StreamPlan(spec), keys.view(), folder / "s", {.links = LinksBy::kOverlap});
  ASSERT_TRUE(written.ok()) << written;
  const absl::StatusOr<TensorFile> file = TensorFile::Open(folder / "s");
  ASSERT_TRUE(file.ok()) << file.status();
  for (int64_t head = 0; head < spec.Hkv; ++head)
    for (const int64_t from : {0, 1}) {
      const std::vector<std::vector<double>> wanted = Links(p, Splats(*file, head, spec), from, 1 - from);
      const TensorView is = *file->Get(from == 0 ? "link_0_1" : "link_1_0");
      int64_t links = 0, other = 0;
      for (size_t s = 0; s < wanted.size(); ++s)
        for (size_t t = 0; t < wanted[s].size(); ++t) {
          const float link = reinterpret_cast<const float*>(is.Row(head, static_cast<int64_t>(s)))[t];
          links += link > 0;
          other +=
              std::abs(link - wanted[s][t]) > 1e-4;  // a share within rounding of the least one may be there or not, and its row with it
        }
      EXPECT_GT(links, spec.levels[from]);
      EXPECT_LE(other, 2 * spec.levels[1 - from]) << "of " << spec.levels[from] * spec.levels[1 - from];
    }
}

TEST(LinksFromKeys, OfAnOlderPlan) {
  format::PlanHeader old;
  old.set_producer("hsa 0.0"), old.add_stages()->set_name("nearest_splats"), old.add_stages()->set_name("count_near");
  EXPECT_EQ(std::string(LinksFromKeys::Check(old).message()),
            "--links-by overlap: the plan, written by hsa 0.0, has no stage 'kept_shares'; compile the graph again");
}

}  // namespace
}  // namespace hsa::end_to_end
