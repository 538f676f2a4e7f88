// The constraints of graph.proto on a node of scheme routed.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "frontend/check_graph.h"
#include "frontend/graph_text.h"

namespace hsa::frontend {
namespace {

Graph ValidGraph() {
  absl::StatusOr<Graph> graph = ParseGraphText(R"(
    name: "g"
    inputs { name: "q" heads: 4 dim: 64 } inputs { name: "k" heads: 2 dim: 64 } inputs { name: "v" heads: 2 dim: 96 }
    inputs { name: "c" heads: 2 dim: 64 } inputs { name: "s" heads: 2 dim: 64 } inputs { name: "a" heads: 2 dim: 1 tokens: 20 }
    nodes { routed { query: "q" key: "k" value: "v" output: "o" center: "c" variance: "s" amplitude: "a"
                     levels { name: "token" splats: 16 } levels { splats: 4 weight: 0.5 } } })",
                                               "g.textproto");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.value_or(Graph());
}

Routed& Of(Graph& graph) { return *graph.mutable_nodes(0)->mutable_routed(); }

struct Refusal {
  const char* name;
  std::function<void(Graph&)> spoil;
  const char* message;  // how it begins
};

const Refusal kRefusals[] = {
    {"c8_no_center", [](Graph& g) { Of(g).clear_center(); }, "graph_c8: attention has no center; set it to an input: 'q', 'k'"},
    {"c8_unknown_variance", [](Graph& g) { Of(g).set_variance("t"); }, "graph_c8: variance of the attention is 't', which is no input"},
    {"c9_twice", [](Graph& g) { Of(g).set_variance("c"); }, "graph_c9: variance of the attention is 'c', which it reads already"},
    {"c10_heads", [](Graph& g) { g.mutable_inputs(2)->set_heads(4); }, "graph_c10: key 'k' has 2 heads, value 'v' has 4"},
    {"c12_dim", [](Graph& g) { g.mutable_inputs(0)->set_dim(32); }, "graph_c12: query 'q' has dim 32, key 'k' has 64"},
    {"c21_unread", [](Graph& g) { Of(g).clear_amplitude(); }, "graph_c21: no node reads input 'a'"},
    {"c24_center_dim", [](Graph& g) { g.mutable_inputs(3)->set_dim(1); }, "graph_c24: input 'c' is [2, S, 1], wanted [2, 20, 64]: "},
    {"c24_variance_dim", [](Graph& g) { g.mutable_inputs(4)->set_dim(8); }, "graph_c24: input 's' is [2, S, 8], wanted [2, 20, 64 or 1]: "},
    {"c24_heads", [](Graph& g) { g.mutable_inputs(4)->set_heads(4); }, "graph_c24: input 's' is [4, S, 64], wanted [2, 20, 64 or 1]: "},
    {"c24_tokens", [](Graph& g) { g.mutable_inputs(5)->set_tokens(19); }, "graph_c24: input 'a' is [2, 19, 1], wanted [2, 20, 1]: "},
    {"c25_no_level", [](Graph& g) { Of(g).clear_levels(); }, "graph_c25: routed has 0 levels, wanted 1 to 16"},
    {"c25_no_splat", [](Graph& g) { Of(g).mutable_levels(0)->clear_splats(); },
     "graph_c25: 'token' (level 0) has 0 splats, wanted 1 or more"},
    {"c25_many_splats", [](Graph& g) { Of(g).mutable_levels(1)->set_splats(65536); }, "graph_c25: level 1 has 65536 splats, wanted"},
    {"c25_weight", [](Graph& g) { Of(g).mutable_levels(1)->set_weight(0); }, "graph_c25: level 1 has weight 0, wanted a finite number > 0"},
    {"c25_weight_nan", [](Graph& g) { Of(g).mutable_levels(0)->set_weight(std::numeric_limits<double>::quiet_NaN()); },
     "graph_c25: 'token' (level 0) has weight nan"},
    {"c30_top", [](Graph& g) { Of(g).mutable_sparse()->set_top(0); }, "graph_c30: sparse has top 0, wanted 1 to 64 splats of a level; "},
    {"c30_top_many", [](Graph& g) { Of(g).mutable_sparse()->set_top(65); }, "graph_c30: sparse has top 65, wanted 1 to 64"},
    {"c31_threshold", [](Graph& g) { Of(g).mutable_sparse()->set_threshold(1); }, "graph_c31: sparse has threshold 1, wanted more than 0"},
};

class CheckRoutedTest : public testing::TestWithParam<Refusal> {};
INSTANTIATE_TEST_SUITE_P(Refusals, CheckRoutedTest, testing::ValuesIn(kRefusals), [](const auto& info) { return info.param.name; });

TEST_P(CheckRoutedTest, Names) {
  Graph graph = ValidGraph();
  GetParam().spoil(graph);
  const std::string message(CheckGraph(graph).message());
  EXPECT_EQ(message.substr(0, std::string(GetParam().message).size()), GetParam().message);
}

TEST(CheckRoutedTest, AcceptsWhatTheContractAllows) {
  Graph graph = ValidGraph();
  EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
  graph.mutable_inputs(4)->set_dim(1);  // isotropic
  graph.mutable_inputs(3)->set_tokens(20);
  Of(graph).set_causal(true);
  Of(graph).mutable_sparse()->set_threshold(0.01);
  EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
}

// Two spellings of one graph share a cache entry.
TEST(CheckRoutedTest, DefaultsAreWrittenOut) {
  Graph graph = ValidGraph();
  Of(graph).mutable_sparse();
  const Graph full = WithDefaults(graph);
  EXPECT_EQ(full.nodes(0).routed().sparse().top(), 8u);
  EXPECT_TRUE(full.nodes(0).routed().sparse().has_top());
  EXPECT_TRUE(full.nodes(0).routed().has_causal());
  EXPECT_TRUE(full.nodes(0).routed().levels(0).has_weight());
  EXPECT_EQ(full.outputs(0), "o");
}

}  // namespace
}  // namespace hsa::frontend
