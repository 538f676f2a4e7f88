// From graphs to plans, through the compiler and out of the cache.
#include "frontend/compile.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "frontend/build_plan.h"
#include "frontend/graph_text.h"
#include "frontend/jit.h"

namespace hsa::frontend {
namespace {

namespace fs = std::filesystem;

Graph Example(const std::string& name) {
  absl::StatusOr<Graph> graph = LoadGraph(std::string(HSA_SOURCE_DIR) + "/examples/" + name + ".textproto");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.value_or(Graph());
}

class CompileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hsa_compile_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    options_.cache_dir = pattern;
  }
  void TearDown() override { fs::remove_all(options_.cache_dir); }

  CompileResult Compiled(const Graph& graph) {
    absl::StatusOr<CompileResult> result = Compile(graph, options_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(CompileResult());
  }
  std::string OnlyEntry() const { return fs::directory_iterator(options_.cache_dir)->path(); }

  CompileOptions options_;
};

TEST_F(CompileTest, SecondTimeComesFromTheCache) {
  const Graph graph = Example("causal_gqa");
  const CompileResult cold = Compiled(graph), warm = Compiled(graph);
  EXPECT_FALSE(cold.cache_hit);
  EXPECT_TRUE(warm.cache_hit);
  EXPECT_EQ(cold.plan_bytes, warm.plan_bytes);
  EXPECT_TRUE(cold.warnings.empty() && warm.warnings.empty());
  EXPECT_EQ(warm.header.graph().query_heads(), 3u);
  EXPECT_LT(warm.seconds, cold.seconds);
  RecordProperty("cold_us", static_cast<int>(cold.seconds * 1e6));
  RecordProperty("warm_us", static_cast<int>(warm.seconds * 1e6));
}

TEST_F(CompileTest, SameGraphGivesTheSameBytes) {
  options_.use_cache = false;
  const Graph graph = Example("sliding_window");
  EXPECT_EQ(Compiled(graph).plan_bytes, Compiled(graph).plan_bytes);
  EXPECT_TRUE(fs::is_empty(options_.cache_dir));
}

TEST_F(CompileTest, HeaderSaysWhatTheGraphSays) {
  const CompileResult result = Compiled(Example("cross_attention"));
  const format::Graph& graph = result.header.graph();
  EXPECT_EQ(graph.name(), "cross_attention");
  EXPECT_EQ(graph.query() + graph.key() + graph.value() + graph.output(), "qkvo");
  EXPECT_EQ(graph.kv_heads(), 4u);
  EXPECT_EQ(graph.head_dim(), 64u);
  EXPECT_EQ(graph.value_dim(), 96u);
  EXPECT_DOUBLE_EQ(graph.scale(), 0.1);
  EXPECT_FALSE(graph.mask().causal());
  EXPECT_EQ(graph.splats().order(), 0u);
  EXPECT_DOUBLE_EQ(graph.splats().theta(), 0.01);
  EXPECT_GT(result.header.bytecode().bytes(), 0u);
  const CompileResult window = Compiled(Example("sliding_window"));
  EXPECT_TRUE(window.header.graph().mask().causal());
  EXPECT_EQ(window.header.graph().mask().sliding_window(), 4096u);
  EXPECT_EQ(window.header.graph().mask().sink_tokens(), 4u);
  EXPECT_GT(window.header.graph().splats().theta(), 0);  // the default
}

TEST_F(CompileTest, OneVariantForEachProcessor) {
  options_.cpus = {"x86-64-v4", "x86-64-v3", "x86-64"};
  const CompileResult result = Compiled(Example("causal_gqa"));
  ASSERT_EQ(result.header.variants_size(), 3);
  EXPECT_EQ(result.header.variants(0).isa(), "avx512");
  EXPECT_EQ(result.header.variants(1).isa(), "avx2");
  EXPECT_EQ(result.header.variants(2).isa(), "sse2");
  EXPECT_EQ(result.header.variants(2).name(), "x86-64");
}

TEST_F(CompileTest, DamagedEntriesAreCompiledAgain) {
  const Graph graph = Example("causal_gqa");
  const std::string bytes = Compiled(graph).plan_bytes;
  std::string flipped = bytes;
  flipped[flipped.size() / 2] ^= 1;
  for (const std::string& damaged : {bytes.substr(0, bytes.size() / 2), std::string(), flipped}) {
    std::ofstream(OnlyEntry(), std::ios::binary | std::ios::trunc) << damaged;
    const CompileResult again = Compiled(graph);
    EXPECT_FALSE(again.cache_hit);
    EXPECT_EQ(again.plan_bytes, bytes);
    ASSERT_EQ(again.warnings.size(), 1u);
    EXPECT_TRUE(again.warnings[0].ends_with("; compiled again")) << again.warnings[0];
    EXPECT_TRUE(Compiled(graph).cache_hit);
  }
}

TEST_F(CompileTest, UnusableCacheIsOneWarning) {
  const std::string file = options_.cache_dir + "/file";
  std::ofstream(file) << "x";
  const std::string folder = options_.cache_dir;
  options_.cache_dir = file;
  const CompileResult result = Compiled(Example("causal_gqa"));
  EXPECT_FALSE(result.cache_hit);
  EXPECT_EQ(result.warnings, std::vector<std::string>{file + ": is not a directory; plans are not cached"});
  options_.cache_dir = folder;
}

TEST_F(CompileTest, ManyAtOnceAgree) {
  const Graph graph = Example("causal_gqa");
  std::vector<std::string> plans(3);
  std::vector<std::thread> threads;
  for (std::string& plan : plans) {
    threads.emplace_back([&] {
      const auto result = Compile(graph, options_);
      if (result.ok()) plan = result->plan_bytes;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(plans[0].empty());
  for (const std::string& plan : plans) EXPECT_EQ(plan, plans[0]);
}

TEST_F(CompileTest, ModuleAndGraphAreTheSamePlan) {
  const Graph graph = Example("causal_gqa");
  const CompileResult from_graph = Compiled(graph);
  const absl::StatusOr<std::string> text = EmitLayer(graph, "native", Precision::kF32, Layer::kHsa);
  ASSERT_TRUE(text.ok()) << text.status();
  const absl::StatusOr<CompileResult> from_module = CompileMlir(*text, "printed.mlir", options_);
  ASSERT_TRUE(from_module.ok()) << from_module.status();
  EXPECT_EQ(from_module->plan_bytes, from_graph.plan_bytes);
}

TEST_F(CompileTest, RefusesBeforeItCompiles) {
  Graph graph = Example("causal_gqa");
  options_.cpus = {"pentium9"};
  EXPECT_EQ(Compile(graph, options_).status().code(), absl::StatusCode::kInvalidArgument);
  options_.cpus = {"native"};
  graph.clear_nodes();
  EXPECT_EQ(std::string(Compile(graph, options_).status().message()).substr(0, 9), "graph_c7:");
  EXPECT_TRUE(fs::is_empty(options_.cache_dir));
}

TEST_F(CompileTest, PlanRunsInThisProcess) {
  const absl::StatusOr<Plan> plan = CompilePlan(Example("causal_gqa"), options_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->variant().name(), "native");
  for (const format::Stage& stage : plan->header().stages()) {
    if (stage.features_size() > 0) continue;  // in pairs of bf16, on processors that multiply them
    EXPECT_NE(plan->entry(stage.typed() ? stage.entry() + ".f32" : stage.entry()), nullptr) << stage.entry();
  }
}

TEST(EmitLayerTest, EveryLayerShowsItself) {
  const Graph graph = Example("causal_gqa");
  const struct {
    Layer layer;
    const char *has, *has_not;
  } kLayers[] = {
      {Layer::kHsa, "hsa.attention", "hsa.attend_fused"},
      {Layer::kStages, "hsa.attend_fused", "hsa.attention "},
      {Layer::kStructured, "memref<", "tensor<"},
      {Layer::kLlvm, "void @hsa_", "hsa.tile"},
      {Layer::kAssembly, "hsa_", "define "},
      {Layer::kObject,
       "\x7f"
       "ELF",
       "define "},
  };
  for (const auto& l : kLayers) {
    const absl::StatusOr<std::string> text = EmitLayer(graph, "x86-64-v3", Precision::kF32, l.layer);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_NE(text->find(l.has), std::string::npos) << l.has;
    EXPECT_EQ(text->find(l.has_not), std::string::npos) << l.has_not;
  }
}

}  // namespace
}  // namespace hsa::frontend
