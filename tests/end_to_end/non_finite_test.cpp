// A NaN or an infinity in a query, a key or a value: the rows that see it are not finite, all others are what they are without it.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/compiled_plan.h"

namespace hsa::end_to_end {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

const GraphSpec kCausal = {.H = 4, .Hkv = 2, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};
const GraphSpec kNone = {.H = 4, .Hkv = 2, .D = 48, .Dv = 32, .mask = {}, .units = kSmallUnits};
const GraphSpec kSinks = {
    .H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1100, .sinks = 300}, .units = kSmallUnits};

enum class Where { kQuery, kKey, kValue };

struct Case {
  std::string name;
  GraphSpec graph;
  Where where;
  RunOptions options;
  double
      rel_l2;  // of the rows that do not see it. An index that is made with fewer queries or keys is another one: θ decides what that costs
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

constexpr int64_t kQueries = 1100, kKeys = 1500;
// Near sink; sink of the mask; first segment; its end; a mini-segment; the near field of the last window; close to the last key.
constexpr int64_t kPositions[] = {1, 18, 511, 700, 1302, 1497};

class NonFiniteTest : public testing::TestWithParam<Case> {
 protected:
  // Puts `value` into an element of head 0 (the query's) or kv_head 0.
  static void Poison(oracle::Problem& p, Where where, int64_t position, float value) {
    switch (where) {
      case Where::kQuery:
        QueryAt(p, 0, position)[p.D / 2] = value;
        break;
      case Where::kKey:
        KeyAt(p, 0, position)[p.D - 1] = value;
        break;
      case Where::kValue:
        ValueAt(p, 0, position)[p.Dv / 3] = value;
        break;
    }
  }
  static bool Reaches(const oracle::Problem& p, Where where, int64_t position, int64_t h, int64_t i) {
    if (where == Where::kQuery) return h == 0 && i == position - (p.M - p.N);
    return h * p.Hkv / p.H == 0 && oracle::Sees(p, i, position);
  }
  static bool Finite(const Attended& is, const oracle::Problem& p, int64_t row) {
    for (int64_t d = 0; d < p.Dv; ++d)
      if (!std::isfinite(is.o[row * p.Dv + d])) return false;
    return true;
  }
  // `wrong` counts rows that are finite and should not be, or the other way round.
  static void Compare(const oracle::Problem& p, const Attended& clean, const Attended& is,
                      const std::function<bool(int64_t, int64_t)>& reaches, double rel_l2) {
    int64_t wrong = 0;
    std::vector<float> o, lse;
    std::vector<double> wanted, clean_lse;
    for (int64_t h = 0; h < p.H; ++h)
      for (int64_t i = 0; i < p.N; ++i) {
        const int64_t row = h * p.N + i;
        const bool reached = reaches(h, i);
        if (Finite(is, p, row) == reached && wrong++ < 3)
          ADD_FAILURE() << "head " << h << " query " << i << (reached ? " is finite" : " is not finite");
        if (reached || !Finite(is, p, row)) continue;
        o.insert(o.end(), is.o.begin() + row * p.Dv, is.o.begin() + (row + 1) * p.Dv);
        wanted.insert(wanted.end(), clean.o.begin() + row * p.Dv, clean.o.begin() + (row + 1) * p.Dv);
        lse.push_back(is.lse[row]), clean_lse.push_back(clean.lse[row]);
      }
    EXPECT_EQ(wrong, 0);
    EXPECT_LE(oracle::RelL2(std::span<const float>(o), std::span<const double>(wanted)), rel_l2);
    if (rel_l2 < 1e-5) {
      EXPECT_LE(MaxAbsDifference(lse, clean_lse), 1e-4);
    }
  }
};

TEST_P(NonFiniteTest, ReachesTheRowsThatSeeIt) {
  const Case& c = GetParam();
  const oracle::Problem p = RandomProblem(c.graph, kQueries, kKeys, /*seed=*/7);
  const Attended clean = Attend(PlanOf(c.graph), p, c.options);
  for (int64_t position : kPositions) {
    if (c.where == Where::kQuery && position < kKeys - kQueries) continue;
    const float value = position % 4 == 0 ? kNaN : position % 4 == 1 ? kInf : -kInf;
    SCOPED_TRACE(absl::StrCat(value, " at position ", position));
    oracle::Problem poisoned = p;
    Poison(poisoned, c.where, position, value);
    Compare(
        p, clean, Attend(PlanOf(c.graph), poisoned, c.options), [&](int64_t h, int64_t i) { return Reaches(p, c.where, position, h, i); },
        c.rel_l2);
  }
}

const RunOptions kExactly = {.mode = Mode::kExact, .threads = 2};
const RunOptions kOpenAll = {.mode = Mode::kTheta, .theta = 0, .threads = 2};
const RunOptions kSplats = {.mode = Mode::kTheta, .theta = 0.001, .threads = 2};
const Case kCases[] = {
    {"exact_query", kCausal, Where::kQuery, kExactly, 0},         {"exact_key", kCausal, Where::kKey, kExactly, 5e-6},
    {"exact_value", kCausal, Where::kValue, kExactly, 5e-6},      {"exact_none_key", kNone, Where::kKey, kExactly, 5e-6},
    {"exact_sinks_key", kSinks, Where::kKey, kExactly, 5e-6},     {"exact_sinks_value", kSinks, Where::kValue, kExactly, 5e-6},
    {"opened_query", kCausal, Where::kQuery, kOpenAll, 5e-6},     {"opened_key", kCausal, Where::kKey, kOpenAll, 5e-6},
    {"opened_value", kCausal, Where::kValue, kOpenAll, 5e-6},     {"opened_none_key", kNone, Where::kKey, kOpenAll, 5e-6},
    {"opened_sinks_key", kSinks, Where::kKey, kOpenAll, 5e-6},    {"opened_sinks_value", kSinks, Where::kValue, kOpenAll, 5e-6},
    {"splats_query", kCausal, Where::kQuery, kSplats, 0.02},      {"splats_key", kCausal, Where::kKey, kSplats, 0.02},
    {"splats_value", kCausal, Where::kValue, kSplats, 0.02},      {"splats_none_key", kNone, Where::kKey, kSplats, 0.02},
    {"splats_sinks_value", kSinks, Where::kValue, kSplats, 0.02},
};
INSTANTIATE_TEST_SUITE_P(Cases, NonFiniteTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// More non-finite keys than a panel holds, in one mini-segment and spread over all: each keeps its own place.
TEST_F(NonFiniteTest, ManyKeys) {
  const oracle::Problem p = RandomProblem(kSinks, kQueries, kKeys, /*seed=*/7);
  oracle::Problem poisoned = p;
  std::vector<int64_t> positions;
  for (int64_t j = 310; j < 350; ++j) positions.push_back(j);
  for (int64_t j = 400; j < kKeys - 800; j += 37) positions.push_back(j);
  for (int64_t j : positions) Poison(poisoned, Where::kKey, j, kNaN);
  const auto reaches = [&](int64_t h, int64_t i) {
    return std::any_of(positions.begin(), positions.end(), [&](int64_t j) { return Reaches(p, Where::kKey, j, h, i); });
  };
  for (const RunOptions& options : {kExactly, kOpenAll}) {
    SCOPED_TRACE(options.mode == Mode::kExact ? "exact" : "splats");
    Compare(p, Attend(PlanOf(kSinks), p, options), Attend(PlanOf(kSinks), poisoned, options), reaches, 5e-6);
  }
}

// A segment without a single live key has no mass; nor has one whose queries are all non-finite a metric of its own.
TEST_F(NonFiniteTest, WholeUnits) {
  const oracle::Problem p = RandomProblem(kSinks, kQueries, kKeys, /*seed=*/7);
  oracle::Problem poisoned = p;
  for (int64_t j = 512; j < 1024; ++j) Poison(poisoned, Where::kValue, j, kInf), Poison(poisoned, Where::kQuery, j, kNaN);
  for (const RunOptions& options : {kExactly, kOpenAll}) {
    SCOPED_TRACE(options.mode == Mode::kExact ? "exact" : "splats");
    const Attended is = Attend(PlanOf(kSinks), poisoned, options);
    for (int64_t row = 0; row < p.H * p.N; ++row) {
      const int64_t position = kKeys - kQueries + row % p.N;
      EXPECT_EQ(Finite(is, p, row), position < 512 || position - p.mask.window >= 1023) << "row " << row;
    }
  }
}

}  // namespace
}  // namespace hsa::end_to_end
