#include "runtime/rank_correlation.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace hsa {
namespace {

using List = std::vector<double>;

TEST(RankCorrelationTest, LooksAtTheOrderAlone) {
  EXPECT_DOUBLE_EQ(RankCorrelation(List{1, 2, 3, 4}, List{0.1, 5, 60, 700}), 1);
  EXPECT_DOUBLE_EQ(RankCorrelation(List{1, 2, 3, 4}, List{9, 8, 7, -1}), -1);
  EXPECT_DOUBLE_EQ(RankCorrelation(List{1, 2, 3, 4, 5}, List{2, 1, 4, 3, 5}), 0.8);  // 1 − 6 Σ d² / (n (n² − 1)), Σ d² = 4
}

TEST(RankCorrelationTest, EqualValuesShareARank) {
  EXPECT_EQ(Ranks(List{5, 1, 5, 7, 5}), (List{2, 0, 2, 4, 2}));
  EXPECT_NEAR(RankCorrelation(List{1, 1, 2}, List{1, 2, 3}), std::sqrt(0.75), 1e-12);
}

TEST(RankCorrelationTest, AListOfOneValueHasNone) {
  EXPECT_TRUE(std::isnan(RankCorrelation(List{1, 1, 1}, List{1, 2, 3})));
  EXPECT_TRUE(std::isnan(RankCorrelation(List{}, List{})));
}

}  // namespace
}  // namespace hsa
