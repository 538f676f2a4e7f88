#include "runtime/coverage.h"

#include <random>

#include "gtest/gtest.h"

namespace hsa {
namespace {

TEST(CoverageTest, MissesThatASampleMayHave) {
  EXPECT_EQ(AllowedMisses(64, 0.95), 2);   // ⌈65 · 0.95⌉ = 62
  EXPECT_EQ(AllowedMisses(19, 0.95), 0);   // ⌈20 · 0.95⌉ = 19
  EXPECT_EQ(AllowedMisses(18, 0.95), -1);  // 19 of 18
  EXPECT_EQ(AllowedMisses(0, 0.5), -1);
  EXPECT_EQ(AllowedMisses(99, 0.9), 9);
}

TEST(CoverageTest, TheLeastSampleIsTheLeast) {
  for (double confidence : {0.5, 0.9, 0.95, 0.99, 0.9995}) {
    const int64_t n = LeastSample(confidence);
    EXPECT_GE(AllowedMisses(n, confidence), 0) << confidence;
    EXPECT_LT(AllowedMisses(n - 1, confidence), 0) << confidence;
  }
  EXPECT_EQ(LeastSample(0.95), 19);
  EXPECT_EQ(LeastSample(0.9995), 1999);
}

// Binomial(100, 0.05): P(X ≥ 11) = 0.0115, P(X ≥ 12) = 0.0043.
TEST(CoverageTest, RejectsWhatComesOnceInAHundredTimes) {
  EXPECT_FALSE(BinomialRejects(100, 0, 0.05, 0.01));
  EXPECT_FALSE(BinomialRejects(100, 5, 0.05, 0.01));
  EXPECT_FALSE(BinomialRejects(100, 11, 0.05, 0.01));
  EXPECT_TRUE(BinomialRejects(100, 12, 0.05, 0.01));
  EXPECT_TRUE(BinomialRejects(100, 100, 0.05, 0.01));
  EXPECT_FALSE(BinomialRejects(0, 0, 0.05, 0.01));
}

// What it rejects when the rate is true, counted: at most one in a hundred.
TEST(CoverageTest, RejectsATrueRateOneTimeInAHundred) {
  std::mt19937_64 random(7);
  std::binomial_distribution<int64_t> misses(3000, 0.05);
  int64_t rejected = 0;
  for (int i = 0; i < 4000; ++i) rejected += BinomialRejects(3000, misses(random), 0.05, 0.01);
  EXPECT_GT(rejected, 10);
  EXPECT_LE(rejected, 60);
}

}  // namespace
}  // namespace hsa
