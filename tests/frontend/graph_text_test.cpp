#include "frontend/graph_text.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "frontend/check_graph.h"

namespace hsa::frontend {
namespace {

struct Mistake {
  const char* name;
  const char* text;
  const char* message;
};

const Mistake kMistakes[] = {
    {"slip_of_the_pen", "name: \"g\"\nnodes {\n  attention {\n    mask { causl: true }\n  }\n}\n",
     "g.textproto:4:12: unknown field 'causl' in attention.mask; did you mean 'causal'?"},
    {"nothing_near", "nmae: \"g\"\nwindow: 3\n",
     "g.textproto:1:1: unknown field 'nmae' in graph"},  // two swapped letters are two edits of four
    {"name_before_line_break", "inputs {\n  head\n  : 3 }", "g.textproto:2:3: unknown field 'head' in tensor; did you mean 'heads'?"},
    {"tabs_count_as_bytes", "inputs {\n\t\thead: 3 }", "g.textproto:2:3: unknown field 'head' in tensor; did you mean 'heads'?"},
    {"of_a_later_version", "nodes { attention { splats { budget: 0.05 } } }",
     "g.textproto:1:30: field 'budget' of attention.splats is not in this version; leave it out"},
    {"wrong_type", "inputs { heads: \"3\" }", "g.textproto:1:17: expected integer, got: \"3\""},
    {"negative", "inputs { heads: -3 }", "g.textproto:1:17: expected integer, got: -"},
    {"too_large", "inputs { heads: 99999999999 }", "g.textproto:1:17: integer out of range (99999999999)"},
    {"twice", "name: \"a\"\nname: \"b\"", "g.textproto:2:5: non-repeated field \"name\" is specified multiple times"},
    {"cut_off", "nodes { attention {", "g.textproto:1:20: expected identifier, got: "},
    {"not_text",
     "\x7f"
     "ELF\x02",
     "g.textproto:1:1: "},
};

class GraphTextTest : public testing::TestWithParam<Mistake> {};

TEST_P(GraphTextTest, PointsAtTheMistake) {
  const absl::StatusOr<Graph> graph = ParseGraphText(GetParam().text, "g.textproto");
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(graph.status().message());
  EXPECT_EQ(message.substr(0, std::string(GetParam().message).size()), GetParam().message);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Mistakes, GraphTextTest, testing::ValuesIn(kMistakes), [](const auto& info) { return info.param.name; });

TEST(GraphTextTest, LargeTextIsRefusedUnread) {
  const absl::StatusOr<Graph> graph = ParseGraphText(std::string(kMaxGraphTextBytes + 1, ' '), "g.textproto");
  EXPECT_EQ(graph.status().message(), "g.textproto: graph is 1048577 bytes, at most 1048576 are read; is this the right file?");
}

TEST(GraphTextTest, DeepNestingIsRefused) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "nodes { attention { ";
  const absl::StatusOr<Graph> graph = ParseGraphText(text, "g.textproto");
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GraphTextTest, MissingFileIsNamed) {
  EXPECT_EQ(LoadGraphText("/nowhere/g.textproto").status().message(), "/nowhere/g.textproto: No such file or directory");
  EXPECT_EQ(LoadGraphText("/").status().message(), "/: is a directory, a file is wanted");
}

TEST(GraphTextTest, PrintedGraphReadsBack) {
  const absl::StatusOr<Graph> graph = LoadGraphText(std::string(HSA_SOURCE_DIR) + "/examples/sliding_window.textproto");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Graph> again = ParseGraphText(PrintGraphText(*graph), "printed");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(graph->SerializeAsString(), again->SerializeAsString());
}

TEST(GraphTextTest, EveryExampleLoads) {
  int examples = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::string(HSA_SOURCE_DIR) + "/examples")) {
    if (file.path().extension() != ".textproto") continue;
    const absl::StatusOr<Graph> graph = LoadGraphText(file.path());
    EXPECT_TRUE(graph.ok()) << graph.status();
    ++examples;
  }
  EXPECT_GE(examples, 3);
}

}  // namespace
}  // namespace hsa::frontend
