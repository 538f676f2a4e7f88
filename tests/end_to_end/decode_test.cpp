// Decoding: a prompt once, then the queries behind it from its index and what its last block left there.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/index_file.h"
#include "runtime/index_header.h"
#include "runtime/overlay.h"
#include "runtime/rank_correlation.h"
#include "runtime/tensor_source.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/float64.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using testing::HasSubstr;

const GraphSpec kCausal = {.H = 4, .Hkv = 2, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};
const GraphSpec kNone = {.H = 4, .Hkv = 2, .D = 48, .Dv = 32, .mask = {}, .units = kSmallUnits};
const GraphSpec kSinks = {
    .H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1100, .sinks = 300}, .units = kSmallUnits};
const GraphSpec kModel = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = {.content_tiles = true}};

constexpr double kOpenNothing = 1e9;

RunOptions Theta(double theta) { return {.mode = Mode::kTheta, .theta = theta, .threads = 2}; }
RunOptions Within(double error, double confidence = 0.95) {
  return {.mode = Mode::kTolerance, .tolerance = {error, confidence}, .threads = 2};
}
RunOptions Saving(RunOptions options, const std::string& path) {
  options.save_index = path;
  return options;
}
RunOptions Loading(RunOptions options, const std::string& path) {
  options.load_index = path;
  return options;
}

TEST(DecodeTest, FromTheIndexOfThePrompt) {
  for (const GraphSpec& graph : {kCausal, kSinks}) {
    const TestFolder folder;
    const oracle::Problem prompt = RandomProblem(graph, 2000, 2000, /*seed=*/7);
    Attend(PlanOf(graph), prompt, Saving(Theta(0.01), folder / "index"));
    for (int64_t queries = 1; queries <= 16; ++queries) {
      SCOPED_TRACE(queries);
      const oracle::Problem p = LastQueries(prompt, queries);
      ExpectClose(Attend(PlanOf(graph), p, Loading(Theta(0), folder / "index")), Attend64(p), 5e-6, 1e-4);
    }
  }
}

// When nothing opens, the cut does not depend on the tiles: a decode step answers like the prompt did, by the same nodes, about the same reference.
TEST(DecodeTest, NodesOfTheFileAnswerLikeThoseOfThePrompt) {
  for (const GraphSpec& graph : {kCausal, kNone}) {
    const TestFolder folder;
    oracle::Problem prompt = RandomProblem(graph, 2900, 2900, /*seed=*/7);
    KeyAt(prompt, 0, 700)[2] = std::numeric_limits<float>::infinity();
    const Attended whole = Attend(PlanOf(graph), prompt, Saving(Theta(kOpenNothing), folder / "index"));
    const oracle::Problem last = LastQueries(prompt, 16);
    const Attended step = Attend(PlanOf(graph), last, Loading(Theta(kOpenNothing), folder / "index"));
    EXPECT_EQ(step.report.read.leaves, 0);
    EXPECT_GT(step.report.levels.size(), 0u);
    for (const LevelReport& level : step.report.levels) EXPECT_EQ(level.opened, 0);
    EXPECT_GT(step.report.read.nodes, 0);
    for (int64_t h = 2; h < graph.H; ++h) {  // those of the KV head that is finite
      double difference = 0, norm = 0;
      for (int64_t i = 0; i < 16 * graph.Dv; ++i) {
        const float is = step.o[h * 16 * graph.Dv + i], was = whole.o[(h * 2900 + 2900 - 16) * graph.Dv + i];
        difference += std::pow(static_cast<double>(is) - was, 2), norm += std::pow(static_cast<double>(was), 2);
      }
      EXPECT_LE(std::sqrt(difference / norm), 1e-6) << h;
    }
  }
}

// Bytes of leaves that are not opened are not read: it does not matter what they are.
TEST(DecodeTest, ReadsNoLeafThatItDoesNotOpen) {
  const TestFolder folder;
  const oracle::Problem prompt = RandomProblem(kCausal, 2900, 2900, /*seed=*/7);
  Attend(PlanOf(kCausal), prompt, Saving(Theta(0.01), folder / "index"));
  const oracle::Problem last = LastQueries(prompt, 3);
  const Attended whole = Attend(PlanOf(kCausal), last, Loading(Theta(kOpenNothing), folder / "index"));
  std::string file = ReadText(folder / "index");
  IndexHeader header{};
  std::memcpy(&header, file.data(), sizeof header);
  ASSERT_EQ(header.segments, 2);
  ASSERT_EQ(header.minis, 3);
  const int64_t first = ToPage(static_cast<int64_t>(sizeof header) + header.tables_bytes);
  const int64_t leaves = kCausal.Hkv * (2 * kSmallUnits.segment + 3 * kSmallUnits.mini) * (64 + 64) * 4;
  std::fill_n(file.begin() + first, leaves, '\x7f');
  WriteText(folder / "index", file);
  EXPECT_TRUE(Attend(PlanOf(kCausal), last, Loading(Theta(kOpenNothing), folder / "index")).SameBits(whole));
  EXPECT_FALSE(Attend(PlanOf(kCausal), last, Loading(Theta(1e-4), folder / "index"))
                   .SameBits(Attend(PlanOf(kCausal), last, Loading(Theta(kOpenNothing), folder / "index"))));
}

struct Shape {
  std::string name;
  GraphSpec graph;
  int64_t prompt, keys;
};
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.name; }
class OverlayTest : public testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, OverlayTest,
                         testing::Values(Shape{"as_long_as_the_prompt", kCausal, 2900, 2900},  // segments and mini-segments, a ragged rest
                                         Shape{"more_minis", kCausal, 2700, 2900}, Shape{"a_segment_is_completed", kCausal, 1800, 2900},  //
                                         Shape{"no_segment", kCausal, 700, 900},                                                          //
                                         Shape{"nothing", kCausal, 200, 900},  // the prompt is its own near field
                                         Shape{"both_ways", kNone, 2300, 2900}),
                         [](const auto& info) { return info.param.name; });

// What the file has, with what came later built onto it, is what the leaves give about the same references, bit for bit.
TEST_P(OverlayTest, IsWhatTheLeavesGive) {
  const auto& [name, graph, prompt, keys] = GetParam();
  const TestFolder folder;
  const oracle::Problem longest = RandomProblem(graph, keys, keys, /*seed=*/7);
  Attend(PlanOf(graph), Prefix(longest, prompt), Saving(Theta(0.01), folder / "index"));

  const oracle::Problem p = LastQueries(longest, 2);
  OwnedTensor q(p.H, 2, p.D, DType::kF32, Layout::kHeadsFirst), k(p.Hkv, keys, p.D, DType::kF32, Layout::kHeadsFirst),
      v(p.Hkv, keys, p.Dv, DType::kF32, Layout::kHeadsFirst);
  q.Fill(p.q), k.Fill(p.k), v.Fill(p.v);
  const Plan& plan = PlanOf(graph);
  const Inputs inputs{q.view(), k.view(), v.view()};
  const Outputs outputs{};
  const RunOptions options{};
  const Job job{plan, inputs, outputs, options, Geometry::Of(plan.graph(), 2, keys), Program(plan), 2};
  const std::vector<Region> regions = RegionsOf(job.geometry);
  absl::StatusOr<IndexFile> file = IndexFile::Open(folder / "index", job);
  ASSERT_TRUE(file.ok()) << file.status();
  absl::StatusOr<std::unique_ptr<IndexStore>> store = IndexStore::Create(job, regions.back().segment, 1, 0);
  absl::StatusOr<std::unique_ptr<Overlay>> loaded = Overlay::Create(job, **store), rebuilt = Overlay::Create(job, **store);
  ASSERT_TRUE(file->Put(**store, loaded->get()).ok());
  Workers workers([&] { return Worker(job.program); });
  (*store)->BuildRegion(workers, regions[0].segment, regions[0].minis);
  for (int64_t head = 0; head < graph.H; ++head) (*rebuilt)->mutable_nodes(head).reference = (*loaded)->nodes(head).reference;
  (*loaded)->Extend(workers, regions);
  (*rebuilt)->Extend(workers, regions);

  for (int64_t head = 0; head < graph.H; ++head) {
    SCOPED_TRACE(head);
    const SplatNodes &is = (*loaded)->nodes(head), &wanted = (*rebuilt)->nodes(head);
    EXPECT_TRUE(prompt < 300 || is.reference != std::vector<float>(is.reference.size(), 0.0f));
    for (const auto& [slot, places] : {std::pair<int64_t, int64_t>{0, regions[0].segment * kSmallUnits.segment},
                                       {(*store)->mini_slot(regions[0].segment), regions[0].minis * kSmallUnits.mini}}) {
      const auto a = is.Arrays(slot, places), b = wanted.Arrays(slot, places);
      ASSERT_EQ(a.size(), b.size());
      for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(std::ranges::equal(a[i], b[i])) << "array " << i << " of slot " << slot;
    }
    const TiltTotals &tilt = (*loaded)->heads[head].tilt, &wanted_tilt = (*rebuilt)->heads[head].tilt;
    ASSERT_EQ(tilt.size(), wanted_tilt.size());
    for (size_t level = 0; level < tilt.size(); ++level) {  // in the file it is rounded to f32
      EXPECT_NEAR(tilt[level].traces[0], wanted_tilt[level].traces[0], 1e-6 * wanted_tilt[level].traces[0]);
      for (size_t i = 0; i < tilt[level].matrix.size(); ++i)
        EXPECT_NEAR(tilt[level].matrix[i], wanted_tilt[level].matrix[i], 1e-6 * (1 + std::abs(wanted_tilt[level].matrix[i])));
    }
  }
}

// Tokens behind the prompt: its segments stay, what is missing is built. Steps cross a mini-segment, then a segment; one has queries on both sides of that.
TEST(DecodeTest, GrowsWithTheSequence) {
  const TestFolder folder;
  const oracle::Problem longest = RandomProblem(kCausal, 2600, 2600, /*seed=*/7);
  Attend(PlanOf(kCausal), Prefix(longest, 1800), Saving(Theta(0.01), folder / "index"));
  for (int64_t keys : {1801, 1900, 2055, 2200, 2600}) {
    SCOPED_TRACE(keys);
    const oracle::Problem p = LastQueries(Prefix(longest, keys), std::min<int64_t>(16, keys - 1800));
    ExpectClose(Attend(PlanOf(kCausal), p, Loading(Theta(0), folder / "index")), Attend64(p), 5e-6, 1e-4);
  }
}

// Queries before the segments of the file have no tilt; for a tolerance they read every key.
TEST(DecodeTest, QueriesBeforeTheSegmentsOfTheFile) {
  const TestFolder folder;
  const oracle::Problem prompt = RandomProblem(kCausal, 2055, 2055, /*seed=*/7);
  Attend(PlanOf(kCausal), prompt, Saving(Within(0.9), folder / "index"));
  const oracle::Problem p = LastQueries(prompt, 16);  // nine of them before position 2048
  ExpectClose(Attend(PlanOf(kCausal), p, Loading(Theta(0), folder / "index")), Attend64(p), 5e-6, 1e-4);
  const Attended within = Attend(PlanOf(kCausal), p, Loading(Within(0.9), folder / "index"));
  EXPECT_EQ(within.report.dense_blocks, p.H);
  const oracle::Problem before = Prefix(p, 2048);
  const oracle::Result exact = Attend64(before);
  for (int64_t h = 0; h < p.H; ++h)
    for (int64_t i = 0; i < before.N * p.Dv; ++i) EXPECT_NEAR(within.o[h * p.N * p.Dv + i], exact.o[h * before.N * p.Dv + i], 1e-4);
}

// A run that asks for nothing reads every key of an index without a calibrated θ. The index is not left aside.
TEST(DecodeTest, WithoutAModeTheIndexIsReadEntirely) {
  const TestFolder folder;
  const oracle::Problem prompt = RandomProblem(kCausal, 2000, 2000, /*seed=*/7);
  Attend(PlanOf(kCausal), prompt, Saving(Theta(0.01), folder / "index"));
  const oracle::Problem p = LastQueries(prompt, 4);
  const Attended is = Attend(PlanOf(kCausal), p, {.load_index = folder / "index"});
  EXPECT_THAT(is.report.mode, HasSubstr("every key, the index has no theta for it"));
  EXPECT_THAT(is.report.warnings, testing::Contains(HasSubstr("give --theta or --budget")));
  EXPECT_EQ(is.report.dense_blocks, p.H);
  EXPECT_FALSE(is.report.tolerance.carried);
  ExpectClose(is, Attend64(p), 5e-6, 1e-4);
  oracle::Problem other = p;
  KeyAt(other, 0, 100)[0] += 1;
  EXPECT_FALSE(TryAttend(PlanOf(kCausal), other, {.load_index = folder / "index"}).ok()) << "the index was not looked at";
}

TEST(DecodeTest, ExpectedErrorsNeedAScale) {
  const TestFolder folder;
  const oracle::Problem prompt = RandomProblem(kCausal, 2000, 2000, /*seed=*/7);
  Attend(PlanOf(kCausal), prompt, Saving(Theta(0.01), folder / "index"));
  const oracle::Problem p = LastQueries(prompt, 4);
  OwnedTensor q(p.H, p.N, p.D, DType::kF32, Layout::kHeadsFirst), k(p.Hkv, p.M, p.D, DType::kF32, Layout::kHeadsFirst),
      v(p.Hkv, p.M, p.Dv, DType::kF32, Layout::kHeadsFirst), o(p.H, p.N, p.Dv, DType::kF32, Layout::kHeadsFirst),
      error(1, p.H, p.N, DType::kF32, Layout::kHeadsFirst);
  q.Fill(p.q), k.Fill(p.k), v.Fill(p.v);
  const absl::StatusOr<RunReport> report =
      hsa::Run(PlanOf(kCausal), {q.view(), k.view(), v.view()}, {.o = o.mutable_view(), .error = error.mutable_view()},
               Loading({.mode = Mode::kBudget, .budget = 0.5}, folder / "index"));
  EXPECT_THAT(report.status().message(), HasSubstr("has no scale for the errors of query head 0"));
}

TEST(DecodeTest, BudgetIsKept) {
  const TestFolder folder;
  const oracle::Problem prompt = RandomProblem(kCausal, 2900, 2900, /*seed=*/7);
  Attend(PlanOf(kCausal), prompt, Saving(Theta(0.01), folder / "index"));
  const oracle::Problem p = LastQueries(prompt, 16);
  const Attended is = Attend(PlanOf(kCausal), p, Loading({.mode = Mode::kBudget, .budget = 0.5, .threads = 2}, folder / "index"));
  EXPECT_LE(is.report.read.total, 1.1 * 0.5);
  EXPECT_GT(is.report.read.total, 0.9 * 0.5);
}

// Rows [first, first + count) of a tensor of a file.
TensorView Rows(TensorView tensor, int64_t first, int64_t count) {
  tensor.data = tensor.Row(0, first);
  tensor.shape[1] = count;
  return tensor;
}

// A model's attention: θ of the prompt is carried over, and the errors of the steps behind it are in line with the tolerance.
TEST(CarriedThetaTest, KeepsTheToleranceBehindThePrompt) {
  constexpr int64_t kPrompt = 6500, kStep = 16;  // steps cross a mini-segment
  absl::StatusOr<TensorFile> tensors = TensorFile::Open(HSA_SOURCE_DIR "/examples/data/qkv_8k_prose_L22.safetensors");
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  const TensorView q = *tensors->Get("q"), k = *tensors->Get("k"), v = *tensors->Get("v");
  const TestFolder folder;
  const auto run = [&](int64_t queries, int64_t keys, const RunOptions& options, OwnedTensor& o, OwnedTensor* error = nullptr) {
    const MutableTensorView expected = error == nullptr ? MutableTensorView() : error->mutable_view();
    absl::StatusOr<RunReport> report = hsa::Run(PlanOf(kModel), {Rows(q, keys - queries, queries), Rows(k, 0, keys), Rows(v, 0, keys)},
                                                {.o = o.mutable_view(), .error = expected}, options);
    if (!report.ok()) throw std::runtime_error(report.status().ToString());
    return *report;
  };
  OwnedTensor all(3, kPrompt, 64, DType::kF32, Layout::kHeadsFirst);
  const RunReport prompt = run(kPrompt, kPrompt, Saving(Within(0.05), folder / "index"), all);
  ASSERT_EQ(prompt.dense_blocks, 0);
  std::vector<double> errors, expected;
  OwnedTensor error(1, 3, kStep, DType::kF32, Layout::kHeadsFirst);
  OwnedTensor o(3, kStep, 64, DType::kF32, Layout::kHeadsFirst), exact(3, kStep, 64, DType::kF32, Layout::kHeadsFirst);
  for (int64_t keys = kPrompt + kStep; keys <= 8192; keys += kStep) {
    const RunReport report = run(kStep, keys, Loading(Within(0.05), folder / "index"), o, &error);
    EXPECT_TRUE(report.tolerance.carried);
    EXPECT_THAT(report.mode, HasSubstr("carried over"));
    EXPECT_THAT(report.warnings, testing::Contains(HasSubstr("too few to certify")));
    EXPECT_LT(report.read.total, 0.4);
    for (int64_t head = 0; head < 3; ++head) EXPECT_EQ(report.heads[head].theta, prompt.heads[head].theta);
    run(kStep, keys, {.mode = Mode::kExact}, exact);
    const std::vector<float> is = o.Values(), wanted = exact.Values();
    for (int64_t row = 0; row < 3 * kStep; ++row)
      errors.push_back(
          oracle::RelL2(std::span(is).subspan(row * 64, 64),
                        std::span<const double>(std::vector<double>(wanted.begin() + row * 64, wanted.begin() + (row + 1) * 64))));
    for (float e : error.Values()) expected.push_back(e);
  }
  const auto rows = static_cast<int64_t>(errors.size()),
             kept = std::count_if(errors.begin(), errors.end(), [](double e) { return e <= 0.05; });
  RecordProperty("kept", absl::StrCat(kept, " of ", rows));
  EXPECT_GE(static_cast<double>(kept) / static_cast<double>(rows), 0.92);  // rows of neighbours are alike
  // So is the scale of the expected errors.
  EXPECT_GT(RankCorrelation(expected, errors), 0.6);
  const auto within = [&](double factor) {
    int64_t count = 0;
    for (size_t row = 0; row < errors.size(); ++row) count += errors[row] <= factor * expected[row];
    return static_cast<double>(count) / static_cast<double>(rows);
  };
  EXPECT_LT(within(0.5), 0.4);
  EXPECT_GT(within(2), 0.6);
  // A looser tolerance may use it, a tighter one and a higher confidence may not.
  EXPECT_TRUE(run(kStep, 8192, Loading(Within(0.1), folder / "index"), o).tolerance.carried);
  EXPECT_TRUE(run(kStep, 8192, Loading(Within(0.05, 0.9), folder / "index"), o).tolerance.carried);
  for (const RunOptions& stricter : {Within(0.04), Within(0.05, 0.98)}) {
    const RunReport report = run(kStep, 8192, Loading(stricter, folder / "index"), o);
    EXPECT_FALSE(report.tolerance.carried);
    EXPECT_EQ(report.dense_blocks, 3);
    EXPECT_GE(report.read.total, 1);
  }
}

}  // namespace
}  // namespace hsa::end_to_end
