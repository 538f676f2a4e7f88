#include "frontend/import_mlir.h"

#include <initializer_list>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "dialect/hsa_ops.h"
#include "frontend/check_graph.h"
#include "frontend/compiler_context.h"
#include "frontend/import_graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

namespace hsa::frontend {
namespace {

using namespace mlir;

template <typename... Words>
absl::Status refuse(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words...));
}

absl::StatusOr<func::FuncOp> onlyFunction(ModuleOp module) {
  func::FuncOp only;
  for (Operation& op : module.getBody()->getOperations()) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function || function.isExternal())
      return refuse("module_c1: module holds '", op.getName().getStringRef().str(), "'", function ? " without a body" : "",
                    ", wanted one function with a body and nothing else");
    if (only)
      return refuse("module_c1: module holds functions '", only.getName().str(), "' and '", function.getName().str(), "', wanted one");
    only = function;
  }
  if (!only) return refuse("module_c1: module is empty, wanted one function");
  return only;
}

// "hsa.name" where there is one, else `fallback`: module_c6.
absl::StatusOr<std::string> nameOf(Attribute name, llvm::StringRef fallback) {
  if (!name) return fallback.str();
  if (auto string = dyn_cast<StringAttr>(name)) return string.getValue().str();
  return refuse("module_c6: hsa.name of ", fallback.str(), " is not a string");
}

// Graphs keep sizes in 32 bits: module_c7.
absl::Status checkFits(llvm::StringRef what, std::initializer_list<int64_t> sizes) {
  for (const int64_t size : sizes) {
    if (size < 0 || size > std::numeric_limits<int32_t>::max())
      return refuse("module_c7: ", what.str(), " has a size of ", size, ", wanted less than 2^31");
  }
  return absl::OkStatus();
}

absl::Status addInput(Graph& graph, func::FuncOp function, Value operand, llvm::StringRef role, llvm::StringRef fallback,
                      std::string& reader) {
  auto argument = dyn_cast<BlockArgument>(operand);
  if (!argument) return refuse("module_c3: ", role.str(), " of the attention is no argument of the function");
  absl::StatusOr<std::string> name = nameOf(function.getArgAttr(argument.getArgNumber(), kNameAttr), fallback);
  if (!name.ok()) return name.status();
  reader = *name;
  auto type = cast<RankedTensorType>(operand.getType());
  if (type.isDynamicDim(0) || type.isDynamicDim(2))
    return refuse("module_c4: ", role.str(), " '", *name, "' has a dynamic number of heads or dim; only tokens may be '?'");
  if (!type.getElementType().isF32())
    return refuse("module_c4: ", role.str(), " '", *name, "' is not f32; write f32 here, the plan takes bf16 and f16 files as well");
  if (absl::Status fits = checkFits(*name, {type.getDimSize(0), type.getDimSize(2)}); !fits.ok()) return fits;
  Tensor& input = *graph.add_inputs();
  input.set_name(*name);
  input.set_heads(type.getDimSize(0));
  input.set_dim(type.getDimSize(2));
  if (!type.isDynamicDim(1)) input.set_tokens(type.getDimSize(1));
  return absl::OkStatus();
}

absl::Status addSplats(Attention::Splats& splats, ir::ConfigAttr config) {
  if (config.getLeafTokens() != kLeafTokens)
    return refuse("module_c5: leafTokens is ", config.getLeafTokens(), ", this version wants ", kLeafTokens);
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
    if (!isOutput && returned.get() != op.getLse()) return refuse("module_c3: the function returns what its attention did not make");
    absl::StatusOr<std::string> name = nameOf(function.getResultAttr(returned.getOperandNumber(), kNameAttr), isOutput ? "o" : "lse");
    if (!name.ok()) return name.status();
    graph.add_outputs(*name);
    isOutput ? attention.set_output(*name) : attention.set_lse(*name);
  }
  if (!attention.has_output()) return refuse("module_c3: the output of the attention is not returned");
  if (op.getLse() && !attention.has_lse()) return refuse("module_c3: the lse of the attention is not returned; return it or leave it out");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Graph> exportGraph(ModuleOp module) {
  absl::StatusOr<func::FuncOp> function = onlyFunction(module);
  if (!function.ok()) return function.status();
  if (!function->getBody().hasOneBlock() || !llvm::hasNItems(function->getBody().front(), 2) ||
      !isa<ir::AttentionOp>(function->getBody().front().front()))
    return refuse("module_c2: the body of '", function->getName().str(), "' is more or less than hsa.attention and return; ",
                  "this version compiles one attention per module");
  auto op = cast<ir::AttentionOp>(function->getBody().front().front());
  auto done = cast<func::ReturnOp>(function->getBody().front().back());

  Graph graph;
  graph.set_name(function->getName().str());
  Attention& attention = *graph.add_nodes()->mutable_attention();
  struct Role {
    Value operand;
    const char *role, *fallback;
    std::string* reader;
  };
  for (const Role& r :
       {Role{op.getQuery(), "query", "q", attention.mutable_query()}, Role{op.getKey(), "key", "k", attention.mutable_key()},
        Role{op.getValue(), "value", "v", attention.mutable_value()}}) {
    if (absl::Status added = addInput(graph, *function, r.operand, r.role, r.fallback, *r.reader); !added.ok()) return added;
  }
  if (function->getNumArguments() != 3)
    return refuse("module_c3: function '", function->getName().str(), "' has ", function->getNumArguments(),
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
  if (absl::Status added = addOutputs(graph, attention, *function, op, done); !added.ok()) return added;
  if (absl::Status checked = CheckGraph(graph); !checked.ok()) return checked;
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
