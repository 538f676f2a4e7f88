// Scheme routed, compiled and run, beside the kernel of every pair of tokens in float64.
#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <random>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/check_graph.h"
#include "frontend/compile.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/plan.h"
#include "runtime/splats_from_keys.h"
#include "runtime/tensor_source.h"
#include "runtime/token_relevance.h"
#include "tests/end_to_end/routed_graph.h"
#include "tests/end_to_end/run_problem.h"
#include "tests/oracle/routed_oracle.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

constexpr double kRelL2 = 5e-6;
const std::vector<std::string> kNative = {"native"}, kAllIsas = {"x86-64", "x86-64-v3", "x86-64-v4"};

// Where the links of a problem with links lead: both ways between neighbouring levels, and past those in between through a bottleneck.
struct Link {
  int64_t from, to, rank;
};
std::vector<Link> LinksOf(const RoutedSpec& spec) {
  std::vector<Link> links;
  const auto levels = static_cast<int64_t>(spec.levels.size());
  for (int64_t level = 1; spec.link && level < levels; ++level)
    links.push_back({level - 1, level, 0}), links.push_back({level, level - 1, 0});
  if (spec.link && levels > 2) links.push_back({0, levels - 1, 2});
  return links;
}

int64_t FirstOf(const RoutedSpec& spec, int64_t level) {
  return std::accumulate(spec.levels.begin(), spec.levels.begin() + level, int64_t{0});
}

// Factors of a bottleneck: some entries are 0.
float ExpandOf(int64_t s, int64_t r) { return 0.25f * static_cast<float>((s + 3 * r) % 4); }
float CompressOf(int64_t r, int64_t t) { return 0.5f * static_cast<float>((t + r) % 3); }

// A random problem, its bottlenecks in its link.
RoutedProblem ProblemOf(const RoutedSpec& spec, uint64_t seed) {
  RoutedProblem p = oracle::RandomRouted(spec, seed);
  const int64_t S = p.splats();
  for (const Link& link : LinksOf(spec))
    for (int64_t row = 0; link.rank > 0 && row < spec.Hkv * spec.levels[link.to]; ++row)
      for (int64_t t = 0; t < spec.levels[link.from]; ++t)
        for (int64_t r = 0; r < link.rank; ++r) {
          const int64_t g = row / spec.levels[link.to], s = row % spec.levels[link.to];
          p.link[(g * S + FirstOf(spec, link.to) + s) * S + FirstOf(spec, link.from) + t] += ExpandOf(s, r) * CompressOf(r, t);
        }
  return p;
}

// The factors of all links, as the plan wants them.
std::vector<OwnedTensor> FactorsOf(const RoutedProblem& p) {
  const RoutedSpec& spec = p.spec;
  std::vector<OwnedTensor> factors;
  const auto add = [&](int64_t rows, int64_t dim, const std::function<float(int64_t, int64_t, int64_t)>& entry) {
    std::vector<float> values;
    for (int64_t g = 0; g < spec.Hkv; ++g)
      for (int64_t i = 0; i < rows * dim; ++i) values.push_back(entry(g, i / dim, i % dim));
    factors.emplace_back(spec.Hkv, rows, dim, DType::kF32, Layout::kHeadsFirst).Fill(values);
  };
  for (const Link& link : LinksOf(spec)) {
    const int64_t to = spec.levels[link.to], from = spec.levels[link.from], S = p.splats();
    if (link.rank == 0) {
      add(to, from,
          [&](int64_t g, int64_t s, int64_t t) { return p.link[(g * S + FirstOf(spec, link.to) + s) * S + FirstOf(spec, link.from) + t]; });
      continue;
    }
    add(to, link.rank, [](int64_t, int64_t s, int64_t r) { return ExpandOf(s, r); });
    add(link.rank, from, [](int64_t, int64_t r, int64_t t) { return CompressOf(r, t); });
  }
  return factors;
}

frontend::Graph GraphOf(const RoutedSpec& spec) {
  frontend::Graph graph = RoutedGraph("routed", spec);
  for (const Link& link : LinksOf(spec)) {
    frontend::Routed::Link& to = *graph.mutable_nodes(0)->mutable_routed()->add_links();
    to.set_from(static_cast<uint32_t>(link.from)), to.set_to(static_cast<uint32_t>(link.to));
    const std::string name = absl::StrCat("link_", link.from, "_", link.to);
    AddInput(graph, name + "_weight", spec.Hkv, link.rank == 0 ? spec.levels[link.from] : link.rank);
    (link.rank == 0 ? to.mutable_weight() : to.mutable_expand())->assign(name + "_weight");
    if (link.rank == 0) continue;
    AddInput(graph, name + "_compress", spec.Hkv, spec.levels[link.from]);
    to.set_compress(name + "_compress");
  }
  return graph;
}

const Plan& PlanOf(const RoutedSpec& spec, const std::vector<std::string>& cpus = kNative) { return RoutedPlan(GraphOf(spec), cpus); }

struct Ran {
  std::vector<float> o;
  RunReport report;
};

// Who is told of rows that the run has gone past.
struct Streams {
  std::function<void(const TensorView& head, int64_t begin, int64_t end)> read = {};
  std::function<void(int64_t head, int64_t begin, int64_t end)> written = {};
};

absl::StatusOr<Ran> TryRun(const Plan& plan, const RoutedProblem& p, const RunOptions& options = {.threads = 2},
                           const Storage& storage = {}, const std::vector<OwnedTensor>& links = {}, const Streams& streams = {}) {
  const RoutedSpec& s = p.spec;
  const auto owned = [](int64_t heads, int64_t tokens, int64_t dim, const std::vector<float>& values, DType dtype, Layout layout) {
    OwnedTensor tensor(heads, tokens, dim, dtype, layout);
    tensor.Fill(values);
    return tensor;
  };
  const OwnedTensor q = owned(s.H, s.N, s.D, p.q, storage.input, storage.layout),
                    k = owned(s.Hkv, s.M, s.D, p.k, storage.input, storage.layout),
                    v = owned(s.Hkv, s.M, s.Dv, p.v, storage.input, storage.layout);
  const auto parameter = [&](int64_t dim, const std::vector<float>& values) {
    return owned(s.Hkv, p.splats(), dim, values, DType::kF32, Layout::kHeadsFirst);
  };
  const OwnedTensor center = parameter(s.D, p.center), variance = parameter(p.variance_dim(), p.variance);
  Inputs inputs{q.view(), k.view(), v.view(), {center.view(), variance.view(), {}}};
  std::optional<OwnedTensor> amplitude, factor;
  if (p.factor_rows() > 0) {
    factor.emplace(s.Hkv, p.splats() * p.factor_rows(), s.D, DType::kF32, Layout::kHeadsFirst).Fill(p.factor);
    inputs.splats.factor = factor->view();
  }
  if (s.amplitude) inputs.splats.amplitude = amplitude.emplace(parameter(1, p.amplitude)).view();
  const std::vector<OwnedTensor> factors = FactorsOf(p);
  for (const OwnedTensor& factor : links.empty() ? factors : links) inputs.splats.links.push_back(factor.view());
  std::vector<OwnedTensor> gate;
  gate.reserve(2);
  if (s.gate) {
    const auto levels = static_cast<int64_t>(s.levels.size());
    gate.emplace_back(s.Hkv, levels, s.D, DType::kF32, Layout::kHeadsFirst).Fill(p.gate_weight);
    gate.emplace_back(s.Hkv, levels, 1, DType::kF32, Layout::kHeadsFirst).Fill(p.gate_bias);
    inputs.splats.gate_weight = gate[0].view(), inputs.splats.gate_bias = gate[1].view();
  }
  OwnedTensor o(s.H, s.N, s.Dv, storage.output, storage.layout);
  inputs.rows_read = streams.read;
  absl::StatusOr<RunReport> report = Run(plan, inputs, {.o = o.mutable_view(), .rows_written = streams.written}, options);
  if (!report.ok()) return report.status();
  EXPECT_TRUE(o.GapsUntouched());
  return Ran{o.Values(), *report};
}

Ran MustRun(const Plan& plan, const RoutedProblem& p, const RunOptions& options = {.threads = 2}, const Storage& storage = {},
            const Streams& streams = {}) {
  absl::StatusOr<Ran> ran = TryRun(plan, p, options, storage, {}, streams);
  if (!ran.ok()) throw std::runtime_error(ran.status().ToString());
  return *std::move(ran);
}

double ErrorOf(const std::vector<float>& o, const std::vector<double>& wanted) {
  return oracle::RelL2(std::span<const float>(o), std::span<const double>(wanted));
}

const RoutedSpec kPlain = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {48, 16}, .weights = {1, 0.5}, .amplitude = true};
const RoutedSpec kCausal = {
    .H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {48, 16}, .weights = {1, 0.5}, .amplitude = true, .causal = true};
const RoutedSpec kOdd = {.H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .isotropic = true};
const RoutedSpec kOddCausal = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .isotropic = true, .causal = true};
const RoutedSpec kWideCausal = {.H = 1, .Hkv = 1, .D = 128, .Dv = 96, .levels = {130}, .causal = true};

const RoutedSpec kFlow = {
    .H = 2, .Hkv = 2, .D = 64, .Dv = 32, .levels = {80, 40, 8}, .weights = {1, 0.5, 2}, .amplitude = true, .link = true, .gate = true};
const RoutedSpec kFlowCausal = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {80, 40, 8}, .link = true, .causal = true};
const RoutedSpec kGateCausal = {
    .H = 2, .Hkv = 1, .D = 36, .Dv = 20, .levels = {50, 20, 1}, .isotropic = true, .link = true, .gate = true, .causal = true};

// Coarser levels keep fewer dimensions of the values.
const RoutedSpec kFewerValues = {.H = 2,
                                 .Hkv = 2,
                                 .D = 36,
                                 .Dv = 64,
                                 .levels = {64, 100, 28, 9},
                                 .weights = {1, 0.5, 2, 1},
                                 .value_dims = {64, 32, 32, 16},
                                 .amplitude = true};
const RoutedSpec kFewerValuesCausal = {
    .H = 3, .Hkv = 1, .D = 64, .Dv = 80, .levels = {128, 64, 16}, .value_dims = {64, 48, 16}, .gate = true, .causal = true};
const RoutedSpec kFewerOddValues = {
    .H = 2, .Hkv = 1, .D = 36, .Dv = 20, .levels = {64, 9}, .value_dims = {20, 16}, .isotropic = true, .causal = true};

const RoutedSpec kBands = {.H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .bands = 8};
const RoutedSpec kLowRank = {.H = 3, .Hkv = 1, .levels = {48, 16}, .weights = {1, 0.5}, .amplitude = true, .rank = 4};
const RoutedSpec kLowRankCausal = {
    .H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9}, .link = true, .gate = true, .causal = true, .bands = 3, .rank = 11};
const RoutedSpec kLowRankIsotropic = {.levels = {48, 16}, .isotropic = true, .causal = true, .rank = 1};
const RoutedSpec kFull = {.H = 3, .Hkv = 1, .levels = {48, 16}, .weights = {1, 0.5}, .amplitude = true, .full = true};
const RoutedSpec kFullCausal = {
    .H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9}, .link = true, .gate = true, .causal = true, .full = true};

struct Case {
  std::string name;
  RoutedSpec spec;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class RoutedTest : public testing::TestWithParam<Case> {};
TEST_P(RoutedTest, MatchesOracle) {
  const RoutedProblem p = ProblemOf(GetParam().spec, /*seed=*/7);
  const Ran ran = MustRun(PlanOf(p.spec), p);
  const double error = ErrorOf(ran.o, oracle::AttendRouted(p));
  RecordProperty("rel_l2", absl::StrCat(error));
  EXPECT_LE(error, kRelL2);
  EXPECT_EQ(ran.report.scheme, "routed");
}
const Case kCases[] = {
    {"nothing", Of(kPlain, 0, 0)},
    {"no_query", Of(kPlain, 0, 33)},
    {"one_key", Of(kPlain, 1, 1)},  // whatever its affinities, the value itself
    {"one_query", Of(kPlain, 1, 100)},
    {"ragged", Of(kPlain, 33, 100)},
    {"two_packs", Of(kPlain, 70, 1100)},  // 1,024 tokens are sent at a time
    {"odd_dims", Of(kOdd, 65, 257)},
    {"odd_few_of_many", Of(kOdd, 3, 700)},
    {"causal_nothing", Of(kCausal, 0, 0)},
    {"causal_no_query", Of(kCausal, 0, 5)},
    {"causal_one_key", Of(kCausal, 1, 1)},
    {"causal_chunk", Of(kCausal, 64, 64)},
    {"causal_chunk_and_one", Of(kCausal, 65, 65)},
    {"causal_ragged", Of(kCausal, 100, 257)},  // 157 tokens before the first query
    {"causal_one_query", Of(kCausal, 1, 300)},
    {"causal_long", Of(kCausal, 700, 1200)},
    {"causal_odd_dims", Of(kOddCausal, 200, 257)},
    {"causal_wide", Of(kWideCausal, 150, 150)},
    {"narrow", Of(kPlain, 64, 200, 0.1)},  // each token sees a few splats
    {"causal_narrow", Of(kCausal, 200, 200, 0.1)},
    {"bands", Of(kBands, 65, 257)},
    {"low_rank_one_key", Of(kLowRank, 1, 1)},
    {"low_rank_ragged", Of(kLowRank, 33, 150)},
    {"low_rank_narrow", Of(kLowRank, 64, 130, 0.1)},
    {"low_rank_causal", Of(kLowRankCausal, 100, 130)},
    {"low_rank_isotropic", Of(kLowRankIsotropic, 70, 70)},
    {"full_one_key", Of(kFull, 1, 1)},
    {"full_ragged", Of(kFull, 33, 150)},
    {"full_narrow", Of(kFull, 64, 130, 0.1)},
    {"full_causal", Of(kFullCausal, 100, 130)},
    {"fewer_values", Of(kFewerValues, 70, 1100)},
    {"fewer_values_one_key", Of(kFewerValues, 1, 1)},
    {"fewer_values_narrow", Of(kFewerValues, 64, 200, 0.1)},
    {"fewer_values_causal", Of(kFewerValuesCausal, 150, 257)},
    {"fewer_values_causal_narrow", Of(kFewerValuesCausal, 130, 130, 0.1)},
    {"fewer_values_odd", Of(kFewerOddValues, 100, 170)},
    {"flow_nothing", Of(kFlow, 0, 0)},
    {"flow_one_key", Of(kFlow, 1, 1)},
    {"flow_ragged", Of(kFlow, 70, 1100)},
    {"flow_narrow", Of(kFlow, 64, 200, 0.1)},
    {"flow_causal", Of(kFlowCausal, 200, 257)},
    {"flow_causal_all", Of(kFlowCausal, 130, 130)},
    {"flow_causal_narrow", Of(kFlowCausal, 100, 130, 0.1)},
    {"flow_causal_gate", Of(kGateCausal, 150, 170)},
};
INSTANTIATE_TEST_SUITE_P(Cases, RoutedTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// Affinities down to 2^-6000: without their shifts every exponential is 0. A float's rounding of such a logarithm is what is left.
TEST(RoutedTest, FarTokensAreFinite) {
  for (const RoutedSpec& spec : {kPlain, kCausal, kFlow, kFlowCausal}) {
    const RoutedProblem p = ProblemOf(Of(spec, 200, 200, 1e-3), 3);
    const Ran ran = MustRun(PlanOf(spec), p);
    EXPECT_TRUE(std::ranges::all_of(ran.o, [](float x) { return std::isfinite(x); }));
    EXPECT_LE(ErrorOf(ran.o, oracle::AttendRouted(p)), 2e-3);
  }
}

// Beyond what a float can square: an average of what was sent, no NaN.
TEST(RoutedTest, AbsurdlyFarTokensAreFinite) {
  for (const RoutedSpec& spec : {kPlain, kCausal, kFlow, kFlowCausal}) {
    RoutedProblem p = ProblemOf(Of(spec, 100, 100), 3);
    for (float& x : p.q) x *= 1e30f;
    for (size_t i = 0; i < p.k.size(); i += 3) p.k[i] *= 1e30f;
    const Ran ran = MustRun(PlanOf(spec), p);
    for (float x : ran.o) ASSERT_LE(std::abs(x), 6) << "values are standard normal";
  }
}

// Isotropic splats: the affinity of a token near the centers is a product, that of another a sum of squares, in one tile.
TEST(RoutedTest, IsotropicSplatsMeetNearAndFarTokens) {
  RoutedSpec isotropic = kPlain, causal = kCausal;
  isotropic.isotropic = causal.isotropic = true;
  for (const RoutedSpec& spec : {isotropic, causal})
    for (double width : {1.0, 0.05}) {  // of the narrow ones, hardly any token is near
      RoutedProblem p = oracle::RandomRouted(Of(spec, 150, 200, width), 47);
      for (std::vector<float>* tensor : {&p.q, &p.k})
        for (size_t i = 0; i < tensor->size(); ++i)
          if (i / 64 % 3 == 0) (*tensor)[i] *= 6;
      for (std::vector<float>* tensor : {&p.q, &p.k, &p.center})
        for (float& x : *tensor) x += 100;  // all of it far from zero
      EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), width == 1.0 ? 2e-5 : 2e-4);
    }
}

// Rows are given back behind the stream, once, in whole runs, whatever the number of heads and threads.
TEST(RoutedTest, RowsAreGivenBack) {
  for (const RoutedSpec& spec : {Of(kPlain, 9000, 9000), Of(kCausal, 9000, 9000)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 53);
    std::mutex mutex;
    std::map<const void*, int64_t> read;
    int64_t written = 0;
    MustRun(PlanOf(spec), p, {.threads = 2}, {},
            {[&](const TensorView& head, int64_t begin, int64_t end) {
               const std::lock_guard lock(mutex);
               EXPECT_EQ(head.heads(), 1);
               EXPECT_EQ(begin % 4096, 0);
               read[head.data] += end - begin;
             },
             [&](int64_t head, int64_t begin, int64_t end) {
               const std::lock_guard lock(mutex);
               EXPECT_EQ(end % 4096, 0);
               written += end - begin;
             }});
    EXPECT_EQ(read.size(), 3 + 1 + 1) << "heads of query, key and value";
    for (const auto& [head, rows] : read) EXPECT_EQ(rows, 8192);
    EXPECT_EQ(written, 3 * 8192);
  }
}

// Tokens that come nearer and nearer end chunks early: the running maximum of a splat rises by hundreds.
TEST(RoutedTest, ChunksEndWhereTokensComeNear) {
  for (const RoutedSpec& spec : {kCausal, kFlowCausal}) {
    RoutedProblem p = ProblemOf(Of(spec, 300, 300, 0.02), 5);
    for (int64_t j = 0; j < p.spec.M; ++j)
      for (int64_t d = 0; d < p.spec.D; ++d) p.k[j * p.spec.D + d] *= 3 - 3 * static_cast<float>(j) / 300;
    EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), 2e-4);
  }
}

TEST(RoutedTest, EveryIsa) {
  for (const RoutedSpec& spec : {kPlain, kCausal, kFlow, kGateCausal, kFewerValuesCausal}) {
    const RoutedProblem p = ProblemOf(Of(spec, 130, 200), 11);
    const std::vector<double> wanted = oracle::AttendRouted(p);
    absl::StatusOr<frontend::CompileResult> compiled = frontend::Compile(GraphOf(spec), {.cpus = kAllIsas, .cache_dir = HSA_PLAN_CACHE});
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    for (const std::string& cpu : kAllIsas) {
      absl::StatusOr<Plan> plan = Plan::FromBytes(std::as_bytes(std::span(compiled->plan_bytes)), "plan of a test");
      ASSERT_TRUE(plan.ok()) << plan.status();
      if (!plan->SelectVariant(cpu).ok()) continue;  // not on this processor
      EXPECT_LE(ErrorOf(MustRun(*plan, p).o, wanted), kRelL2) << cpu;
    }
  }
}

TEST(RoutedTest, ElementTypesAndLayouts) {
  RoutedProblem p = oracle::RandomRouted(Of(kCausal, 100, 130), 13);
  for (std::vector<float>* tensor : {&p.q, &p.k, &p.v})
    for (float& x : *tensor) x = std::round(x * 16) / 16;  // exact in f16 and bf16
  const std::vector<double> wanted = oracle::AttendRouted(p);
  for (DType input : {DType::kF32, DType::kBF16, DType::kF16})
    for (Layout layout : {Layout::kHeadsFirst, Layout::kTokensFirst, Layout::kGaps})
      EXPECT_LE(ErrorOf(MustRun(PlanOf(kCausal), p, {.threads = 2}, {.input = input, .layout = layout}).o, wanted), kRelL2);
  EXPECT_LE(ErrorOf(MustRun(PlanOf(kCausal), p, {.threads = 2}, {.output = DType::kBF16}).o, wanted), 3e-3);
}

// A query's bits depend on the tokens up to its own position only, wherever the chunks of later ones end.
TEST(RoutedTest, CausalNeverSeesTheFuture) {
  for (const RoutedSpec& spec :
       {Of(kCausal, 200, 200), Of(kCausal, 200, 200, 0.02), Of(kFlowCausal, 200, 200), Of(kFlowCausal, 200, 200, 0.02)}) {
    const RoutedProblem p = ProblemOf(spec, 17);
    const std::vector<float> before = MustRun(PlanOf(spec), p).o;
    for (int64_t changed : {0, 1, 63, 64, 130, 199}) {
      RoutedProblem other = p;
      for (int64_t i = changed * 64; i < 200 * 64; ++i) other.k[i] *= 0.1f, other.v[i] += 1;
      const std::vector<float> after = MustRun(PlanOf(spec), other).o;
      for (int64_t h = 0; h < 3; ++h)
        for (int64_t i = 0; i < changed * 64; ++i) ASSERT_EQ(before[h * 200 * 64 + i], after[h * 200 * 64 + i]) << "token " << i / 64;
    }
  }
}

// Queries that are the last N positions see what they see among all of them: the tokens before them are sent at once, not chunk by chunk.
TEST(RoutedTest, PrefixesDoNotDependOnWhereQueriesBegin) {
  const RoutedProblem p = oracle::RandomRouted(Of(kCausal, 300, 300), 19);
  const std::vector<float> all = MustRun(PlanOf(kCausal), p).o;
  const std::vector<double> wanted(all.begin(), all.end());
  for (int64_t N : {1, 50, 299}) {
    RoutedProblem last = p;
    last.spec.N = N, last.q.clear();
    std::vector<double> rows;
    for (int64_t h = 0; h < 3; ++h) {
      last.q.insert(last.q.end(), p.q.begin() + ((h + 1) * 300 - N) * 64, p.q.begin() + (h + 1) * 300 * 64);
      rows.insert(rows.end(), wanted.begin() + ((h + 1) * 300 - N) * 64, wanted.begin() + (h + 1) * 300 * 64);
    }
    EXPECT_LE(ErrorOf(MustRun(PlanOf(kCausal), last).o, rows), 2e-6) << "the last " << N;
  }
}

TEST(RoutedTest, NonFiniteTokensSendNothing) {
  for (const RoutedSpec& spec : {kPlain, kCausal}) {
    RoutedProblem p = oracle::RandomRouted(Of(spec, 150, 150), 23);
    const float kBad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
    p.k[0] = kBad[0], p.k[70 * 64 + 3] = kBad[1], p.v[71 * 64] = kBad[0], p.v[149 * 64 + 63] = -kBad[1];
    p.q[(150 + 20) * 64 + 5] = kBad[0], p.q[33 * 64] = kBad[1];
    const std::vector<double> wanted = oracle::AttendRouted(p);
    const Ran ran = MustRun(PlanOf(spec), p);
    std::vector<float> is;
    std::vector<double> finite;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const size_t row = i / 64;
      if (row == 33 || row == 170) {
        EXPECT_TRUE(std::isnan(ran.o[i])) << "row " << row;
        continue;
      }
      is.push_back(ran.o[i]), finite.push_back(wanted[i]);
    }
    EXPECT_LE(ErrorOf(is, finite), kRelL2);
    EXPECT_THAT(ran.report.warnings, testing::ElementsAre("4 tokens with a key or value that is not finite sent nothing"));
  }
}

TEST(RoutedTest, ThreadsChangeNoBit) {
  for (const RoutedSpec& spec :
       {Of(kPlain, 40, 40000), Of(kOddCausal, 40, 40000), Of(kCausal, 2000, 2000), Of(kFlow, 40, 40000), Of(kFlowCausal, 2000, 2100)}) {
    const RoutedProblem p = ProblemOf(spec, 29);
    EXPECT_EQ(MustRun(PlanOf(spec), p, {.threads = 1}).o, MustRun(PlanOf(spec), p, {.threads = 2}).o);
  }
}

// Any lengths, levels, shapes.
TEST(RoutedTest, RandomProblems) {
  constexpr uint64_t kSeed = 20241101;
  std::mt19937_64 random(kSeed);
  const auto upTo = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1)); };
  for (int round = 0; round < 4; ++round) {
    RoutedSpec spec{.Hkv = 1 + upTo(2), .D = 1 + upTo(100), .Dv = 1 + upTo(100)};
    spec.H = spec.Hkv * (1 + upTo(2)), spec.levels.clear();
    for (int64_t level = upTo(3); level >= 0; --level)
      spec.levels.push_back(1 + upTo(80)), spec.weights.push_back(0.25 * double(1 + upTo(8)));
    spec.isotropic = upTo(1), spec.amplitude = upTo(1), spec.causal = round % 2, spec.link = upTo(1), spec.gate = upTo(1);
    for (int lengths = 0; lengths < 3; ++lengths) {
      const int64_t M = 1 + upTo(300), N = upTo(M);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ": H ", spec.H, ", Hkv ", spec.Hkv, ", D ", spec.D, ", Dv ", spec.Dv,
                                ", N ", N, ", M ", M, ", levels ", absl::StrJoin(spec.levels, " "), ", causal ", spec.causal, ", link ",
                                spec.link, ", gate ", spec.gate));
      const RoutedProblem p = ProblemOf(Of(spec, N, M), random());
      EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), kRelL2);
    }
  }
}

// Each names what is wrong, and where.
// Groups of three tokens that are almost one, and far ones that hardly count, in every problem that sends many at once.
RoutedProblem RedundantProblem(const RoutedSpec& spec, uint64_t seed) {
  RoutedProblem p = ProblemOf(spec, seed);
  std::mt19937_64 random(seed);
  for (int64_t row = 0; row < spec.Hkv * spec.M; ++row) {
    float* key = &p.k[row * spec.D];
    if (row % 3 != 0)
      for (int64_t d = 0; d < spec.D; ++d) key[d] = p.k[row / 3 * 3 * spec.D + d] + 1e-6f * static_cast<float>(random() % 3);
    else if (row % 12 == 0)
      for (int64_t d = 0; d < spec.D; ++d) key[d] *= 8;
  }
  return p;
}

// The numbers in "tokens 1000 sent as 600, bound 0.0003 (300 joined others, 100 left out)".
struct SentAs {
  int tokens = 0, sent = 0, joined = 0, left_out = 0;
  double bound = 0;
};
SentAs SentAsOf(const RunReport& report) {
  SentAs is;
  const size_t at = report.mode.find("tokens ");
  if (at != std::string::npos)
    std::sscanf(report.mode.c_str() + at, "tokens %d sent as %d, bound %lf (%d joined others, %d left out)", &is.tokens, &is.sent,
                &is.bound, &is.joined, &is.left_out);
  return is;
}

// Of all rows, the greatest ‖o - wanted‖ / max ‖v‖.
double GreatestError(const RoutedProblem& p, const std::vector<float>& o, const std::vector<double>& wanted) {
  const auto dim = static_cast<size_t>(p.spec.Dv);
  double largest = 0, error = 0;
  for (size_t row = 0; row < p.v.size(); row += dim) {
    double square = 0;
    for (size_t c = 0; c < dim; ++c) square += static_cast<double>(p.v[row + c]) * p.v[row + c];
    largest = std::max(largest, square);
  }
  for (size_t row = 0; row < o.size(); row += dim) {
    double square = 0;
    for (size_t c = 0; c < dim; ++c) square += std::pow(o[row + c] - wanted[row + c], 2);
    error = std::max(error, square);
  }
  return std::sqrt(error / largest);
}

// What is not sent is told, and so is how much it costs at most; it costs no more.
TEST(RelevanceTest, OutputsStayWithinTheBound) {
  for (const RoutedSpec& spec : {Of(kPlain, 40, 2200), Of(kOdd, 40, 1500), Of(kFlow, 30, 1300), Of(kCausal, 40, 1700),
                                 Of(kPlain, 40, 2200, 0.2), Of(kLowRank, 40, 2200)}) {
    const RoutedProblem p = RedundantProblem(spec, 61);
    const std::vector<double> wanted = oracle::AttendRouted(p);
    const int64_t sent_at_once = spec.Hkv * (spec.causal ? spec.M - spec.N : spec.M);
    for (double error : {0.1, 1e-3}) {
      SCOPED_TRACE(absl::StrCat("M ", spec.M, ", causal ", spec.causal, ", error ", error));
      const Ran ran = MustRun(PlanOf(spec), p, {.threads = 2, .token_error = error});
      const SentAs sent = SentAsOf(ran.report);
      EXPECT_EQ(sent.tokens, sent_at_once);
      EXPECT_GT(sent.joined, sent_at_once / 2) << "two of three";
      EXPECT_GT(sent.left_out, 0);
      EXPECT_EQ(sent.sent + sent.joined + sent.left_out, sent.tokens);
      EXPECT_LE(sent.bound, error);
      EXPECT_LE(GreatestError(p, ran.o, wanted), sent.bound * 1.01 + 5e-6) << "the bound is told with two digits";
      EXPECT_GT(GreatestError(p, ran.o, wanted), 0);
    }
  }
}

// Nothing is like another and nothing is far away: everything is sent, to the same outputs.
TEST(RelevanceTest, TokensThatDifferAreAllSent) {
  const RoutedProblem p = ProblemOf(Of(kPlain, 40, 1500), 67);
  const Ran ran = MustRun(PlanOf(p.spec), p, {.threads = 2, .token_error = 1e-3});
  EXPECT_EQ(SentAsOf(ran.report).sent, 1500);
  EXPECT_EQ(ran.o, MustRun(PlanOf(p.spec), p).o);
}

// One token, many times over: its value's mean.
TEST(RelevanceTest, TokensThatAreOne) {
  RoutedProblem p = ProblemOf(Of(kPlain, 10, 1000), 71);
  for (size_t i = 64; i < p.k.size(); ++i) p.k[i] = p.k[i % 64];
  const Ran ran = MustRun(PlanOf(p.spec), p, {.threads = 2, .token_error = 1e-6});
  EXPECT_EQ(SentAsOf(ran.report).sent, 1);
  EXPECT_EQ(SentAsOf(ran.report).bound, 0);
  EXPECT_LE(ErrorOf(ran.o, oracle::AttendRouted(p)), kRelL2);
}

TEST(RelevanceTest, NonFiniteTokensSendNothing) {
  RoutedProblem p = RedundantProblem(Of(kPlain, 20, 1300), 73);
  p.k[0] = std::numeric_limits<float>::quiet_NaN(), p.k[5 * 64 + 1] = std::numeric_limits<float>::infinity();
  p.v[7 * 64] = std::numeric_limits<float>::quiet_NaN(), p.k[1299 * 64] = 3e38f;
  const Ran ran = MustRun(PlanOf(p.spec), p, {.threads = 2, .token_error = 1e-3});
  EXPECT_THAT(ran.report.warnings, testing::ElementsAre("3 tokens with a key or value that is not finite sent nothing"));
  for (float x : ran.o) ASSERT_TRUE(std::isfinite(x));
}

TEST(RelevanceTest, ThreadsChangeNoBit) {
  const RoutedProblem p = RedundantProblem(Of(kPlain, 20, 40000), 79);
  EXPECT_EQ(MustRun(PlanOf(p.spec), p, {.threads = 1, .token_error = 1e-3}).o,
            MustRun(PlanOf(p.spec), p, {.threads = 2, .token_error = 1e-3}).o);
}

TEST(RelevanceTest, Errors) {
  const RoutedProblem p = ProblemOf(Of(kPlain, 1, 1), 83);
  for (double error : {0.0, 1.0, -0.5})
    EXPECT_EQ(TryRun(PlanOf(p.spec), p, {.threads = 1, .token_error = error}).status().message(),
              absl::StrCat("--token-error: ", error, ", wanted more than 0 and less than 1: a share of the largest value"));
}

TEST(RelevanceTest, SparseGraphsAndPlansWithoutItsStagesAreRefused) {
  RoutedSpec sparse = kPlain;
  sparse.top = 3, sparse.threshold = 0;
  EXPECT_EQ(TryRun(PlanOf(sparse), ProblemOf(Of(sparse, 1, 1), 89), {.threads = 1, .token_error = 0.1}).status().message(),
            "--token-error: the graph is sparse, where tokens send to a few splats each and nothing is left out; leave one of them out");
  const format::PlanHeader header = PlanOf(kPlain).header();
  ASSERT_TRUE(CheckRelevance(0.1, header).ok());
  for (const char* stage : {"sketch_tokens", "token_distances", "mean_values", "token_shares"}) {
    format::PlanHeader older = header;
    older.set_producer("hsa 0.0.9");
    auto& stages = *older.mutable_stages();
    stages.erase(std::remove_if(stages.begin(), stages.end(), [&](const format::Stage& s) { return s.name() == stage; }), stages.end());
    const absl::Status refused = CheckRelevance(0.1, older);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused));
    EXPECT_EQ(refused.message(),
              absl::StrCat("--token-error: the plan, written by hsa 0.0.9, has no stage '", stage, "'; compile the graph again"));
  }
}

TEST(RoutedErrorsTest, Parameters) {
  const auto message = [](void (*spoil)(RoutedProblem&)) {
    RoutedProblem p = oracle::RandomRouted(Of(kPlain, 5, 5), 31);
    spoil(p);
    return std::string(TryRun(PlanOf(kPlain), p).status().message());
  };
  EXPECT_EQ(message([](RoutedProblem& p) { p.variance[50 * 64 + 7] = 0; }),
            "tensor 'variance': splat 50 of kv_head 0 (level 1 'phrase') has the variance 0, wanted a finite number > 0: a covariance is "
            "positive "
            "definite");
  EXPECT_EQ(
      message([](RoutedProblem& p) { p.variance[3] = -1; }),
      "tensor 'variance': splat 0 of kv_head 0 (level 0 'token') has the variance -1, wanted a finite number > 0: a covariance is positive "
      "definite");
  EXPECT_THAT(message([](RoutedProblem& p) { p.variance[64] = NAN; }),
              testing::HasSubstr("splat 1 of kv_head 0 (level 0 'token') has the variance nan"));
  EXPECT_EQ(message([](RoutedProblem& p) { p.center[63 * 64] = INFINITY; }),
            "tensor 'center': splat 63 of kv_head 0 (level 1 'phrase') has the coordinate inf, wanted a finite number");
  EXPECT_EQ(
      message([](RoutedProblem& p) { p.amplitude[2] = -INFINITY; }),
      "tensor 'amplitude': splat 2 of kv_head 0 (level 0 'token') has the log-amplitude -inf, wanted a number between -10000 and 10000");
  EXPECT_EQ(
      message([](RoutedProblem& p) { p.variance[0] = 1e-44f, p.center[0] = 1e30f; }),
      "tensor 'variance': splat 0 of kv_head 0 (level 0 'token') has the variance 9.80909e-45, wanted one that is wider beside its center");
}

// Links and gates, each with what is wrong and where.
TEST(RoutedErrorsTest, Covariances) {
  const auto message = [](const RoutedSpec& spec, size_t entry, float value) {
    RoutedProblem p = oracle::RandomRouted(Of(spec, 5, 5), 31);
    p.factor[entry] = value;
    return std::string(TryRun(PlanOf(spec), p).status().message());
  };
  EXPECT_THAT(
      message(kLowRank, (50 * 4 + 3) * 64 + 7, NAN),
      testing::StartsWith("tensor 'factor': splat 50 of kv_head 0 (level 1 'phrase') has the entry nan in row 3 beside the variance"));
  EXPECT_THAT(message(kLowRank, 0, 3e38f),
              testing::HasSubstr("splat 0 of kv_head 0 (level 0 'token') has the entry 3e+38 in row 0 beside"));
  EXPECT_EQ(
      message(kFull, (49 * 64 + 5) * 64 + 5, 0),
      "tensor 'cholesky': splat 49 of kv_head 0 (level 1 'phrase') has 0 on the diagonal, row 5, wanted a number > 0: LLᵀ is not positive "
      "definite");
  EXPECT_THAT(message(kFull, 0, -2), testing::HasSubstr("splat 0 of kv_head 0 (level 0 'token') has -2 on the diagonal, row 0, wanted"));
  EXPECT_EQ(message(kFull, 64 + 9, 0.5f),
            "tensor 'cholesky': splat 0 of kv_head 0 (level 0 'token') has 0.5 in row 1, column 9, wanted 0 above the diagonal");
  EXPECT_EQ(message(kFull, 64, INFINITY),
            "tensor 'cholesky': splat 0 of kv_head 0 (level 0 'token') has inf in row 1, column 0, wanted a finite number");
  EXPECT_THAT(message(kFull, 65, 1e-30f), testing::HasSubstr("wanted at most 1e18: LLᵀ is positive definite in name only"));
}

TEST(RoutedErrorsTest, Flow) {
  const auto message = [](void (*spoil)(RoutedProblem&)) {
    RoutedProblem p = ProblemOf(Of(kFlow, 5, 5), 31);
    spoil(p);
    return std::string(TryRun(PlanOf(kFlow), p).status().message());
  };
  EXPECT_EQ(message([](RoutedProblem& p) { p.link[81 * 128 + 3] = -1; }),
            "tensor 'link_0_1_weight': row 1, column 3 of kv_head 0 is -1, wanted a finite number >= 0: links only pass on");
  EXPECT_THAT(message([](RoutedProblem& p) { p.link[128 * 128 + 81] = NAN; }),
              testing::HasSubstr("tensor 'link_1_0_weight': row 0, column 1 of kv_head 1 is nan"));
  EXPECT_EQ(message([](RoutedProblem& p) { p.gate_weight[64] = INFINITY; }),
            "tensor 'gate_weight': level 1 'phrase' of kv_head 0 has the entry inf, wanted a finite number");
  EXPECT_EQ(message([](RoutedProblem& p) { p.gate_bias[5] = -20000; }),
            "tensor 'gate_bias': level 2 'section' of kv_head 1 has the entry -20000, wanted a number between -10000 and 10000");
}

TEST(RoutedErrorsTest, ShapesAndModes) {
  RoutedProblem p = oracle::RandomRouted(Of(kPlain, 5, 5), 31);
  p.spec.levels = {64, 16};
  p.center.resize(80 * 64), p.variance.resize(80 * 64, 1), p.amplitude.resize(80);
  EXPECT_EQ(TryRun(PlanOf(kPlain), p).status().message(),
            "tensor 'center' is [1, 80, 64], the plan wants [1, 64, 64]; give a matching file or compile the graph again");
  p = oracle::RandomRouted(Of(kPlain, 5, 5), 31);
  p.spec.amplitude = false;
  EXPECT_EQ(TryRun(PlanOf(kPlain), p).status().message(),
            "the plan reads the splats' tensor 'amplitude', which is not given; give it beside the keys");
  p = oracle::RandomRouted(Of(kPlain, 5, 5), 31);
  EXPECT_EQ(TryRun(PlanOf(kPlain), p, {.mode = Mode::kTolerance}).status().message(),
            "the plan is of scheme routed, whose splats are parameters: it has no index, tolerance, budget or theta; leave the mode out");
}

// Splats made from keys: as many clusters as splats, at the corners of a box, are told from each other, and the whole is one splat more.
TEST(RoutedTest, SplatsFromKeys) {
  RoutedSpec spec{.H = 1, .Hkv = 1, .N = 10, .M = 800, .D = 16, .Dv = 8, .levels = {8, 1}, .amplitude = true};
  RoutedProblem p = oracle::RandomRouted(spec, 41);
  for (int64_t j = 0; j < 800; ++j) {
    for (int64_t d = 0; d < 16; ++d) p.k[j * 16 + d] *= 0.1f;
    for (int64_t d = 0; d < 3; ++d) p.k[j * 16 + d] += static_cast<float>(8 >> d) * (j >> d & 1 ? 1.0f : -1.0f);
  }
  const std::string path = testing::TempDir() + "/splats_from_keys.safetensors";
  OwnedTensor keys(1, 800, 16, DType::kF32, Layout::kHeadsFirst);
  keys.Fill(p.k);
  ASSERT_TRUE(WriteSplatsFromKeys(PlanOf(spec), keys.view(), path).ok());
  absl::StatusOr<TensorFile> file = TensorFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto row = [&](const char* tensor, int64_t splat) { return reinterpret_cast<const float*>(file->Get(tensor)->Row(0, splat)); };
  std::vector<int> found;  // corners
  for (int64_t s = 0; s < 8; ++s) {
    int corner = 0;
    for (int d = 0; d < 3; ++d) {
      corner |= row("center", s)[d] > 0 ? 1 << d : 0;
      EXPECT_NEAR(std::abs(row("center", s)[d]), 8 >> d, 0.05);
    }
    found.push_back(corner);
    EXPECT_NEAR(row("variance", s)[15], 0.01 * 16 / 4, 0.02);
  }
  EXPECT_THAT(found, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_NEAR(row("center", 8)[0], 0, 0.02);
  EXPECT_NEAR(row("variance", 8)[0], 64.0 * 16 / 4, 1);
  EXPECT_EQ(row("amplitude", 3)[0], 0);
  // They are parameters like any other.
  for (size_t i = 0; i < p.center.size(); ++i) p.center[i] = row("center", 0)[i], p.variance[i] = row("variance", 0)[i];
  std::fill(p.amplitude.begin(), p.amplitude.end(), 0.0f);
  EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), 2e-4);
}

// What links and gates start from: no flow, levels that weigh the same.
TEST(RoutedTest, SplatsFromKeysHaveLinksAndAGate) {
  const RoutedProblem p = oracle::RandomRouted(Of(kGateCausal, 60, 60), 43);
  OwnedTensor keys(1, 60, 36, DType::kF32, Layout::kHeadsFirst);
  keys.Fill(p.k);
  const std::string path = testing::TempDir() + "/splats_with_links.safetensors";
  ASSERT_TRUE(WriteSplatsFromKeys(PlanOf(kGateCausal), keys.view(), path).ok());
  absl::StatusOr<TensorFile> file = TensorFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  for (const auto& [name, rows, dim] : {std::tuple{"link_0_1_weight", 20, 50},
                                        {"link_0_2_weight", 1, 2},
                                        {"link_0_2_compress", 2, 50},
                                        {"gate_weight", 3, 36},
                                        {"gate_bias", 3, 1}}) {
    const absl::StatusOr<TensorView> tensor = file->Get(name);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->shape, (std::array<int64_t, 3>{1, rows, dim})) << name;
    EXPECT_EQ(reinterpret_cast<const float*>(tensor->Row(0, rows - 1))[dim - 1], 0) << name;
  }
}

TEST(RoutedErrorsTest, FewerKeysThanSplats) {
  OwnedTensor keys(1, 40, 64, DType::kF32, Layout::kHeadsFirst);
  keys.Fill(std::vector<float>(40 * 64, 1));
  const std::string path = testing::TempDir() + "/too_few.safetensors";
  EXPECT_EQ(WriteSplatsFromKeys(PlanOf(kPlain), keys.view(), path).message(),
            "tensor 'k' has 40 finite keys in kv_head 0, level 0 'token' has 48 splats; give more tokens, or fewer splats");
  EXPECT_FALSE(TensorFile::Open(path).ok()) << "nothing is left behind";
}

// The graph that is shipped.
TEST(RoutedTest, Example) {
  const absl::StatusOr<frontend::Graph> graph = frontend::LoadGraph(HSA_SOURCE_DIR "/examples/routed.textproto");
  ASSERT_TRUE(graph.ok()) << graph.status();
  absl::StatusOr<frontend::CompileResult> compiled = frontend::Compile(*graph, {.cache_dir = HSA_PLAN_CACHE});
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  absl::StatusOr<Plan> plan = Plan::FromBytes(std::as_bytes(std::span(compiled->plan_bytes)), "routed.textproto");
  ASSERT_TRUE(plan.ok()) << plan.status();
  const RoutedProblem p = oracle::RandomRouted(
      {.H = 3, .Hkv = 1, .N = 100, .M = 150, .levels = {64, 16}, .weights = {1, 0.5}, .amplitude = true, .causal = true}, 37);
  EXPECT_LE(ErrorOf(MustRun(*plan, p).o, oracle::AttendRouted(p)), kRelL2);
}

// The same with links, one of them through a bottleneck, and a gate.
TEST(RoutedTest, FlowExample) {
  const absl::StatusOr<frontend::Graph> graph = frontend::LoadGraph(HSA_SOURCE_DIR "/examples/routed_flow.textproto");
  ASSERT_TRUE(graph.ok()) << graph.status();
  absl::StatusOr<frontend::CompileResult> compiled = frontend::Compile(*graph, {.cache_dir = HSA_PLAN_CACHE});
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  absl::StatusOr<Plan> plan = Plan::FromBytes(std::as_bytes(std::span(compiled->plan_bytes)), "routed_flow.textproto");
  ASSERT_TRUE(plan.ok()) << plan.status();
  RoutedProblem p =
      oracle::RandomRouted({.H = 3, .Hkv = 1, .N = 100, .M = 150, .levels = {64, 16}, .link = true, .gate = true, .causal = true}, 37);
  std::vector<float> up, expand, compress;
  for (int64_t s = 0; s < 16; ++s) up.insert(up.end(), &p.link[(64 + s) * 80], &p.link[(64 + s) * 80 + 64]);
  for (int64_t i = 0; i < 64 * 4; ++i) expand.push_back(ExpandOf(i / 4, i % 4));
  for (int64_t i = 0; i < 4 * 16; ++i) compress.push_back(CompressOf(i / 16, i % 16));
  for (int64_t s = 0; s < 64; ++s)
    for (int64_t t = 0; t < 16; ++t) {
      float& link = p.link[s * 80 + 64 + t] = 0;
      for (int64_t r = 0; r < 4; ++r) link += expand[s * 4 + r] * compress[r * 16 + t];
    }
  std::vector<OwnedTensor> links;
  links.reserve(3);
  links.emplace_back(1, 16, 64, DType::kF32, Layout::kHeadsFirst).Fill(up);
  links.emplace_back(1, 64, 4, DType::kF32, Layout::kHeadsFirst).Fill(expand);
  links.emplace_back(1, 4, 16, DType::kF32, Layout::kHeadsFirst).Fill(compress);
  const absl::StatusOr<Ran> ran = TryRun(*plan, p, {.threads = 2}, {}, links);
  ASSERT_TRUE(ran.ok()) << ran.status();
  EXPECT_LE(ErrorOf(ran->o, oracle::AttendRouted(p)), kRelL2);
}

}  // namespace
}  // namespace hsa::end_to_end
