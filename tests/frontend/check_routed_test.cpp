// The constraints of graph.proto on a node of scheme routed.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "frontend/check_graph.h"
#include "frontend/check_levels.h"
#include "frontend/graph_text.h"

namespace hsa::frontend {
namespace {

Graph ValidGraph() {
  absl::StatusOr<Graph> graph = ParseGraphText(R"(
    name: "g"
    inputs { name: "q" heads: 4 dim: 64 } inputs { name: "k" heads: 2 dim: 64 } inputs { name: "v" heads: 2 dim: 96 }
    inputs { name: "up" heads: 2 dim: 16 } inputs { name: "expand" heads: 2 dim: 3 } inputs { name: "compress" heads: 2 dim: 4 tokens: 3 }
    inputs { name: "w" heads: 2 dim: 64 } inputs { name: "b" heads: 2 dim: 1 }
    inputs { name: "c" heads: 2 dim: 64 } inputs { name: "s" heads: 2 dim: 64 } inputs { name: "a" heads: 2 dim: 1 tokens: 20 }
    nodes { routed { query: "q" key: "k" value: "v" output: "o" center: "c" variance: "s" amplitude: "a"
                     levels { name: "token" splats: 16 } levels { splats: 4 weight: 0.5 }
                     links { from: 0 to: 1 weight: "up" } links { from: 1 to: 0 expand: "expand" compress: "compress" }
                     gate_weight: "w" gate_bias: "b" } })",
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
    {"c24_center_dim", [](Graph& g) { g.mutable_inputs(8)->set_dim(1); }, "graph_c24: input 'c' is [2, S, 1], wanted [2, 20, 64]: "},
    {"c24_variance_dim", [](Graph& g) { g.mutable_inputs(9)->set_dim(65); },
     "graph_c24: input 's' is [2, S, 65], wanted [2, 20, 64, 1 or a number of bands of which none is empty]: "},
    {"c24_empty_band", [](Graph& g) { g.mutable_inputs(9)->set_dim(30); },
     "graph_c24: input 's' is [2, S, 30], wanted [2, 20, 64, 1 or a number of bands of which none is empty]: "},
    {"c24_heads", [](Graph& g) { g.mutable_inputs(9)->set_heads(4); },
     "graph_c24: input 's' is [4, S, 64], wanted [2, 20, 64, 1 or a number of bands of which none is empty]: "},
    {"c24_tokens", [](Graph& g) { g.mutable_inputs(10)->set_tokens(19); }, "graph_c24: input 'a' is [2, 19, 1], wanted [2, 20, 1]: "},
    {"c25_no_level", [](Graph& g) { Of(g).clear_levels(); }, "graph_c25: routed has 0 levels, wanted 1 to 16"},
    {"c25_no_splat", [](Graph& g) { Of(g).mutable_levels(0)->clear_splats(); },
     "graph_c25: level 0 'token' has 0 splats, wanted 1 or more"},
    {"c25_many_splats", [](Graph& g) { Of(g).mutable_levels(1)->set_splats(65536); },
     "graph_c25: level 1 'phrase' has 65536 splats, wanted"},
    {"c25_weight", [](Graph& g) { Of(g).mutable_levels(1)->set_weight(0); },
     "graph_c25: level 1 'phrase' has weight 0, wanted a finite number > 0"},
    {"c25_weight_nan", [](Graph& g) { Of(g).mutable_levels(0)->set_weight(std::numeric_limits<double>::quiet_NaN()); },
     "graph_c25: level 0 'token' has weight nan"},
    {"c8_unknown_link", [](Graph& g) { Of(g).mutable_links(0)->set_weight("down"); },
     "graph_c8: weight of link 0 of the attention is 'down', which is no input"},
    {"c9_link_twice", [](Graph& g) { Of(g).mutable_links(1)->set_expand("up"); },
     "graph_c9: expand of link 1 of the attention is 'up', which it reads already"},
    {"c26_no_level", [](Graph& g) { Of(g).mutable_links(0)->set_to(2); },
     "graph_c26: link 0 leads from level 0 to level 2, wanted two of 2"},
    {"c26_itself", [](Graph& g) { Of(g).mutable_links(1)->set_to(1); }, "graph_c26: link 1 leads from level 1 to level 1, wanted two of 2"},
    {"c26_half", [](Graph& g) { Of(g).mutable_links(1)->clear_compress(), g.mutable_inputs()->DeleteSubrange(5, 1); },
     "graph_c26: link 1 has no weight, an expand; wanted a weight, or expand and compress"},
    {"c26_many",
     [](Graph& g) {
       while (Of(g).links_size() < 65) Of(g).add_links();
     },
     "graph_c26: routed has 65 links, wanted at most 64"},
    {"c27_half", [](Graph& g) { Of(g).clear_gate_bias(); }, "graph_c27: a gate has gate_weight and gate_bias, gate_bias is missing"},
    {"c27_dim", [](Graph& g) { g.mutable_inputs(6)->set_dim(16); }, "graph_c27: input 'w' is [2, S, 16], wanted [2, 2, 64]"},
    {"c27_bias", [](Graph& g) { g.mutable_inputs(7)->set_tokens(3); }, "graph_c27: input 'b' is [2, 3, 1], wanted [2, 2, 1]"},
    {"c28_weight", [](Graph& g) { g.mutable_inputs(3)->set_dim(4); }, "graph_c28: input 'up' is [2, S, 4], wanted [2, 4, 16]"},
    {"c28_expand", [](Graph& g) { g.mutable_inputs(4)->set_tokens(4); }, "graph_c28: input 'expand' is [2, 4, 3], wanted [2, 16, 3]"},
    {"c28_compress", [](Graph& g) { g.mutable_inputs(4)->set_dim(5); }, "graph_c28: input 'compress' is [2, 3, 4], wanted [2, 5, 4]"},
    {"c30_top", [](Graph& g) { Of(g).mutable_sparse()->set_top(0); }, "graph_c30: sparse has top 0, wanted 1 to 64 splats of a level; "},
    {"c30_top_many", [](Graph& g) { Of(g).mutable_sparse()->set_top(65); }, "graph_c30: sparse has top 65, wanted 1 to 64"},
    {"c31_threshold", [](Graph& g) { Of(g).mutable_sparse()->set_threshold(1); }, "graph_c31: sparse has threshold 1, wanted more than 0"},
};

Routed::Adapt& Adapting(Graph& g) {
  Of(g).set_causal(true);
  return *Of(g).mutable_adapt();
}

// The coarse level of a graph without links and gate, whose fine one has 64 splats.
Routed::Level& Fewer(Graph& g) {
  Of(g).clear_links(), Of(g).clear_gate_weight(), Of(g).clear_gate_bias();
  g.mutable_inputs()->DeleteSubrange(3, 5);
  g.mutable_inputs(5)->clear_tokens();
  Of(g).mutable_levels(0)->set_splats(64);
  return *Of(g).mutable_levels(1);
}

const Refusal kLevels[] = {
    {"c62_empty", [](Graph& g) { Of(g).mutable_levels(1)->set_name(" \t "); },
     "graph_c62: level 1 has the name ' \\x09 ', wanted 1 to 64 printable ASCII characters without a quote; leave it out for 'phrase'"},
    {"c62_long", [](Graph& g) { Of(g).mutable_levels(1)->set_name(std::string(65, 'x')); }, "graph_c62: level 1 has the name 'xxx"},
    {"c62_line_end", [](Graph& g) { Of(g).mutable_levels(1)->set_name("a\nb"); }, "graph_c62: level 1 has the name 'a\\x0ab'"},
    {"c62_quote", [](Graph& g) { Of(g).mutable_levels(1)->set_name("it's"); }, "graph_c62: level 1 has the name 'it's', wanted"},
    {"c62_twice", [](Graph& g) { Of(g).mutable_levels(1)->set_name(" token"); },
     "graph_c62: two levels have the name 'token'; give them different ones"},
    {"c62_default", [](Graph& g) { Of(g).mutable_levels(0)->set_name("phrase"); },
     "graph_c62: two levels have the name 'phrase', one because it was given none; give them different ones"},
    {"c63_zero", [](Graph& g) { Fewer(g).set_value_dim(0); },
     "graph_c63: level 1 'phrase' has value_dim 0, wanted 96, or a multiple of 16 below it: a level keeps no more than a finer one"},
    {"c63_more", [](Graph& g) { Fewer(g).set_value_dim(112); }, "graph_c63: level 1 'phrase' has value_dim 112, wanted 96, or a multiple"},
    {"c63_odd", [](Graph& g) { Fewer(g).set_value_dim(20); }, "graph_c63: level 1 'phrase' has value_dim 20, wanted 96, or a multiple"},
    {"c63_finer", [](Graph& g) { Fewer(g).set_value_dim(64), Of(g).mutable_levels(0)->set_value_dim(32); },
     "graph_c63: level 1 'phrase' has value_dim 64, wanted 32, or a multiple of 16 below it"},
    {"c63_place", [](Graph& g) { Fewer(g).set_value_dim(32), Of(g).mutable_levels(0)->set_splats(16); },
     "graph_c63: level 1 'phrase' keeps fewer value dims and begins at splat 16, wanted a multiple of 64; "},
    {"c63_sparse", [](Graph& g) { Fewer(g).set_value_dim(20), Of(g).mutable_sparse(); },
     "graph_c63: level 1 'phrase' has value_dim 20, wanted 96, or a multiple of 16"},
    {"c65_causal", [](Graph& g) { Of(g).mutable_adapt(); }, "graph_c65: adapt: the graph is not causal, whose tokens all send before any"},
    {"c65_room", [](Graph& g) { Adapting(g).set_least_splats(5); },
     "graph_c65: adapt: least_splats is 5, but level 1 'phrase' has room for 4; keep fewer, or give the level more"},
    {"c65_segment", [](Graph& g) { Adapting(g).set_segment_tokens(1000); },
     "graph_c65: adapt: segment_tokens is 1000, wanted a multiple of 256, at most 1048576"},
    {"c65_events", [](Graph& g) { Adapting(g).set_most_events(4097); }, "graph_c65: adapt: most_events is 4097, wanted 0..4096"},
    {"c65_history", [](Graph& g) { Adapting(g).set_history(0); }, "graph_c65: adapt: history is 0, wanted 1..1024 segments"},
    {"c65_memory", [](Graph& g) { Adapting(g).set_memory(1); }, "graph_c65: adapt: memory is 1, wanted 0 or more, less than 1"},
    {"c65_cover", [](Graph& g) { Adapting(g).set_cover(0); }, "graph_c65: adapt: cover is 0, wanted more than 0, less than 10000"},
    {"c90_size", [](Graph& g) { Of(g).set_causal(true), Of(g).set_window(1000); }, "graph_c90: window is 1000, wanted a multiple of 512"},
    {"c90_causal", [](Graph& g) { Of(g).set_window(512); }, "graph_c90: window: the graph is not causal"},
    {"c90_adapt", [](Graph& g) { Adapting(g), Of(g).set_window(512); }, "graph_c90: window: splats that adapt are not taken back"},
    {"c90_threshold", [](Graph& g) { Of(g).set_causal(true), Of(g).set_window(512), Of(g).mutable_sparse()->set_threshold(0.1); },
     "graph_c90: window: the graph has sparse { threshold }"},
    {"c65_gain", [](Graph& g) { Adapting(g).set_gain(0.5); }, "graph_c65: adapt: gain is 0.5, wanted 1 or more"},
    {"c65_asleep", [](Graph& g) { Adapting(g).set_asleep(2); },
     "graph_c65: adapt: asleep is 2, wanted less than 2, the levels of the graph: one stays awake"},
    {"c65_level_tokens", [](Graph& g) { Adapting(g).set_level_tokens(uint64_t{1} << 41); },
     "graph_c65: adapt: level_tokens is 2199023255552, wanted 0.."},
    {"c65_level_residual", [](Graph& g) { Adapting(g).set_level_residual(-1); },
     "graph_c65: adapt: level_residual is -1, wanted more than 0"},
    {"c65_level_gain", [](Graph& g) { Adapting(g).set_level_gain(1); }, "graph_c65: adapt: level_gain is 1, wanted 0 or more, less than 1"},
    {"c65_weight_bound", [](Graph& g) { Adapting(g).set_weight_bound(0); }, "graph_c65: adapt: weight_bound is 0, wanted 1..1024"},
    {"c65_observed", [](Graph& g) { Adapting(g).set_level_gain(0.1), Adapting(g).set_what(Routed::Adapt::OBSERVE); },
     "graph_c65: adapt: level_gain changes levels, and what is observed stays as it is"},
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
  graph.mutable_inputs(9)->set_dim(1);  // isotropic
  graph.mutable_inputs(8)->set_tokens(20);
  Of(graph).set_causal(true);
  EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
  Of(graph).clear_links(), Of(graph).clear_gate_weight(), Of(graph).clear_gate_bias();
  graph.mutable_inputs()->DeleteSubrange(3, 5);
  Of(graph).mutable_sparse()->set_threshold(0.01);
  EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
}

TEST(CheckRoutedTest, LevelsAreCalledByTheirPlace) {
  Graph graph = ValidGraph();
  Of(graph).mutable_levels(0)->set_name("  word ");
  while (Of(graph).levels_size() < 16) Of(graph).add_levels()->set_splats(1);
  std::vector<std::string> names;
  const Graph full = WithDefaults(graph);
  for (const Routed::Level& level : full.nodes(0).routed().levels()) names.push_back(level.name());
  EXPECT_EQ(names, (std::vector<std::string>{"word", "phrase", "section", "document", "chapter", "book", "level 6", "level 7", "level 8",
                                             "level 9", "level 10", "level 11", "level 12", "level 13", "level 14", "level 15"}));
}

TEST(CheckRoutedTest, LevelsKeepFewerValueDims) {
  Graph graph = ValidGraph();
  Fewer(graph).set_value_dim(32);
  EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
  Of(graph).add_levels()->set_splats(1);  // as many as the level before
  EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
  EXPECT_EQ(ValueDims(Of(graph), 96), (std::vector<int64_t>{96, 32, 32}));
}

TEST(CheckRoutedTest, AdaptIsWrittenOut) {
  Graph graph = ValidGraph();
  Adapting(graph).set_memory(0.5);
  EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
  const Graph full = WithDefaults(graph);
  EXPECT_EQ(full.nodes(0).routed().adapt().memory(), 0.5);
  EXPECT_TRUE(full.nodes(0).routed().adapt().has_segment_tokens());
  EXPECT_EQ(full.nodes(0).routed().adapt().segment_tokens(), 4096u);
  EXPECT_TRUE(full.nodes(0).routed().adapt().has_weight_bound());
  EXPECT_EQ(full.nodes(0).routed().adapt().level_tokens(), 1024u);
}

// An input of `tokens` rows as the splats' factor.
Tensor& AddFactor(Graph& g, uint64_t tokens) {
  Of(g).set_factor("f");
  Tensor& factor = *g.add_inputs();
  factor.set_name("f"), factor.set_heads(2), factor.set_dim(64), factor.set_tokens(tokens);
  return factor;
}

// An input as the factor of full covariances, in place of the variance.
Tensor& AddCholesky(Graph& g) {
  Of(g).clear_variance(), Of(g).set_cholesky("s");
  return *g.mutable_inputs(9);
}

const Refusal kCovariances[] = {
    {"c8_unknown_factor", [](Graph& g) { Of(g).set_factor("f"); }, "graph_c8: factor of the attention is 'f', which is no input"},
    {"c9_factor_twice", [](Graph& g) { Of(g).set_factor("c"); }, "graph_c9: factor of the attention is 'c', which it reads already"},
    {"c60_no_tokens", [](Graph& g) { AddFactor(g, 40).clear_tokens(); }, "graph_c60: input 'f' is [2, ?, 64], wanted [2, 20·R, 64] with R"},
    {"c60_rows", [](Graph& g) { AddFactor(g, 41); }, "graph_c60: input 'f' is [2, 41, 64], wanted [2, 20·R, 64] with R from 1 to 16; "},
    {"c60_many_rows", [](Graph& g) { AddFactor(g, 340); },
     "graph_c60: input 'f' is [2, 340, 64], wanted [2, 20·R, 64] with R from 1 to 16"},
    {"c60_dim", [](Graph& g) { AddFactor(g, 40).set_dim(32); }, "graph_c60: input 'f' is [2, 40, 32], wanted [2, 20·R, 64]"},
    {"c60_heads", [](Graph& g) { AddFactor(g, 40).set_heads(4); }, "graph_c60: input 'f' is [4, 40, 64], wanted [2, 20·R, 64]"},
    {"c61_rows", [](Graph& g) { AddCholesky(g).set_tokens(20); }, "graph_c61: input 's' is [2, 20, 64], wanted [2, 1280, 64]: 64 rows"},
    {"c61_dim", [](Graph& g) { AddCholesky(g).set_dim(1); }, "graph_c61: input 's' is [2, ?, 1], wanted [2, 1280, 64]"},
    {"c61_factor", [](Graph& g) { AddCholesky(g), AddFactor(g, 40); }, "graph_c61: routed has cholesky and factor, wanted cholesky alone"},
    {"c61_variance", [](Graph& g) { AddFactor(g, 1280), Of(g).clear_factor(), Of(g).set_cholesky("f"); },
     "graph_c61: routed has cholesky and variance, wanted cholesky alone"},
};
INSTANTIATE_TEST_SUITE_P(Levels, CheckRoutedTest, testing::ValuesIn(kLevels), [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Covariances, CheckRoutedTest, testing::ValuesIn(kCovariances), [](const auto& info) { return info.param.name; });

TEST(CheckRoutedTest, AcceptsCovariances) {
  Graph bands = ValidGraph(), low_rank = ValidGraph(), full = ValidGraph();
  bands.mutable_inputs(9)->set_dim(8);
  AddFactor(low_rank, 320), AddCholesky(full);
  for (const Graph& graph : {bands, low_rank, full}) EXPECT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
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
