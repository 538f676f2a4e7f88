#include "tools/hsa_bench_capture.h"

#include <algorithm>

#include "frontend/graph_builder.h"
#include "frontend/jit.h"

namespace hsa::bench {

absl::StatusOr<std::unique_ptr<Capture>> OpenCapture(const std::string& path) {
  absl::StatusOr<TensorFile> file = TensorFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<TensorView> query = file->Get("q"), key = file->Get("k"), value = file->Get("v");
  for (const absl::StatusOr<TensorView>* tensor : {&query, &key, &value})
    if (!tensor->ok()) return tensor->status();
  const auto shape = [](const TensorView& tensor) {
    return frontend::InputShape{.heads = static_cast<uint32_t>(tensor.heads()), .dim = static_cast<uint32_t>(tensor.dim())};
  };
  const absl::StatusOr<frontend::Graph> graph = frontend::GraphBuilder("capture")
                                                    .Input("q", shape(*query))
                                                    .Input("k", shape(*key))
                                                    .Input("v", shape(*value))
                                                    .Attention({.query = "q", .key = "k", .value = "v", .output = "o"})
                                                    .Causal()
                                                    .Build();
  if (!graph.ok()) return graph.status();
  absl::StatusOr<Plan> plan = frontend::CompilePlan(*graph, {.precision = frontend::Precision::kF32, .cache_dir = {}});
  if (!plan.ok()) return plan.status();
  return std::make_unique<Capture>(Capture{*std::move(file), {*query, *key, *value}, *std::move(plan)});
}

TensorView Rows(const TensorView& tensor, int64_t first, int64_t count) {
  TensorView rows = tensor;
  rows.data = tensor.Row(0, first);
  rows.shape[1] = count;
  return rows;
}

Inputs Prefix(const Inputs& all, int64_t tokens) {
  const int64_t count = std::min(tokens, all.key.tokens());
  return {Rows(all.query, 0, count), Rows(all.key, 0, count), Rows(all.value, 0, count)};
}

Inputs LastQueries(const Inputs& all, int64_t queries) {
  return {Rows(all.query, all.query.tokens() - queries, queries), all.key, all.value};
}

OutputRows::OutputRows(const Inputs& inputs) {
  const int64_t heads = inputs.query.heads(), tokens = inputs.query.tokens(), dim = inputs.value.dim();
  rows.resize(heads * tokens * dim);
  outputs.o = {reinterpret_cast<std::byte*>(rows.data()), DType::kF32, {heads, tokens, dim}, {tokens * dim, dim, 1}};
}

}  // namespace hsa::bench
