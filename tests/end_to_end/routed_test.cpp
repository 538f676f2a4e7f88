// Scheme routed, compiled and run, beside the kernel of every pair of tokens in float64.
#include <cmath>
#include <limits>
#include <map>
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
#include "tests/end_to_end/run_problem.h"
#include "tests/oracle/routed_oracle.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

constexpr double kRelL2 = 5e-6;
const std::vector<std::string> kNative = {"native"}, kAllIsas = {"x86-64", "x86-64-v3", "x86-64-v4"};

frontend::Graph GraphOf(const RoutedSpec& spec) {
  frontend::Graph graph;
  graph.set_name("routed");
  const auto input = [&](const char* name, int64_t heads, int64_t dim) {
    frontend::Tensor& tensor = *graph.add_inputs();
    tensor.set_name(name), tensor.set_heads(static_cast<uint32_t>(heads)), tensor.set_dim(static_cast<uint32_t>(dim));
  };
  input("q", spec.H, spec.D), input("k", spec.Hkv, spec.D), input("v", spec.Hkv, spec.Dv);
  input("center", spec.Hkv, spec.D), input("variance", spec.Hkv, spec.isotropic ? 1 : spec.D);
  if (spec.amplitude) input("amplitude", spec.Hkv, 1);
  frontend::Routed& routed = *graph.add_nodes()->mutable_routed();
  routed.set_query("q"), routed.set_key("k"), routed.set_value("v"), routed.set_output("o");
  routed.set_center("center"), routed.set_variance("variance");
  if (spec.amplitude) routed.set_amplitude("amplitude");
  for (size_t i = 0; i < spec.levels.size(); ++i) {
    frontend::Routed::Level& level = *routed.add_levels();
    level.set_splats(static_cast<uint32_t>(spec.levels[i]));
    if (!spec.weights.empty()) level.set_weight(spec.weights[i]);
  }
  routed.set_causal(spec.causal);
  return graph;
}

// Compiled once in a process, and once in all processes of a build.
const Plan& PlanOf(const RoutedSpec& spec, const std::vector<std::string>& cpus = kNative) {
  static std::map<std::string, std::unique_ptr<Plan>> plans;
  const frontend::Graph graph = GraphOf(spec);
  std::unique_ptr<Plan>& plan = plans[absl::StrCat(graph.SerializeAsString(), "|", absl::StrJoin(cpus, ","))];
  if (plan == nullptr) {
    absl::StatusOr<frontend::CompileResult> compiled = frontend::Compile(graph, {.cpus = cpus, .cache_dir = HSA_PLAN_CACHE});
    if (!compiled.ok()) throw std::runtime_error(compiled.status().ToString());  // gtest fails the test with it
    absl::StatusOr<Plan> loaded = Plan::FromBytes(std::as_bytes(std::span(compiled->plan_bytes)), "plan of a test");
    if (!loaded.ok()) throw std::runtime_error(loaded.status().ToString());
    plan = std::make_unique<Plan>(*std::move(loaded));
  }
  return *plan;
}

struct Ran {
  std::vector<float> o;
  RunReport report;
};

absl::StatusOr<Ran> TryRun(const Plan& plan, const RoutedProblem& p, const RunOptions& options = {.threads = 2},
                           const Storage& storage = {}) {
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
  std::optional<OwnedTensor> amplitude;
  if (s.amplitude) inputs.splats.amplitude = amplitude.emplace(parameter(1, p.amplitude)).view();
  OwnedTensor o(s.H, s.N, s.Dv, storage.output, storage.layout);
  absl::StatusOr<RunReport> report = Run(plan, inputs, {.o = o.mutable_view()}, options);
  if (!report.ok()) return report.status();
  EXPECT_TRUE(o.GapsUntouched());
  return Ran{o.Values(), *report};
}

Ran MustRun(const Plan& plan, const RoutedProblem& p, const RunOptions& options = {.threads = 2}, const Storage& storage = {}) {
  absl::StatusOr<Ran> ran = TryRun(plan, p, options, storage);
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

RoutedSpec Of(RoutedSpec spec, int64_t N, int64_t M, double width = 1) {
  spec.N = N, spec.M = M, spec.width = width;
  return spec;
}

struct Case {
  std::string name;
  RoutedSpec spec;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class RoutedTest : public testing::TestWithParam<Case> {};
TEST_P(RoutedTest, MatchesOracle) {
  const RoutedProblem p = oracle::RandomRouted(GetParam().spec, /*seed=*/7);
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
};
INSTANTIATE_TEST_SUITE_P(Cases, RoutedTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

// Affinities down to 2^-6000: without their shifts every exponential is 0. A float's rounding of such a logarithm is what is left.
TEST(RoutedTest, FarTokensAreFinite) {
  for (const RoutedSpec& spec : {kPlain, kCausal}) {
    const RoutedProblem p = oracle::RandomRouted(Of(spec, 200, 200, 1e-3), 3);
    const Ran ran = MustRun(PlanOf(spec), p);
    EXPECT_TRUE(std::ranges::all_of(ran.o, [](float x) { return std::isfinite(x); }));
    EXPECT_LE(ErrorOf(ran.o, oracle::AttendRouted(p)), 2e-3);
  }
}

// Beyond what a float can square: an average of what was sent, no NaN.
TEST(RoutedTest, AbsurdlyFarTokensAreFinite) {
  for (const RoutedSpec& spec : {kPlain, kCausal}) {
    RoutedProblem p = oracle::RandomRouted(Of(spec, 100, 100), 3);
    for (float& x : p.q) x *= 1e30f;
    for (size_t i = 0; i < p.k.size(); i += 3) p.k[i] *= 1e30f;
    const Ran ran = MustRun(PlanOf(spec), p);
    for (float x : ran.o) ASSERT_LE(std::abs(x), 6) << "values are standard normal";
  }
}

// Tokens that come nearer and nearer end chunks early: the running maximum of a splat rises by hundreds.
TEST(RoutedTest, ChunksEndWhereTokensComeNear) {
  RoutedProblem p = oracle::RandomRouted(Of(kCausal, 300, 300, 0.02), 5);
  for (int64_t j = 0; j < p.spec.M; ++j)
    for (int64_t d = 0; d < p.spec.D; ++d) p.k[j * p.spec.D + d] *= 3 - 3 * static_cast<float>(j) / 300;
  EXPECT_LE(ErrorOf(MustRun(PlanOf(kCausal), p).o, oracle::AttendRouted(p)), 2e-4);
}

TEST(RoutedTest, EveryIsa) {
  for (const RoutedSpec& spec : {kPlain, kCausal}) {
    const RoutedProblem p = oracle::RandomRouted(Of(spec, 130, 200), 11);
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
  for (double width : {1.0, 0.02}) {
    const RoutedProblem p = oracle::RandomRouted(Of(kCausal, 200, 200, width), 17);
    const std::vector<float> before = MustRun(PlanOf(kCausal), p).o;
    for (int64_t changed : {0, 1, 63, 64, 130, 199}) {
      RoutedProblem other = p;
      for (int64_t i = changed * 64; i < 200 * 64; ++i) other.k[i] *= 0.1f, other.v[i] += 1;
      const std::vector<float> after = MustRun(PlanOf(kCausal), other).o;
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
  for (const RoutedSpec& spec : {Of(kPlain, 40, 40000), Of(kOddCausal, 40, 40000), Of(kCausal, 2000, 2000)}) {
    const RoutedProblem p = oracle::RandomRouted(spec, 29);
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
    spec.isotropic = upTo(1), spec.amplitude = upTo(1), spec.causal = round % 2;
    for (int lengths = 0; lengths < 3; ++lengths) {
      const int64_t M = 1 + upTo(300), N = upTo(M);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ": H ", spec.H, ", Hkv ", spec.Hkv, ", D ", spec.D, ", Dv ", spec.Dv,
                                ", N ", N, ", M ", M, ", levels ", absl::StrJoin(spec.levels, " "), ", causal ", spec.causal));
      const RoutedProblem p = oracle::RandomRouted(Of(spec, N, M), random());
      EXPECT_LE(ErrorOf(MustRun(PlanOf(spec), p).o, oracle::AttendRouted(p)), kRelL2);
    }
  }
}

// Each names what is wrong, and where.
TEST(RoutedErrorsTest, Parameters) {
  const auto message = [](void (*spoil)(RoutedProblem&)) {
    RoutedProblem p = oracle::RandomRouted(Of(kPlain, 5, 5), 31);
    spoil(p);
    return std::string(TryRun(PlanOf(kPlain), p).status().message());
  };
  EXPECT_EQ(message([](RoutedProblem& p) { p.variance[50 * 64 + 7] = 0; }),
            "tensor 'variance': splat 50 of kv_head 0 (level 1) has the variance 0, wanted a finite number > 0: a covariance is positive "
            "definite");
  EXPECT_EQ(message([](RoutedProblem& p) { p.variance[3] = -1; }),
            "tensor 'variance': splat 0 of kv_head 0 (level 0) has the variance -1, wanted a finite number > 0: a covariance is positive "
            "definite");
  EXPECT_THAT(message([](RoutedProblem& p) { p.variance[64] = NAN; }),
              testing::HasSubstr("splat 1 of kv_head 0 (level 0) has the variance nan"));
  EXPECT_EQ(message([](RoutedProblem& p) { p.center[63 * 64] = INFINITY; }),
            "tensor 'center': splat 63 of kv_head 0 (level 1) has the coordinate inf, wanted a finite number");
  EXPECT_EQ(message([](RoutedProblem& p) { p.amplitude[2] = -INFINITY; }),
            "tensor 'amplitude': splat 2 of kv_head 0 (level 0) has the log-amplitude -inf, wanted a number between -10000 and 10000");
  EXPECT_EQ(message([](RoutedProblem& p) { p.variance[0] = 1e-44f, p.center[0] = 1e30f; }),
            "tensor 'variance': splat 0 of kv_head 0 (level 0) has the variance 9.80909e-45, wanted one that is wider beside its center");
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

TEST(RoutedErrorsTest, FewerKeysThanSplats) {
  OwnedTensor keys(1, 40, 64, DType::kF32, Layout::kHeadsFirst);
  keys.Fill(std::vector<float>(40 * 64, 1));
  const std::string path = testing::TempDir() + "/too_few.safetensors";
  EXPECT_EQ(WriteSplatsFromKeys(PlanOf(kPlain), keys.view(), path).message(),
            "tensor 'k' has 40 finite keys in kv_head 0, level 0 has 48 splats; give more tokens, or fewer splats");
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

}  // namespace
}  // namespace hsa::end_to_end
