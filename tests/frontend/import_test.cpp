// Graphs to layer-0 modules and back.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "dialect/hsa_ops.h"
#include "frontend/check_graph.h"
#include "frontend/compiler_context.h"
#include "frontend/graph_text.h"
#include "frontend/import_graph.h"
#include "frontend/import_mlir.h"
#include "mlir/IR/Verifier.h"

namespace hsa::frontend {
namespace {

std::string Print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

Graph Example(const std::string& name) {
  absl::StatusOr<Graph> graph = LoadGraphText(std::string(HSA_SOURCE_DIR) + "/examples/" + name + ".textproto");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.value_or(Graph());
}

TEST(ImportGraphTest, WritesOutWhatTheGraphMeans) {
  const std::unique_ptr<mlir::MLIRContext> context = newContext();
  const auto module = importGraph(Example("causal_gqa"), *context);
  ASSERT_TRUE(mlir::succeeded(mlir::verify(*module)));
  const std::string text = Print(*module);
  for (const char* part : {
           R"(func.func @causal_gqa(%arg0: tensor<3x?x64xf32> {hsa.name = "q"}, %arg1: tensor<1x?x64xf32> {hsa.name = "k"}, )",
           R"(%arg2: tensor<1x?x64xf32> {hsa.name = "v"}) -> (tensor<3x?x64xf32> {hsa.name = "o"}, tensor<3x?xf32> {hsa.name = "lse"}))",
           "hsa.attention %arg0, %arg1, %arg2 {",
           "mask = #hsa.mask<causal = true>",
           "scale = 1.250000e-01 : f64",
       }) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
  }
}

TEST(ImportGraphTest, WritesOutRouted) {
  const std::unique_ptr<mlir::MLIRContext> context = newContext();
  const auto module = importGraph(Example("routed"), *context);
  ASSERT_TRUE(mlir::succeeded(mlir::verify(*module)));
  const std::string text = Print(*module);
  for (const char* part : {
           R"(%arg3: tensor<1x80x64xf32> {hsa.name = "center"}, %arg4: tensor<1x80x64xf32> {hsa.name = "variance"}, )",
           "hsa.routed_attention %arg0, %arg1, %arg2 splats %arg3, %arg4 amplitude %arg5 {",
           "causal",
           "levels = array<i64: 64, 16>",
           "weights = array<f64: 1.000000e+00, 5.000000e-01>",
           R"(names = ["token", "section"])",
       }) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
  }
}

// Module and text say the same graph, examples and odd ones.
TEST(ImportGraphTest, RoundTrips) {
  std::vector<Graph> graphs = {Example("causal_gqa"), Example("sliding_window"), Example("cross_attention")};
  Graph odd = Example("causal_gqa");
  odd.mutable_inputs(0)->set_tokens(7);
  odd.mutable_inputs(1)->set_tokens(9);
  odd.mutable_inputs(0)->set_name("model.layers.3/q-proj");
  odd.mutable_nodes(0)->mutable_attention()->set_query("model.layers.3/q-proj");
  odd.mutable_nodes(0)->mutable_attention()->mutable_splats()->set_segment_tokens(4096);
  odd.mutable_nodes(0)->mutable_attention()->mutable_splats()->set_theta(1e-3);
  graphs.push_back(odd);
  for (const Graph& graph : graphs) {
    const std::unique_ptr<mlir::MLIRContext> context = newContext();
    const auto module = importGraph(graph, *context);
    const absl::StatusOr<Graph> back = ParseMlir(Print(*module), "printed.mlir");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(WithDefaults(*back).DebugString(), WithDefaults(graph).DebugString());
  }
}

// The graphs of scheme routed that a textproto can say.
Graph RoutedGraph(const std::string& text) {
  absl::StatusOr<Graph> graph = ParseGraphText(text, "odd.textproto");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.value_or(Graph());
}
Graph Covariance(const char* inputs, const char* fields) {
  return RoutedGraph(absl::StrCat(R"(name: "odd" inputs { name: "keys" heads: 2 dim: 16 } inputs { name: "c" heads: 2 tokens: 12 dim: 16 }
    inputs { name: "q" heads: 4 dim: 16 } inputs { name: "v" heads: 2 dim: 8 } )",
                                  inputs, R"(
    nodes { routed { query: "q" key: "keys" value: "v" output: "out" center: "c" levels { splats: 9 weight: 0.25 } levels { splats: 3 } )",
                                  fields, " } }"));
}

std::vector<Graph> RoutedGraphs() {
  std::vector<Graph> graphs = {Example("routed"), Example("routed_flow")};
  graphs.push_back(Covariance(R"(inputs { name: "s" heads: 2 tokens: 12 dim: 4 })", R"(variance: "s" causal: true)"));
  graphs.push_back(Covariance(R"(inputs { name: "l" heads: 2 tokens: 192 dim: 16 })", R"(cholesky: "l")"));
  graphs.push_back(Covariance(R"(inputs { name: "f" heads: 2 tokens: 24 dim: 16 } inputs { name: "s" heads: 2 tokens: 12 dim: 1 })",
                              R"(variance: "s" factor: "f" sparse { top: 3 threshold: 0.125 })"));
  graphs.push_back(Covariance(R"(inputs { name: "s" heads: 2 tokens: 12 dim: 16 })",
                              R"(variance: "s" causal: true adapt { what: OBSERVE least_splats: 2 gain: 3 memory: 0.25 })"));
  graphs.push_back(
      Covariance(R"(inputs { name: "s" heads: 2 tokens: 12 dim: 16 })",
                 R"(variance: "s" causal: true adapt { level_tokens: 77 level_residual: 0.75 level_gain: 0.125 weight_bound: 3 })"));
  graphs.push_back(
      Covariance(R"(inputs { name: "s" heads: 2 tokens: 12 dim: 1 })", R"(variance: "s" causal: true sparse { top: 3 } window: 1536)"));
  graphs.push_back(RoutedGraph(
      R"(name: "few" inputs { name: "q" heads: 2 dim: 16 } inputs { name: "k" heads: 2 dim: 16 } inputs { name: "v" heads: 2 dim: 48 }
    inputs { name: "c" heads: 2 dim: 16 } inputs { name: "s" heads: 2 dim: 1 }
    nodes { routed { query: "q" key: "k" value: "v" output: "o" center: "c" variance: "s" levels { name: "words" splats: 64 value_dim: 48 } levels { splats: 3 value_dim: 16 } } })"));
  return graphs;
}

TEST(ImportGraphTest, RoutedRoundTrips) {
  for (const Graph& graph : RoutedGraphs()) {
    const std::unique_ptr<mlir::MLIRContext> context = newContext();
    const std::string text = Print(*importGraph(graph, *context));
    const absl::StatusOr<Graph> back = ParseMlir(text, "printed.mlir");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(Print(*importGraph(*back, *context)), text);
    Graph sized = WithDefaults(graph), back_sized = WithDefaults(*back);  // a module tells how many splats a tensor has
    for (Graph* of : {&sized, &back_sized})
      for (Tensor& input : *of->mutable_inputs()) input.clear_tokens();
    EXPECT_EQ(back_sized.DebugString(), sized.DebugString());
  }
}

TEST(ImportMlirTest, TakesTheShortFormOfRouted) {
  const absl::StatusOr<Graph> graph = ParseMlir(R"(
    func.func @short(%q: tensor<4x?x32xf32>, %k: tensor<2x?x32xf32>, %v: tensor<2x?x48xf32>, %c: tensor<2x12x32xf32>, %s: tensor<2x12x1xf32>,
                     %u: tensor<2x3x9xf32>, %e: tensor<2x9x2xf32>, %f: tensor<2x2x3xf32>) -> tensor<4x?x48xf32> {
      %l = hsa.links %u, %e, %f {levels = array<i64: 9, 3>, from = array<i64: 0, 1>, to = array<i64: 1, 0>, ranks = array<i64: 0, 2>}
          : (tensor<2x3x9xf32>, tensor<2x9x2xf32>, tensor<2x2x3xf32>) -> tensor<2x12x12xf32>
      %o = hsa.routed_attention %q, %k, %v splats %c, %s link %l {levels = array<i64: 9, 3>, weights = array<f64: 1.0, 2.0>}
          : (tensor<4x?x32xf32>, tensor<2x?x32xf32>, tensor<2x?x48xf32>, tensor<2x12x32xf32>, tensor<2x12x1xf32>, tensor<2x12x12xf32>)
          -> tensor<4x?x48xf32>
      return %o : tensor<4x?x48xf32>
    })",
                                                "short.mlir");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const Routed& routed = graph->nodes(0).routed();
  EXPECT_EQ(routed.center(), "center");
  EXPECT_EQ(routed.variance(), "variance");
  EXPECT_EQ(routed.links(0).weight(), "link_0_weight");
  EXPECT_EQ(routed.links(1).expand(), "link_1_expand");
  EXPECT_EQ(routed.links(1).compress(), "link_1_compress");
  EXPECT_EQ(graph->outputs(0), "o");
  EXPECT_FALSE(routed.causal());
}

TEST(ImportMlirTest, TakesTheShortForm) {
  const absl::StatusOr<Graph> graph = ParseMlir(R"(
    func.func @short(%q: tensor<4x?x32xf32>, %k: tensor<2x?x32xf32>, %v: tensor<2x?x48xf32>) -> tensor<4x?x48xf32> {
      %o = hsa.attention %q, %k, %v : (tensor<4x?x32xf32>, tensor<2x?x32xf32>, tensor<2x?x48xf32>) -> tensor<4x?x48xf32>
      return %o : tensor<4x?x48xf32>
    })",
                                                "short.mlir");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes(0).attention().query(), "q");
  EXPECT_EQ(graph->outputs(0), "o");
  EXPECT_FALSE(graph->nodes(0).attention().has_lse());
  EXPECT_FALSE(graph->nodes(0).attention().splats().has_theta());
}

struct Refusal {
  const char* name;
  const char* text;
  const char* message;
};

#define HSA_QKV "%q: tensor<4x?x32xf32>, %k: tensor<2x?x32xf32>, %v: tensor<2x?x32xf32>"
#define HSA_TYPES "(tensor<4x?x32xf32>, tensor<2x?x32xf32>, tensor<2x?x32xf32>) -> tensor<4x?x32xf32>"

#define HSA_SPLATS "%c: tensor<2x4x32xf32>, %s: tensor<2x4x32xf32>"
#define HSA_ROUTED "hsa.routed_attention %q, %k, %v splats %c, %s "
#define HSA_LEVELS "levels = array<i64: 3, 1>, weights = array<f64: 1.0, 1.0>"
#define HSA_ROUTED_TYPES "tensor<4x?x32xf32>, tensor<2x?x32xf32>, tensor<2x?x32xf32>, tensor<2x4x32xf32>, tensor<2x4x32xf32>"

const Refusal kRefusals[] = {
    {"no_mlir", "func.func @f( {", "f.mlir:1:14: expected"},
    {"not_verified",
     "func.func @f(" HSA_QKV ") -> tensor<4x?x32xf32> {\n"
     "  %o = hsa.attention %q, %k, %v {mask = #hsa.mask<slidingWindow = 5>} : " HSA_TYPES "\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir:2:"},
    {"c1_empty", "", "f.mlir: module_c1: module is empty"},
    {"c1_declaration", "func.func private @f()", "f.mlir: module_c1: module holds 'func.func' without a body"},
    {"c1_two", "func.func @f() { return }\nfunc.func @g() { return }", "f.mlir: module_c1: module holds functions 'f' and 'g'"},
    {"c2_no_attention", "func.func @f() { return }", "f.mlir: module_c2: the body of 'f'"},
    {"c3_extra_argument",
     "func.func @f(%x: f32, " HSA_QKV ") -> tensor<4x?x32xf32> {\n %o = hsa.attention %q, %k, %v : " HSA_TYPES
     "\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c3: function 'f' has 4 arguments"},
    {"c3_not_returned", "func.func @f(" HSA_QKV ") {\n %o = hsa.attention %q, %k, %v : " HSA_TYPES "\n return\n}",
     "f.mlir: module_c3: the output of the attention is not returned"},
    {"c3_argument_returned",
     "func.func @f(" HSA_QKV ") -> tensor<4x?x32xf32> {\n %o = hsa.attention %q, %k, %v : " HSA_TYPES
     "\n return %q : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c3: the function returns what its attention did not make"},
    {"c4_dynamic_heads",
     "func.func @f(%q: tensor<?x?x32xf32>, %k: tensor<2x?x32xf32>, %v: tensor<2x?x32xf32>) -> tensor<?x?x32xf32> {\n"
     "  %o = hsa.attention %q, %k, %v : (tensor<?x?x32xf32>, tensor<2x?x32xf32>, tensor<2x?x32xf32>) -> tensor<?x?x32xf32>\n"
     "  return %o : tensor<?x?x32xf32>\n}",
     "f.mlir: module_c4: query 'q' has a dynamic number of heads or dim"},
    {"c4_bf16",
     "func.func @f(%q: tensor<2x?x32xbf16>, %k: tensor<2x?x32xbf16>, %v: tensor<2x?x32xbf16>) -> tensor<2x?x32xf32> {\n"
     "  %o = hsa.attention %q, %k, %v : (tensor<2x?x32xbf16>, tensor<2x?x32xbf16>, tensor<2x?x32xbf16>) -> tensor<2x?x32xf32>\n"
     "  return %o : tensor<2x?x32xf32>\n}",
     "f.mlir: module_c4: query 'q' is not f32"},
    {"c5_leaf",
     "func.func @f(" HSA_QKV
     ") -> tensor<4x?x32xf32> {\n %o = hsa.attention %q, %k, %v {config = #hsa.config<leafTokens = 64>} : " HSA_TYPES
     "\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c5: leafTokens is 64, this version wants 16"},
    {"c6_name",
     "func.func @f(%q: tensor<2x?x32xf32> {hsa.name = 3}, %k: tensor<2x?x32xf32>, %v: tensor<2x?x32xf32>) -> tensor<2x?x32xf32> {\n"
     "  %o = hsa.attention %q, %k, %v : (tensor<2x?x32xf32>, tensor<2x?x32xf32>, tensor<2x?x32xf32>) -> tensor<2x?x32xf32>\n"
     "  return %o : tensor<2x?x32xf32>\n}",
     "f.mlir: module_c6: hsa.name of q is not a string"},
    {"c7_huge",
     "func.func @f(" HSA_QKV ") -> tensor<4x?x32xf32> {\n"
     "  %o = hsa.attention %q, %k, %v {config = #hsa.config<nearSinkTokens = 4294967300>} : " HSA_TYPES
     "\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c7: config has a size of 4294967300"},
    {"c3_routed_extra_argument",
     "func.func @f(" HSA_QKV ", " HSA_SPLATS ", %x: tensor<2x4x1xf32>) -> tensor<4x?x32xf32> {\n %o = " HSA_ROUTED "{" HSA_LEVELS
     "} : (" HSA_ROUTED_TYPES ") -> tensor<4x?x32xf32>\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c3: function 'f' has 6 arguments, its attention reads 5"},
    {"c3_routed_not_returned",
     "func.func @f(" HSA_QKV ", " HSA_SPLATS ") {\n %o = " HSA_ROUTED "{" HSA_LEVELS "} : (" HSA_ROUTED_TYPES
     ") -> tensor<4x?x32xf32>\n return\n}",
     "f.mlir: module_c3: the function returns 0 values, wanted the output of its attention alone"},
    {"c80_link_argument",
     "func.func @f(" HSA_QKV ", " HSA_SPLATS ", %l: tensor<2x4x4xf32>) -> tensor<4x?x32xf32> {\n %o = " HSA_ROUTED "link %l {" HSA_LEVELS
     "} : (" HSA_ROUTED_TYPES ", tensor<2x4x4xf32>) -> tensor<4x?x32xf32>\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c80: link of the attention is not made by hsa.links"},
    {"c80_other_levels",
     "func.func @f(" HSA_QKV ", " HSA_SPLATS ", %u: tensor<2x2x2xf32>) -> tensor<4x?x32xf32> {\n"
     " %l = hsa.links %u {levels = array<i64: 2, 2>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>} : "
     "(tensor<2x2x2xf32>) -> "
     "tensor<2x4x4xf32>\n %o = " HSA_ROUTED "link %l {" HSA_LEVELS "} : (" HSA_ROUTED_TYPES
     ", tensor<2x4x4xf32>) -> tensor<4x?x32xf32>\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c80: hsa.links has other levels than the attention that reads it"},
    {"c81_read_twice",
     "func.func @f(" HSA_QKV ", " HSA_SPLATS ") -> tensor<4x?x32xf32> {\n %o = hsa.routed_attention %q, %k, %v splats %c, %c {" HSA_LEVELS
     "} : (" HSA_ROUTED_TYPES ") -> tensor<4x?x32xf32>\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: module_c81: argument 3 is read as center and as variance; wanted one argument for each"},
    {"graph_constraint_of_routed",
     "func.func @f(" HSA_QKV ", %c: tensor<2x70000x32xf32>, %s: tensor<2x70000x32xf32>) -> tensor<4x?x32xf32> {\n"
     " %o = " HSA_ROUTED "{levels = array<i64: 70000>, weights = array<f64: 1.0>} : (tensor<4x?x32xf32>, tensor<2x?x32xf32>, "
     "tensor<2x?x32xf32>, tensor<2x70000x32xf32>, tensor<2x70000x32xf32>) -> tensor<4x?x32xf32>\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: graph_c25: level 0 'token' has 70000 splats"},
    {"graph_constraint",
     "func.func @f(" HSA_QKV ") -> tensor<4x?x32xf32> {\n"
     "  %o = hsa.attention %q, %k, %v {scale = -1.0 : f64} : " HSA_TYPES "\n return %o : tensor<4x?x32xf32>\n}",
     "f.mlir: graph_c14: scale is -1"},
};

class ImportMlirRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(ImportMlirRefusals, NamesTheConstraint) {
  const absl::StatusOr<Graph> graph = ParseMlir(GetParam().text, "f.mlir");
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(graph.status().message());
  EXPECT_EQ(message.substr(0, std::string(GetParam().message).size()), GetParam().message) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Constraints, ImportMlirRefusals, testing::ValuesIn(kRefusals), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hsa::frontend
