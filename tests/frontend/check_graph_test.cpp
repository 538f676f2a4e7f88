#include "frontend/check_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "frontend/graph_builder.h"

namespace hsa::frontend {
namespace {

Graph ValidGraph() {
  Graph graph;
  graph.set_name("g");
  for (const char* name : {"q", "k", "v"}) {
    Tensor& input = *graph.add_inputs();
    input.set_name(name);
    input.set_heads(name[0] == 'q' ? 4 : 2);
    input.set_dim(name[0] == 'v' ? 96 : 64);
  }
  Attention& attention = *graph.add_nodes()->mutable_attention();
  attention.set_query("q");
  attention.set_key("k");
  attention.set_value("v");
  attention.set_output("o");
  return graph;
}

Attention& Of(Graph& graph) { return *graph.mutable_nodes(0)->mutable_attention(); }

struct Refusal {
  const char* name;
  std::function<void(Graph&)> spoil;
  const char* message;  // how it begins
};

const double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

const Refusal kRefusals[] = {
    {"c1_no_name", [](Graph& g) { g.clear_name(); }, "graph_c1: name of the graph is ''"},
    {"c1_digit_first", [](Graph& g) { g.set_name("2nd"); }, "graph_c1: name of the graph is '2nd'"},
    {"c1_too_long", [](Graph& g) { g.set_name(std::string(129, 'a')); }, "graph_c1: "},
    {"c2_input_without_name", [](Graph& g) { g.add_inputs()->set_heads(1); }, "graph_c2: an input has no name"},
    {"c2_newline", [](Graph& g) { g.mutable_inputs(0)->set_name("q\n"); }, "graph_c2: an input is named 'q\\x0a'"},
    {"c2_not_utf8", [](Graph& g) { g.mutable_inputs(0)->set_name("\xff"); }, "graph_c2: "},
    {"c2_no_output", [](Graph& g) { Of(g).clear_output(); }, "graph_c2: the output of the attention has no name"},
    {"c2_empty_lse", [](Graph& g) { Of(g).set_lse(""); }, "graph_c2: the lse of the attention has no name"},
    {"c3_two_inputs", [](Graph& g) { g.mutable_inputs(1)->set_name("q"); }, "graph_c3: two tensors are named 'q'"},
    {"c3_output_is_input", [](Graph& g) { Of(g).set_output("v"); }, "graph_c3: two tensors are named 'v'; rename the output"},
    {"c3_lse_is_output", [](Graph& g) { Of(g).set_lse("o"); }, "graph_c3: two tensors are named 'o'; rename the lse"},
    {"c4_no_heads", [](Graph& g) { g.mutable_inputs(0)->clear_heads(); }, "graph_c4: input 'q' has 0 heads, wanted 1 to 4096"},
    {"c4_many_heads", [](Graph& g) { g.mutable_inputs(0)->set_heads(4098); }, "graph_c4: input 'q' has 4098 heads"},
    {"c5_dim", [](Graph& g) { g.mutable_inputs(2)->set_dim(1025); }, "graph_c5: input 'v' has dim 1025, wanted 1 to 1024"},
    {"c6_tokens", [](Graph& g) { g.mutable_inputs(0)->set_tokens(0); }, "graph_c6: input 'q' has 0 tokens"},
    {"c7_no_node", [](Graph& g) { g.clear_nodes(); }, "graph_c7: the graph has 0 nodes; this version compiles one attention"},
    {"c7_two_nodes", [](Graph& g) { *g.add_nodes() = g.nodes(0); }, "graph_c7: the graph has 2 nodes; "},
    {"c7_empty_node", [](Graph& g) { g.mutable_nodes(0)->clear_attention(); }, "graph_c7: the node is empty; "},
    {"c8_no_query", [](Graph& g) { Of(g).clear_query(); }, "graph_c8: attention has no query; set it to an input: 'q', 'k', 'v'"},
    {"c8_unknown", [](Graph& g) { g.mutable_inputs(1)->set_name("keys"), Of(g).set_key("key"); },
     "graph_c8: key of the attention is 'key', which is no input of the graph; did you mean 'keys'?"},
    {"c8_nothing_near", [](Graph& g) { Of(g).set_key("values"); },
     "graph_c8: key of the attention is 'values', which is no input of the graph; its inputs are 'q', 'k', 'v'"},
    {"c9_same", [](Graph& g) { Of(g).set_value("k"); }, "graph_c9: query, key and value of the attention are 'q', 'k' and 'k'"},
    {"c10_heads", [](Graph& g) { g.mutable_inputs(2)->set_heads(1); }, "graph_c10: key 'k' has 2 heads, value 'v' has 1"},
    {"c11_group", [](Graph& g) { g.mutable_inputs(0)->set_heads(5); },
     "graph_c11: query 'q' has 5 heads, not a multiple of the 2 of key 'k'"},
    {"c12_dim", [](Graph& g) { g.mutable_inputs(1)->set_dim(32); }, "graph_c12: query 'q' has dim 64, key 'k' has 32"},
    {"c13_values", [](Graph& g) { g.mutable_inputs(1)->set_tokens(9), g.mutable_inputs(2)->set_tokens(8); },
     "graph_c13: key 'k' has 9 tokens"},
    {"c13_queries", [](Graph& g) { g.mutable_inputs(0)->set_tokens(9), g.mutable_inputs(2)->set_tokens(8); },
     "graph_c13: query 'q' has 9 tokens"},
    {"c14_zero", [](Graph& g) { Of(g).set_scale(0); }, "graph_c14: scale is 0"},
    {"c14_infinite", [](Graph& g) { Of(g).set_scale(kInf); }, "graph_c14: scale is inf"},
    {"c15_not_causal", [](Graph& g) { Of(g).mutable_mask()->set_sliding_window(5); },
     "graph_c15: sliding_window is 5 but the mask is not causal"},
    {"c15_too_long", [](Graph& g) { Of(g).mutable_mask()->set_sliding_window(~0ull); },
     "graph_c15: sliding_window is 18446744073709551615"},
    {"c16_sinks", [](Graph& g) { Of(g).mutable_mask()->set_sink_tokens(4); }, "graph_c16: sink_tokens is 4 without a sliding_window"},
    {"c17_order", [](Graph& g) { Of(g).mutable_splats()->set_order(1); }, "graph_c17: order is 1, wanted 0"},
    {"c18_zero", [](Graph& g) { Of(g).mutable_splats()->set_theta(0); }, "graph_c18: theta is 0"},
    {"c18_nan", [](Graph& g) { Of(g).mutable_splats()->set_theta(kNan); }, "graph_c18: theta is nan"},
    {"c19_mini_zero", [](Graph& g) { Of(g).mutable_splats()->set_mini_segment_tokens(0); }, "graph_c19: mini_segment_tokens is 0"},
    {"c19_mini_512", [](Graph& g) { Of(g).mutable_splats()->set_mini_segment_tokens(512); }, "graph_c19: mini_segment_tokens is 512"},
    {"c19_mini_is_leaf", [](Graph& g) { Of(g).mutable_splats()->set_mini_segment_tokens(16); }, "graph_c19: mini_segment_tokens is 16"},
    {"c19_segment", [](Graph& g) { Of(g).mutable_splats()->set_segment_tokens(3072); }, "graph_c19: segment_tokens is 3072"},
    {"c19_segment_is_mini", [](Graph& g) { Of(g).mutable_splats()->set_segment_tokens(1024); }, "graph_c19: segment_tokens is 1024"},
    {"c19_segment_of_2_minis", [](Graph& g) { Of(g).mutable_splats()->set_segment_tokens(2048); },
     "graph_c19: segment_tokens is 2048, wanted 4, 8 or 16 times mini_segment_tokens 1024, at most 1048576; write 8192"},
    {"c19_segment_of_32_minis", [](Graph& g) { Of(g).mutable_splats()->set_segment_tokens(32768); }, "graph_c19: segment_tokens is 32768"},
    {"c19_segment_too_long",
     [](Graph& g) { Of(g).mutable_splats()->set_mini_segment_tokens(1u << 18), Of(g).mutable_splats()->set_segment_tokens(1u << 21); },
     "graph_c19: segment_tokens is 2097152"},
    {"c19_window", [](Graph& g) { Of(g).mutable_splats()->set_window_tokens(512); }, "graph_c19: window_tokens is 512"},
    {"c19_window_of_2_minis", [](Graph& g) { Of(g).mutable_splats()->set_window_tokens(2048); },
     "graph_c19: window_tokens is 2048, wanted mini_segment_tokens 1024; "},
    {"c19_wide_tile", [](Graph& g) { Of(g).mutable_splats()->set_tile_queries(256); },
     "graph_c19: tile_queries is 256, wanted 16 to 128, a divisor of window_tokens 1024; "},
    {"c19_narrow_tile", [](Graph& g) { Of(g).mutable_splats()->set_tile_queries(8); }, "graph_c19: tile_queries is 8, wanted 16 to 128"},
    {"c19_tile", [](Graph& g) { Of(g).mutable_splats()->set_tile_queries(48); }, "graph_c19: tile_queries is 48"},
    {"c19_tile_zero", [](Graph& g) { Of(g).mutable_splats()->set_tile_queries(0); }, "graph_c19: tile_queries is 0"},
    {"c19_sinks", [](Graph& g) { Of(g).mutable_splats()->set_near_sink_tokens(1025); }, "graph_c19: near_sink_tokens is 1025"},
    {"c20_unknown", [](Graph& g) { g.add_outputs("p"); }, "graph_c20: outputs lists 'p', which no node makes"},
    {"c20_input", [](Graph& g) { g.add_outputs("q"); }, "graph_c20: outputs lists 'q', which no node makes"},
    {"c20_twice", [](Graph& g) { g.add_outputs("o"), g.add_outputs("o"); }, "graph_c20: outputs lists 'o' twice"},
    {"c20_forgotten", [](Graph& g) { g.add_outputs("o"), Of(g).set_lse("lse"); },
     "graph_c20: the attention makes 'lse', which outputs does not list"},
    {"c21_unread", [](Graph& g) { *g.add_inputs() = g.inputs(0), g.mutable_inputs(3)->set_name("bias"); },
     "graph_c21: no node reads input 'bias'"},
    {"c23_tolerance", [](Graph& g) { Of(g).mutable_splats()->set_tolerance(1); },
     "graph_c23: tolerance is 1, wanted more than 0, less than 1"},
    {"c23_confidence", [](Graph& g) { Of(g).mutable_splats()->set_confidence(0); },
     "graph_c23: confidence is 0, wanted more than 0, less than 1"},
    {"c23_both", [](Graph& g) { Of(g).mutable_splats()->set_tolerance(0.1), Of(g).mutable_splats()->set_theta(0.1); },
     "graph_c23: theta is given beside tolerance, wanted one of them"},
    {"c22_bands", [](Graph& g) { Of(g).mutable_splats()->set_bands(0); }, "graph_c22: bands is 0, wanted 1 to 64"},
};

class CheckGraphTest : public testing::TestWithParam<Refusal> {};

TEST_P(CheckGraphTest, Refuses) {
  Graph graph = ValidGraph();
  ASSERT_TRUE(CheckGraph(graph).ok()) << CheckGraph(graph);
  GetParam().spoil(graph);
  const absl::Status status = CheckGraph(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_EQ(message.substr(0, std::string(GetParam().message).size()), GetParam().message);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Constraints, CheckGraphTest, testing::ValuesIn(kRefusals), [](const auto& info) { return info.param.name; });

TEST(CheckGraphTest, DefaultsWrittenOutChangeNothing) {
  Graph graph = ValidGraph();
  const Graph full = WithDefaults(graph);
  EXPECT_TRUE(CheckGraph(full).ok()) << CheckGraph(full);
  EXPECT_DOUBLE_EQ(full.nodes(0).attention().scale(), 0.125);
  EXPECT_EQ(full.nodes(0).attention().splats().segment_tokens(), 8192u);
  ASSERT_EQ(full.outputs_size(), 1);
  EXPECT_EQ(full.outputs(0), "o");
  // A graph that says what the defaults say is the same graph.
  Of(graph).set_scale(0.125);
  Of(graph).mutable_splats()->set_order(2);
  graph.add_outputs("o");
  EXPECT_EQ(WithDefaults(graph).SerializeAsString(), full.SerializeAsString());
}

TEST(GraphBuilderTest, BuildsWhatTheTextSays) {
  const absl::StatusOr<Graph> graph = GraphBuilder("g")
                                          .Input("q", {.heads = 4, .dim = 64})
                                          .Input("k", {.heads = 2, .dim = 64, .tokens = 4096})
                                          .Input("v", {.heads = 2, .dim = 96})
                                          .Attention({.query = "q", .key = "k", .value = "v", .output = "o", .lse = "lse"})
                                          .SlidingWindow(1024, 4)
                                          .Scale(0.5)
                                          .Order(0)
                                          .Theta(0.01)
                                          .Build();
  ASSERT_TRUE(graph.ok()) << graph.status();
  Graph expected = ValidGraph();
  expected.mutable_inputs(1)->set_tokens(4096);
  Of(expected).set_lse("lse");
  Of(expected).set_scale(0.5);
  Of(expected).mutable_mask()->set_causal(true);
  Of(expected).mutable_mask()->set_sliding_window(1024);
  Of(expected).mutable_mask()->set_sink_tokens(4);
  Of(expected).mutable_splats()->set_order(0);
  Of(expected).mutable_splats()->set_theta(0.01);
  EXPECT_EQ(graph->SerializeAsString(), expected.SerializeAsString());
}

TEST(GraphBuilderTest, RefusesWhatTheCheckRefuses) {
  EXPECT_EQ(GraphBuilder("g").Build().status().message().substr(0, 9), "graph_c7:");
  EXPECT_EQ(GraphBuilder("g").Causal().Theta(1).Build().status().message(),
            "Causal() was called before any Attention(); call it after the attention it is for");
}

}  // namespace
}  // namespace hsa::frontend
