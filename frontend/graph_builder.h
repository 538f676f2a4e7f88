// Graphs from C++, in the words of graph.proto:
//
//   absl::StatusOr<Graph> graph = GraphBuilder("causal_gqa")
//                                     .Input("q", {.heads = 3, .dim = 64})
//                                     .Input("k", {.heads = 1, .dim = 64})
//                                     .Input("v", {.heads = 1, .dim = 64})
//                                     .Attention({.query = "q", .key = "k", .value = "v", .output = "o"})
//                                     .Causal()
//                                     .Build();
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

struct InputShape {
  uint32_t heads = 0;
  uint32_t dim = 0;
  std::optional<uint64_t> tokens = std::nullopt;  // any length when not set
};

struct AttentionNames {
  std::string query, key, value, output;
  std::string lse = {};  // not returned when empty
};

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name);

  GraphBuilder& Input(std::string name, const InputShape& shape);
  GraphBuilder& Attention(const AttentionNames& names);

  // Of the attention added last; called before any attention, they make Build fail.
  GraphBuilder& Scale(double scale);
  GraphBuilder& Causal();
  GraphBuilder& SlidingWindow(uint64_t tokens, uint64_t sink_tokens = 0);  // causal too
  GraphBuilder& Order(uint32_t order);
  GraphBuilder& Theta(double theta);
  GraphBuilder& Tolerance(double error, double confidence);
  GraphBuilder& Splats(const frontend::Attention::Splats& splats);  // all of them at once

  // The graph, checked: INVALID_ARGUMENT as CheckGraph, FAILED_PRECONDITION names the call that came before any attention.
  absl::StatusOr<Graph> Build() const;

 private:
  // Where an option goes; a place that Build never reads when there is no attention yet.
  frontend::Attention& Last(const char* call);

  Graph graph_;
  frontend::Attention nowhere_;
  std::string too_early_;  // the first such call
};

}  // namespace hsa::frontend
