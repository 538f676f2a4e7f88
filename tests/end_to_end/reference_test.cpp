// Splats, compiled and run, beside the float64 interpreter: what is computed from a selection, and where the selections differ.
#include <algorithm>
#include <cmath>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "dialect/hsa_ops.h"
#include "frontend/compiler_context.h"
#include "frontend/import_graph.h"
#include "gtest/gtest.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/compiled_decisions.h"
#include "tests/end_to_end/compiled_plan.h"

namespace hsa::end_to_end {
namespace {

using ir::reference::Candidate;
using ir::reference::GivenIndex;

constexpr double kRelL2 = 5e-6, kLse = 2e-5;
constexpr double kUndecided =
    1e-5;  // |rms/θ − 1| of residuals that f32 may put on either side of θ; none of the 22,000 below is, and the nearest is at 1.6e-5

struct Case {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
  double theta;
  DType dtype = DType::kF32;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

// Queries and keys whose spread differs from run to run, so that some nodes are opened deep and others not at all.
oracle::Problem UnevenProblem(const GraphSpec& graph, int64_t N, int64_t M) {
  oracle::Problem p = RandomProblem(graph, N, M, /*seed=*/7);
  for (int64_t h = 0; h < p.Hkv; ++h)
    for (int64_t j = 0; j < M; ++j)
      for (int64_t d = 0; d < p.D; ++d)
        KeyAt(p, h, j)[d] = KeyAt(p, h, j)[d] * static_cast<float>(j / 50 % 5) * 0.4f + (d == j / 200 % 4 ? 1.5f : 0.0f);
  return p;
}

oracle::Result Interpret(const Case& c, const oracle::Problem& p, const GivenIndex& given, std::vector<Candidate>& candidates) {
  frontend::Graph graph = BuildGraph(c.graph);
  graph.mutable_nodes(0)->mutable_attention()->mutable_splats()->set_theta(c.theta);
  const std::unique_ptr<mlir::MLIRContext> context = frontend::newContext();
  mlir::OwningOpRef<mlir::ModuleOp> module = frontend::importGraph(graph, *context);
  mlir::PassManager passes(context.get());
  passes.addPass(ir::createDecomposePass());
  EXPECT_TRUE(mlir::succeeded(passes.run(*module)));
  const std::vector<ir::reference::Tensor> inputs = {{{p.H, p.N, p.D}, {p.q.begin(), p.q.end()}},
                                                     {{p.Hkv, p.M, p.D}, {p.k.begin(), p.k.end()}},
                                                     {{p.Hkv, p.M, p.Dv}, {p.v.begin(), p.v.end()}}};
  auto results = ir::reference::Interpret(*module->getOps<mlir::func::FuncOp>().begin(), inputs, &given, &candidates);
  if (!results) {
    ADD_FAILURE() << llvm::toString(results.takeError());
    return {};
  }
  return {(*results)[0].values, (*results)[1].values};
}

class ReferenceTest : public testing::TestWithParam<Case> {};
TEST_P(ReferenceTest, SameSelectionSameOutput) {
  const Case& c = GetParam();
  const oracle::Problem p = Rounded(UnevenProblem(c.graph, c.N, c.M), c.dtype);
  const Decided decided = DecideAndAttend(PlanOf(c.graph), p, c.theta, c.dtype);
  EXPECT_TRUE(
      Attend(PlanOf(c.graph), p, {.mode = Mode::kTheta, .theta = c.theta, .threads = 2}, {.input = c.dtype}).SameBits(decided.attended))
      << "this test runs the parts in another way than hsa::Run";

  std::vector<Candidate> candidates;
  const oracle::Result wanted = Interpret(c, p, decided.index, candidates);
  ExpectClose(decided.attended, wanted, kRelL2, kLse);
  int64_t opened = 0, differ = 0;
  double farthest = 0, nearest = 1;
  for (const Candidate& candidate : candidates) {
    opened += candidate.opened;
    nearest = std::min(nearest, std::abs(candidate.rmsOverTheta - 1));
    if (candidate.opened == (candidate.rmsOverTheta > 1)) continue;
    ++differ;
    farthest = std::max(farthest, std::abs(candidate.rmsOverTheta - 1));
  }
  EXPECT_LE(farthest, kUndecided) << differ << " of " << candidates.size() << " decisions differ";
  EXPECT_GT(opened, static_cast<int64_t>(candidates.size()) / 20) << "hardly a node is opened";
  EXPECT_LT(opened, static_cast<int64_t>(candidates.size()) * 19 / 20) << "hardly a node stays closed";
  RecordProperty("candidates", static_cast<int>(candidates.size()));
  RecordProperty("decisions_that_differ", static_cast<int>(differ));
  RecordProperty("nearest_to_theta", absl::StrCat(nearest));
}

const GraphSpec kCausal = {.H = 2, .Hkv = 1, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};
const GraphSpec kContent = {.H = 2,
                            .Hkv = 1,
                            .D = 64,
                            .Dv = 64,
                            .mask = {.causal = true},
                            .units = {.segment = 1024, .mini = 256, .window = 256, .content_tiles = true}};
const GraphSpec kNone = {.H = 4, .Hkv = 2, .D = 48, .Dv = 32, .mask = {}, .units = kSmallUnits};
const GraphSpec kSliding = {.H = 2,
                            .Hkv = 2,
                            .D = 36,
                            .Dv = 20,
                            .mask = {.causal = true, .window = 900},
                            .units = {.segment = 1024, .mini = 256, .window = 256, .order = 0}};
// The sinks of the mask are the near sinks: units hold none.
const GraphSpec kSinks = {.H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1500, .sinks = 4}, .units = kSmallUnits};
// The prefix is a whole segment and a part of the next: read key by key by the tiles whose windows have left it behind.
const GraphSpec kManySinks = {
    .H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1500, .sinks = 1100}, .units = kSmallUnits};
const GraphSpec kOddUnits = {.H = 3,
                             .Hkv = 1,
                             .D = 80,
                             .Dv = 80,
                             .mask = {.causal = true},
                             .units = {.segment = 256, .mini = 64, .window = 64, .tile = 32, .near_sinks = 64, .bands = 3}};

const Case kCases[] = {
    // name                 graph      N     M     θ
    {"causal_coarse", kCausal, 700, 2537, 0.1},
    {"causal", kCausal, 700, 2537, 0.02},
    {"content", kContent, 700, 2537, 0.02},
    {"content_all", kContent, 2500, 2500, 0.05},
    {"segments", kContent, 600, 5400, 0.05},  // a tilt of five segments, in a block of four
    {"causal_fine", kCausal, 700, 2537, 0.004},
    {"causal_all", kCausal, 1500, 1500, 0.02},  // the first windows see no unit
    {"causal_bf16", kCausal, 700, 2537, 0.02, DType::kBF16},
    {"causal_f16", kCausal, 300, 1700, 0.02, DType::kF16},
    {"few_queries", kCausal, 33, 2537, 0.02},  // no metric
    {"fewest_queries", kCausal, 7, 2537, 0.02},
    {"none", kNone, 333, 1900, 0.02},
    {"sliding_order_0", kSliding, 700, 2200, 0.02},
    {"sinks", kSinks, 700, 2700, 0.02},
    {"many_sinks", kManySinks, 1500, 3200, 0.02},
    {"odd_units", kOddUnits, 500, 1200, 0.02},
};
INSTANTIATE_TEST_SUITE_P(Cases, ReferenceTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hsa::end_to_end
