// Scheme routed where a token keeps a few splats, levels are linked and queries choose among them: compiled and run, beside the kernel of every pair of tokens
// in float64.
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/affinity_cache.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/routed_stream.h"
#include "tests/oracle/attention_oracle.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

constexpr double kRelL2 = 5e-6;

double ErrorOf(const std::vector<float>& o, const std::vector<double>& wanted) {
  return oracle::RelL2(std::span<const float>(o), std::span<const double>(wanted));
}

const RoutedSpec kLinked = {.H = 3, .Hkv = 1, .levels = {100, 16}, .weights = {1, 0.5}, .amplitude = true, .link = true, .top = 8};
const RoutedSpec kLinkedCausal = {
    .H = 3, .Hkv = 1, .levels = {100, 16}, .weights = {1, 0.5}, .amplitude = true, .link = true, .causal = true, .top = 8};
const RoutedSpec kGated = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .isotropic = true, .gate = true, .top = 5};
const RoutedSpec kBothCausal = {
    .H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .isotropic = true, .link = true, .gate = true, .causal = true, .top = 5};
const RoutedSpec kFullBoth = {.H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9}, .link = true, .gate = true, .full = true, .top = 5};

// Coarser levels keep fewer dimensions of the values; what goes down to a finer one has all that it keeps.
const RoutedSpec kFewer = {.H = 2, .Hkv = 1, .Dv = 48, .levels = {50, 20, 6}, .value_dims = {48, 32, 16}, .top = 6};
const RoutedSpec kFewerCausal = {.H = 2, .Hkv = 1, .Dv = 48, .levels = {50, 20, 6}, .value_dims = {48, 16, 16}, .causal = true, .top = 6};
const RoutedSpec kFewerLinked = {.H = 2, .Hkv = 1, .Dv = 48, .levels = {50, 20, 6}, .value_dims = {32, 32, 16}, .link = true, .top = 6};
const RoutedSpec kFewerLinkedCausal = {
    .H = 2, .Hkv = 1, .Dv = 48, .levels = {50, 20, 6}, .value_dims = {48, 32, 16}, .link = true, .gate = true, .causal = true, .top = 6};
const RoutedSpec kFewerDense = {.H = 2, .Hkv = 1, .Dv = 48, .levels = {64, 64, 6}, .value_dims = {48, 32, 16}, .link = true, .gate = true};
const RoutedSpec kFewerDenseCausal = {
    .H = 2, .Hkv = 1, .Dv = 48, .levels = {64, 64, 6}, .value_dims = {48, 32, 16}, .link = true, .causal = true};

struct Case {
  std::string name;
  RoutedSpec spec;
};

class SparseFlowTest : public testing::TestWithParam<Case> {};
TEST_P(SparseFlowTest, MatchesOracle) {
  const RoutedProblem p = oracle::RandomRouted(GetParam().spec, 17);
  const double error = ErrorOf(MustStream(p, {.threads = 2}).o, oracle::AttendRouted(p));
  RecordProperty("rel_l2", absl::StrCat(error));
  EXPECT_LE(error, kRelL2);
}
const Case kCases[] = {
    {"no_token", Of(kLinked, 0, 0)},
    {"linked", Of(kLinked, 33, 100)},
    {"linked_far", Of(kLinked, 64, 120, 0.05)},  // a token's splats on one level are 2^1000 times nearer than on the other
    {"gated", Of(kGated, 65, 257)},
    {"full_both", Of(kFullBoth, 65, 100)},
    {"causal_one_key", Of(kLinkedCausal, 1, 1)},
    {"causal_linked", Of(kLinkedCausal, 100, 257)},  // 157 tokens before the first query
    {"causal_far", Of(kLinkedCausal, 100, 120, 0.05)},
    {"causal_both", Of(kBothCausal, 200, 257)},
    {"fewer_values", Of(kFewer, 65, 150)},
    {"fewer_values_causal", Of(kFewerCausal, 100, 150)},
    {"fewer_values_linked", Of(kFewerLinked, 65, 150)},
    {"fewer_values_linked_causal", Of(kFewerLinkedCausal, 100, 150)},
    {"fewer_values_dense_linked", Of(kFewerDense, 65, 150)},
    {"fewer_values_dense_linked_causal", Of(kFewerDenseCausal, 100, 150)},
    {"causal_both_threshold", Of(kBothCausal, 200, 200, 0.1, 0.3)},
};
INSTANTIATE_TEST_SUITE_P(Cases, SparseFlowTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST(SparseFlow, EveryIsa) {
  for (const RoutedSpec& spec : {Of(kLinked, 40, 90), Of(kBothCausal, 90, 90), Of(kFewerLinkedCausal, 90, 90)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 23);
    Plan& plan = RoutedPlan(StreamGraph(spec), {"x86-64", "x86-64-v3", "x86-64-v4"});
    for (const char* cpu : {"x86-64", "x86-64-v3", "x86-64-v4"}) {
      if (!plan.SelectVariant(cpu).ok()) continue;  // of another processor
      OwnedTensor o(spec.H, spec.N, spec.Dv, DType::kF32, Layout::kHeadsFirst);
      ASSERT_TRUE(::hsa::Run(plan, StreamInputs(p).inputs(), {.o = o.mutable_view()}, {.threads = 2}).ok());
      EXPECT_LE(ErrorOf(o.Values(), oracle::AttendRouted(p)), kRelL2) << cpu;
    }
  }
}

TEST(SparseFlow, RandomProblems) {
  std::mt19937 random(5);
  const auto one_of = [&](std::initializer_list<int64_t> values) { return *(values.begin() + random() % values.size()); };
  for (const bool causal : {false, true})
    for (int i = 0; i < 3; ++i) {
      RoutedSpec spec{.Hkv = one_of({1, 2}), .D = one_of({16, 36, 64}), .Dv = one_of({16, 20, 40}), .causal = causal};
      spec.H = spec.Hkv * one_of({1, 3}), spec.M = one_of({1, 63, 130, 257}), spec.N = std::min(spec.M, one_of({1, 63, 130}));
      spec.levels = random() % 2 == 0 ? std::vector<int64_t>{one_of({30, 90}), 12, 3} : std::vector<int64_t>{one_of({64, 65})};
      spec.link = spec.levels.size() > 1 && random() % 4 != 0, spec.gate = !spec.link || random() % 2 == 0;
      spec.isotropic = random() % 2 == 0, spec.amplitude = random() % 2 == 0;
      spec.top = one_of({1, 4, 9}), spec.threshold = random() % 2 == 0 ? 0 : 0.1, spec.width = one_of({1, 4}) * 0.25;
      const RoutedProblem p = oracle::RandomRouted(spec, random());
      EXPECT_LE(ErrorOf(MustStream(p, {.threads = 2}).o, oracle::AttendRouted(p)), kRelL2) << "problem " << i << ", causal " << causal;
    }
}

TEST(SparseFlow, NonFiniteTokensSendNothing) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const RoutedSpec& spec : {Of(kLinked, 90, 90), Of(kBothCausal, 90, 90)}) {
    RoutedProblem p = oracle::RandomRouted(spec, 29);
    p.k[3 * spec.D + 1] = nan, p.v[40 * spec.Dv] = nan, p.q[7 * spec.D] = nan;
    const std::vector<float> o = MustStream(p, {.threads = 2}).o;
    const std::vector<double> wanted = oracle::AttendRouted(p);
    double apart = 0, norm = 0;
    for (size_t i = 0; i < o.size(); ++i) {
      ASSERT_EQ(std::isnan(o[i]), std::isnan(wanted[i])) << i;
      if (!std::isnan(o[i])) apart += std::pow(o[i] - wanted[i], 2), norm += std::pow(wanted[i], 2);
    }
    EXPECT_LE(std::sqrt(apart / norm), kRelL2);
  }
}

TEST(SparseFlow, ThreadsChangeNoBit) {
  for (const RoutedSpec& spec : {Of(kLinked, 300, 300), Of(kBothCausal, 300, 300)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 31);
    EXPECT_EQ(MustStream(p, {.threads = 1}).o, MustStream(p, {.threads = 4}).o);
  }
}

// Behind a state file, wherever the stream is cut.
TEST(SparseFlow, GoesOnFromAState) {
  for (const RoutedSpec& spec :
       {Of(kLinkedCausal, 300, 300), Of(kBothCausal, 300, 300), Of(kFewerLinkedCausal, 300, 300), Of(kFewerDenseCausal, 300, 300)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 37);
    const std::vector<float> wanted = MustStream(p, {.threads = 2}).o;
    const TestFolder folder;
    MustStream(Piece(p, 0, 130), {.threads = 2, .save_state = folder / "s"});
    const std::vector<float> rest = MustStream(Piece(p, 130, 300), {.threads = 2, .load_states = {folder / "s"}}, SplatsFrom::kState).o;
    const std::vector<float> behind = RowsOf(wanted, spec.H, spec.Dv, 130, 300);
    EXPECT_LE(ErrorOf(rest, std::vector<double>(behind.begin(), behind.end())), kRelL2);
  }
}

// States of disjoint tokens have passed on what they were sent: they add up.
TEST(SparseFlow, StatesAddUp) {
  for (const RoutedSpec& spec : {Of(kLinked, 300, 300), Of(kFewerLinked, 300, 300), Of(kFewerDense, 300, 300)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 41);
    const TestFolder folder;
    MustStream(Piece(p, 0, 120), {.threads = 2, .save_state = folder / "s"});
    const RoutedProblem rest = Piece(p, 120, 300);
    const std::vector<double> all = oracle::AttendRouted(p);
    const std::vector<float> wanted = RowsOf({all.begin(), all.end()}, p.spec.H, p.spec.Dv, 120, 300);
    EXPECT_LE(ErrorOf(MustStream(rest, {.threads = 2, .load_states = {folder / "s"}}).o, std::vector<double>(wanted.begin(), wanted.end())),
              kRelL2);
  }
}

TEST(SparseFlow, CachedAffinitiesChangeNoBit) {
  const RoutedProblem p = oracle::RandomRouted(Of(kBothCausal, 300, 300), 43);
  AffinityCache cache(int64_t{16} << 20);
  RunOptions options{.threads = 2};
  const std::vector<float> o = MustStream(p, options).o;
  options.affinity_cache = &cache;
  EXPECT_EQ(MustStream(p, options).o, o);
  const StreamRun again = MustStream(p, options);
  EXPECT_EQ(again.o, o);
  EXPECT_EQ(again.report.search.reused, again.report.search.segments);
}

}  // namespace
}  // namespace hsa::end_to_end
