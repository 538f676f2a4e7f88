// Graphs to layer-0 modules and back.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

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
