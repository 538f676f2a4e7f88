// Links from data: a splat passes on to the splats that its keys belong to as well.
#include "runtime/links_from_keys.h"

#include <cmath>

#include "gtest/gtest.h"

namespace hsa {
namespace {

// Four narrow splats at 0, 1, 10, 11 and two wide ones at 0.5, 10.5 on a line, linked up and down.
struct Line {
  Line() {
    format::Routed& routed = *graph.mutable_routed();
    graph.set_head_dim(1), graph.set_kv_heads(1);
    routed.set_isotropic(true);
    for (const uint32_t splats : {4u, 2u}) routed.add_levels()->set_splats(splats), routed.mutable_levels()->rbegin()->set_weight(3);
    for (const uint32_t from : {0u, 1u}) routed.add_links()->set_from(from), routed.mutable_links()->rbegin()->set_to(1 - from);
  }
  static TensorView View(const std::vector<float>& values) {
    return {reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {1, 6, 1}, {6, 1, 1}};
  }
  SplatTensors splats() const { return {.center = View(center), .variance = View(variance)}; }

  format::Graph graph;
  std::vector<float> center = {0, 1, 10, 11, 0.5f, 10.5f}, variance = {0.01f, 0.01f, 0.01f, 0.01f, 1, 1};
};

std::vector<std::vector<double>> Dense(const KeptMatrix& matrix) {
  std::vector<std::vector<double>> rows(matrix.rows(), std::vector<double>(matrix.columns, 0.0));
  for (int64_t r = 0; r < matrix.rows(); ++r)
    for (int64_t i = matrix.begin[r]; i < matrix.begin[r + 1]; ++i) rows[r][matrix.column[i]] = matrix.value[i];
  return rows;
}

TEST(LinksFromKeysTest, LeadToTheSplatsOfTheSameKeys) {
  const Line line;
  LinksFromKeys links(line.graph, line.splats(), 0);
  links.Add(std::vector<std::vector<double>>{{0}, {0}, {0}, {1}});
  links.Add(std::vector<std::vector<double>>{{10}, {11}});
  EXPECT_EQ(Dense(links.Weight(0)), (std::vector<std::vector<double>>{{1, 1, 0, 0}, {0, 0, 1, 1}}));
  const auto down = Dense(links.Weight(1));  // three of the four keys of the first wide splat are at 0
  ASSERT_EQ(down.size(), 4u);
  for (const auto& [row, column, wanted] : {std::tuple{0, 0, 0.75}, {1, 0, 0.25}, {2, 0, 0}, {2, 1, 0.5}, {3, 1, 0.5}})
    EXPECT_NEAR(down[row][column], wanted, 1e-9) << row << " " << column;
}

// What is small beside the greatest is left out, and the others take its part. A splat that keys hardly belong to leads to the splat of the nearest one, a splat
// without a key nowhere.
TEST(LinksFromKeysTest, SmallOnesAreLeftOut) {
  const Line line;
  LinksFromKeys links(line.graph, line.splats(), 0);
  std::vector<std::vector<double>> keys(200, {0});
  keys.push_back({1});
  links.Add(keys);
  EXPECT_EQ(Dense(links.Weight(1)), (std::vector<std::vector<double>>{{1, 0}, {0, 1}, {0, 0}, {0, 0}}));
  EXPECT_EQ(Dense(links.Weight(0)), (std::vector<std::vector<double>>{{1, 1, 0, 0}, {0, 0, 0, 0}}));
}

}  // namespace
}  // namespace hsa
