#include "runtime/kmeans.h"

#include <cmath>
#include <random>
#include <set>

#include "gtest/gtest.h"

namespace hsa {
namespace {

// Rows [n, 5] of which three numbers count: `groups` far from each other, and what fills up.
std::vector<float> Rows(int64_t n, int64_t groups) {
  std::mt19937_64 random(3);
  std::vector<float> rows;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t d = 0; d < 3; ++d)
      rows.push_back(static_cast<float>(i % groups * (d + 1) * 100) + static_cast<float>(random() % 1000) * 1e-3f);
    rows.push_back(1e6f * static_cast<float>(random() % 7)), rows.push_back(NAN);
  }
  return rows;
}

TEST(KmeansTest, FindsGroupsThatAreApart) {
  const std::vector<int32_t> groups = KmeansGroups(Rows(300, 6), 5, 3, 6, 1);
  for (int64_t i = 0; i < 300; ++i) EXPECT_EQ(groups[i], groups[i % 6]) << i;
  EXPECT_EQ(std::set<int32_t>(groups.begin(), groups.begin() + 6).size(), 6u);
}

TEST(KmeansTest, TheSameSeedGivesTheSameGroups) {
  const std::vector<float> rows = Rows(200, 50);
  EXPECT_EQ(KmeansGroups(rows, 5, 3, 9, 4), KmeansGroups(rows, 5, 3, 9, 4));
  EXPECT_NE(KmeansGroups(rows, 5, 3, 9, 4), KmeansGroups(rows, 5, 3, 9, 5));
}

TEST(KmeansTest, NoGroupIsEmpty) {
  const std::vector<float> equal(40 * 5, 2);  // all distances are 0
  const std::vector<int32_t> groups = KmeansGroups(equal, 5, 3, 40, 0);
  EXPECT_EQ(std::set<int32_t>(groups.begin(), groups.end()).size(), 40u);
}

}  // namespace
}  // namespace hsa
