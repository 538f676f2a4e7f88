#include "frontend/import_mlir.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "dialect/hsa_ops.h"
#include "frontend/check_graph.h"
#include "frontend/compiler_context.h"
#include "frontend/export_routed.h"
#include "frontend/import_graph.h"
#include "frontend/module_tensors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

namespace hsa::frontend {
namespace {

using namespace mlir;

absl::StatusOr<func::FuncOp> onlyFunction(ModuleOp module) {
  func::FuncOp only;
  for (Operation& op : module.getBody()->getOperations()) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function || function.isExternal())
      return refuseModule("module_c1: module holds '", op.getName().getStringRef().str(), "'", function ? " without a body" : "",
                          ", wanted one function with a body and nothing else");
    if (only)
      return refuseModule("module_c1: module holds functions '", only.getName().str(), "' and '", function.getName().str(),
                          "', wanted one");
    only = function;
  }
  if (!only) return refuseModule("module_c1: module is empty, wanted one function");
  return only;
}

absl::Status addSplats(Attention::Splats& splats, ir::ConfigAttr config) {
  if (config.getLeafTokens() != kLeafTokens)
    return refuseModule("module_c5: leafTokens is ", config.getLeafTokens(), ", this version wants ", kLeafTokens);
  absl::Status fits = checkFits("config", {config.getOrder(), config.getNearSinkTokens(), config.getWindowTokens(), config.getTileQueries(),
                                           config.getMiniSegmentTokens(), config.getSegmentTokens(), config.getBands()});
  if (!fits.ok()) return fits;
  splats.set_order(config.getOrder());
  if (config.getTheta()) splats.set_theta(config.getTheta().getValueAsDouble());
  splats.set_near_sink_tokens(config.getNearSinkTokens());
  splats.set_window_tokens(config.getWindowTokens());
  splats.set_tile_queries(config.getTileQueries());
  splats.set_mini_segment_tokens(config.getMiniSegmentTokens());
  splats.set_segment_tokens(config.getSegmentTokens());
  splats.set_bands(config.getBands());
  if (config.getTolerance()) splats.set_tolerance(config.getTolerance().getValueAsDouble());
  if (config.getConfidence()) splats.set_confidence(config.getConfidence().getValueAsDouble());
  splats.set_query_order(config.getQueryOrder() == ir::QueryOrder::Position ? Attention::POSITION : Attention::CONTENT);
  return absl::OkStatus();
}

absl::Status addOutputs(Graph& graph, Attention& attention, func::FuncOp function, ir::AttentionOp op, func::ReturnOp done) {
  for (OpOperand& returned : done->getOpOperands()) {
    const bool isOutput = returned.get() == op.getOutput();
    if (!isOutput && returned.get() != op.getLse()) return refuseModule("module_c3: the function returns what its attention did not make");
    absl::StatusOr<std::string> name = nameOf(function.getResultAttr(returned.getOperandNumber(), kNameAttr), isOutput ? "o" : "lse");
    if (!name.ok()) return name.status();
    graph.add_outputs(*name);
    isOutput ? attention.set_output(*name) : attention.set_lse(*name);
  }
  if (!attention.has_output()) return refuseModule("module_c3: the output of the attention is not returned");
  if (op.getLse() && !attention.has_lse())
    return refuseModule("module_c3: the lse of the attention is not returned; return it or leave it out");
  return absl::OkStatus();
}

absl::StatusOr<Graph> exportAttention(func::FuncOp function, ir::AttentionOp op, func::ReturnOp done) {
  Graph graph;
  graph.set_name(function.getName().str());
  Attention& attention = *graph.add_nodes()->mutable_attention();
  for (const Role& role :
       {Role{op.getQuery(), "query", "q", attention.mutable_query()}, Role{op.getKey(), "key", "k", attention.mutable_key()},
        Role{op.getValue(), "value", "v", attention.mutable_value()}}) {
    if (absl::Status added = addInput(graph, function, role); !added.ok()) return added;
  }
  if (function.getNumArguments() != 3)
    return refuseModule("module_c3: function '", function.getName().str(), "' has ", function.getNumArguments(),
                        " arguments, wanted query, key and value");
  if (auto scale = op.getScaleAttr()) attention.set_scale(scale.getValueAsDouble());
  if (auto mask = op.getMaskAttr()) {
    attention.mutable_mask()->set_causal(mask.getCausal());
    attention.mutable_mask()->set_sliding_window(mask.getSlidingWindow());
    attention.mutable_mask()->set_sink_tokens(mask.getSinkTokens());
  }
  if (auto config = op.getConfigAttr()) {
    if (absl::Status added = addSplats(*attention.mutable_splats(), config); !added.ok()) return added;
  }
  if (absl::Status added = addOutputs(graph, attention, function, op, done); !added.ok()) return added;
  return graph;
}

// One attention of either scheme, before it at most the hsa.links that a routed one reads, and return behind it.
absl::StatusOr<Graph> exportFunction(func::FuncOp function) {
  const auto more = [&] {
    return refuseModule("module_c2: the body of '", function.getName().str(), "' is more or less than hsa.attention and return; ",
                        "this version compiles one attention per module");
  };
  if (!function.getBody().hasOneBlock()) return more();
  Block& body = function.getBody().front();
  Operation* first = &body.front();
  const bool links = isa<ir::LinksOp>(first);
  if (!llvm::hasNItems(body, links ? 3 : 2)) return more();
  auto done = cast<func::ReturnOp>(body.back());
  if (auto op = dyn_cast<ir::RoutedAttentionOp>(links ? first->getNextNode() : first)) return exportRouted(function, op, done);
  if (auto op = dyn_cast<ir::AttentionOp>(first)) return exportAttention(function, op, done);
  return more();
}

}  // namespace

absl::StatusOr<Graph> exportGraph(ModuleOp module) {
  absl::StatusOr<func::FuncOp> function = onlyFunction(module);
  if (!function.ok()) return function.status();
  absl::StatusOr<Graph> graph = exportFunction(*function);
  if (!graph.ok()) return graph.status();
  if (absl::Status checked = CheckGraph(*graph); !checked.ok()) return checked;
  return graph;
}

absl::StatusOr<Graph> ParseMlir(std::string_view text, const std::string& path) {
  const std::unique_ptr<MLIRContext> context = newContext();
  FirstDiagnostic diagnostic(*context);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, ParserConfig(context.get()), path);
  if (!module) return diagnostic.status(absl::StatusCode::kInvalidArgument, path);
  absl::StatusOr<Graph> graph = exportGraph(*module);
  if (!graph.ok()) return absl::Status(graph.status().code(), absl::StrCat(path, ": ", std::string(graph.status().message())));
  return graph;
}

}  // namespace hsa::frontend
