#include "frontend/graph_builder.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "frontend/check_graph.h"

namespace hsa::frontend {

GraphBuilder::GraphBuilder(std::string name) { graph_.set_name(std::move(name)); }

GraphBuilder& GraphBuilder::Input(std::string name, const InputShape& shape) {
  Tensor& input = *graph_.add_inputs();
  input.set_name(std::move(name));
  input.set_heads(shape.heads);
  input.set_dim(shape.dim);
  if (shape.tokens.has_value()) input.set_tokens(*shape.tokens);
  return *this;
}

GraphBuilder& GraphBuilder::Attention(const AttentionNames& names) {
  frontend::Attention& attention = *graph_.add_nodes()->mutable_attention();
  attention.set_query(names.query);
  attention.set_key(names.key);
  attention.set_value(names.value);
  attention.set_output(names.output);
  if (!names.lse.empty()) attention.set_lse(names.lse);
  return *this;
}

frontend::Attention& GraphBuilder::Last(const char* call) {
  if (graph_.nodes_size() > 0) return *graph_.mutable_nodes(graph_.nodes_size() - 1)->mutable_attention();
  if (too_early_.empty()) too_early_ = call;
  return nowhere_;
}

GraphBuilder& GraphBuilder::Scale(double scale) {
  Last("Scale").set_scale(scale);
  return *this;
}

GraphBuilder& GraphBuilder::Causal() {
  Last("Causal").mutable_mask()->set_causal(true);
  return *this;
}

GraphBuilder& GraphBuilder::SlidingWindow(uint64_t tokens, uint64_t sink_tokens) {
  frontend::Attention::Mask& mask = *Last("SlidingWindow").mutable_mask();
  mask.set_causal(true);
  mask.set_sliding_window(tokens);
  mask.set_sink_tokens(sink_tokens);
  return *this;
}

GraphBuilder& GraphBuilder::Order(uint32_t order) {
  Last("Order").mutable_splats()->set_order(order);
  return *this;
}

GraphBuilder& GraphBuilder::Tolerance(double error, double confidence) {
  Attention::Splats& splats = *Last("Tolerance").mutable_splats();
  splats.set_tolerance(error);
  splats.set_confidence(confidence);
  return *this;
}

GraphBuilder& GraphBuilder::Theta(double theta) {
  Last("Theta").mutable_splats()->set_theta(theta);
  return *this;
}

GraphBuilder& GraphBuilder::Splats(const frontend::Attention::Splats& splats) {
  *Last("Splats").mutable_splats() = splats;
  return *this;
}

absl::StatusOr<Graph> GraphBuilder::Build() const {
  if (!too_early_.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(too_early_, "() was called before any Attention(); call it after the attention it is for"));
  }
  if (absl::Status checked = CheckGraph(graph_); !checked.ok()) return checked;
  return graph_;
}

}  // namespace hsa::frontend
