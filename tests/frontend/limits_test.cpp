// What the check of graphs accepts, the check of plans accepts: graphs drawn near every limit, down to the header of their plan, with code that
// nobody compiled.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <random>
#include <span>
#include <string>

#include "frontend/check_graph.h"
#include "frontend/compiler_context.h"
#include "frontend/import_graph.h"
#include "mlir/Pass/PassManager.h"
#include "passes/export/schedule.h"
#include "passes/pipelines.h"
#include "passes/schedule_params.h"
#include "runtime/format/check_plan.h"
#include "runtime/format/plan_file.h"

namespace hsa::frontend {
namespace {

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}
  // `usual` three times out of four, else one of `edges`.
  template <typename T>
  T Value(T usual, std::initializer_list<T> edges) {
    return random_() % 4 != 0 ? usual : edges.begin()[random_() % edges.size()];
  }
  template <typename T>
  T Any(std::initializer_list<T> values) {
    return values.begin()[random_() % values.size()];
  }

 private:
  std::mt19937_64 random_;
};

void DrawSplats(Draw& draw, Attention::Splats& splats) {
  const uint32_t mini = draw.Any<uint32_t>({16, 32, 64, 128, 256, 1024, 4096, 16384, 65536, 1u << 18, 1u << 20});
  const uint32_t minis = draw.Value<uint32_t>(8, {0, 1, 2, 4, 12, 16, 32});
  splats.set_mini_segment_tokens(mini);
  splats.set_segment_tokens(draw.Value<uint32_t>(mini * minis, {1u << 20, 1u << 21, mini * 8 + 16}));
  splats.set_window_tokens(draw.Value<uint32_t>(mini, {0, mini / 2, 2 * mini, 1u << 20}));
  splats.set_tile_queries(draw.Value<uint32_t>(std::min(mini, 64u), {0, 1, 8, 16, 32, 48, 128, 256, 1024}));
  splats.set_near_sink_tokens(draw.Value<uint32_t>(4, {0, mini, mini + 1}));
  splats.set_bands(draw.Value<uint32_t>(8, {0, 1, 3, 64, 65}));
  splats.set_order(draw.Value<uint32_t>(2, {0, 1}));
  if (draw.Any({true, false})) splats.set_theta(draw.Value(0.01, {0.0, 5e-324, 1e308, -1.0}));
}

Graph DrawGraph(Draw& draw) {
  Graph graph;
  graph.set_name(draw.Value<std::string>("g", {std::string(128, 'g'), std::string(129, 'g')}));
  const uint32_t group = draw.Value<uint32_t>(2, {1, 4096, 4097}), kv_heads = draw.Value<uint32_t>(1, {0, 2, 4096});
  const uint32_t head_dim = draw.Value<uint32_t>(64, {0, 1, 17, 1024, 1025}), value_dim = draw.Value<uint32_t>(64, {0, 1, 1024, 1025});
  const std::string query = draw.Value<std::string>("q", {std::string(256, 'q'), std::string(257, 'q'), "it's"});
  for (const std::string& name : {query, std::string("k"), std::string("v")}) {
    Tensor& input = *graph.add_inputs();
    input.set_name(name);
    input.set_heads(name == query ? group * kv_heads : kv_heads);
    input.set_dim(name == "v" ? value_dim : head_dim);
    if (draw.Any({true, false})) input.set_tokens(draw.Value<uint64_t>(100, {0, 1, 1ull << 40, (1ull << 40) + 1}));
  }
  Attention& attention = *graph.add_nodes()->mutable_attention();
  attention.set_query(query), attention.set_key("k"), attention.set_value("v"), attention.set_output("o");
  if (draw.Any({true, false})) attention.set_lse("lse");
  if (draw.Any({true, false})) attention.set_scale(draw.Value(0.125, {0.0, 5e-324, 1e308}));
  attention.mutable_mask()->set_causal(draw.Any({true, true, false}));
  attention.mutable_mask()->set_sliding_window(draw.Value<uint64_t>(0, {1, 1ull << 40, (1ull << 40) + 1}));
  attention.mutable_mask()->set_sink_tokens(draw.Value<uint64_t>(0, {1, 1ull << 40, (1ull << 40) + 1}));
  DrawSplats(draw, *attention.mutable_splats());
  return graph;
}

// The file of a plan whose entries all lie at byte 0 of one byte of code.
absl::StatusOr<std::string> PlanWithoutCode(const Graph& graph) {
  const std::unique_ptr<mlir::MLIRContext> context = newContext();
  const mlir::OwningOpRef<mlir::ModuleOp> module = importGraph(graph, *context);
  mlir::PassManager passes(context.get());
  ir::buildStructuredPipeline(passes, ir::Precision::kBf16);
  if (failed(passes.run(*module))) return absl::InternalError("the structured pipeline failed");
  const ir::ScheduleOp schedule = ir::findSchedule(*module);
  format::PlanHeader header;
  ir::fillGraph(schedule, *header.mutable_graph());
  if (llvm::Error error = ir::fillStages(schedule, header)) return absl::InternalError(llvm::toString(std::move(error)));
  format::Variant& variant = *header.add_variants();
  variant.set_name("none"), variant.set_triple("x86_64-unknown-linux-gnu"), variant.set_isa("sse2");
  for (const format::Stage& stage : header.stages())
    for (const char* suffix : {"", ".f32", ".bf16", ".f16"}) variant.add_entries()->set_name(stage.entry() + suffix);
  return format::BuildPlanFile(std::move(header), {.bytecode = "", .code = {"\xc3"}});
}

TEST(LimitsTest, GraphsThatPassTheirCheckMakePlansThatPassTheirs) {
  constexpr int kWanted = 1000;
  int accepted = 0;
  for (uint64_t seed = 0; accepted < kWanted && seed < 100'000; ++seed) {
    Draw draw(seed);
    const Graph graph = DrawGraph(draw);
    if (!CheckGraph(graph).ok()) continue;
    ++accepted;
    SCOPED_TRACE(testing::Message() << "seed " << seed << "\n" << graph.DebugString());
    const absl::StatusOr<std::string> plan = PlanWithoutCode(graph);
    ASSERT_TRUE(plan.ok()) << plan.status();
    const absl::StatusOr<format::PlanHeader> header = format::CheckPlan(std::as_bytes(std::span(*plan)), "plan");
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->graph().query_tokens(), graph.inputs(0).tokens());
    EXPECT_EQ(header->graph().key_tokens(), std::max(graph.inputs(1).tokens(), graph.inputs(2).tokens()));
  }
  EXPECT_EQ(accepted, kWanted);
}

}  // namespace
}  // namespace hsa::frontend
