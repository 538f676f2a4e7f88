#include "frontend/build_plan.h"

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "frontend/compiler_context.h"
#include "frontend/import_graph.h"
#include "frontend/spelling.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "mlir/Pass/PassManager.h"
#include "passes/export/export_plan.h"
#include "passes/export/object.h"
#include "passes/export/target.h"
#include "passes/pipelines.h"

namespace hsa::frontend {
namespace {

using namespace mlir;

// One graph on its way down.
class Lowering {
 public:
  explicit Lowering(const Graph& graph)
      : where_(absl::StrCat("compiling '", graph.name(), "'")),
        context_(newContext()),
        diagnostic_(*context_),
        module_(importGraph(graph, *context_)) {}

  absl::Status run(const std::function<void(OpPassManager&)>& build) {
    PassManager pm(context_.get());
    pm.enableVerifier(false);  // hsa-verify-layer, inside the pipelines, is what is worth its time
    build(pm);
    if (failed(pm.run(*module_))) return diagnostic_.status(absl::StatusCode::kInternal, where_);
    return absl::OkStatus();
  }

  // The result of an export step, whose error may come beside a diagnostic that says more.
  template <typename T>
  absl::StatusOr<T> take(llvm::Expected<T> result) const {
    if (result) return std::move(*result);
    return absl::InternalError(absl::StrCat(where_, ": ", OneLine(llvm::toString(result.takeError()))));
  }

  ModuleOp module() { return *module_; }

 private:
  std::string where_;
  std::unique_ptr<MLIRContext> context_;
  FirstDiagnostic diagnostic_;
  OwningOpRef<ModuleOp> module_;
};

ir::Precision toIr(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return ir::Precision::kBf16;
    case Precision::kInt8:
      return ir::Precision::kInt8;
    case Precision::kStored:
      return ir::Precision::kStored;
    default:
      return ir::Precision::kF32;
  }
}

std::string print(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  stream << '\n';
  return text;
}

std::string print(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

// From the lowered module's only variant to LLVM IR, and on to code when that is asked for.
absl::StatusOr<std::string> emitVariant(Lowering& lowering, const std::string& cpu, Layer layer) {
  absl::StatusOr<ir::Target> target = lowering.take(ir::resolveTarget(cpu));
  if (!target.ok()) return target.status();
  const auto variants = lowering.module().getOps<ModuleOp>();
  if (variants.empty()) return absl::InternalError("the pipeline made no code");
  llvm::LLVMContext context;
  absl::StatusOr<std::unique_ptr<llvm::Module>> code = lowering.take(ir::translateVariant(*variants.begin(), *target, context));
  if (!code.ok()) return code.status();
  if (layer == Layer::kLlvm) return print(**code);
  return lowering.take(ir::emitCode(**code, *target, layer == Layer::kObject ? ir::CodeKind::kObject : ir::CodeKind::kAssembly));
}

}  // namespace

absl::StatusOr<std::string> BuildPlan(const Graph& graph, const std::vector<std::string>& cpus, Precision precision) {
  Lowering lowering(graph);
  std::string bytecode = ir::toBytecode(lowering.module());
  const absl::Status lowered =
      lowering.run([&](OpPassManager& pm) { ir::buildHsaCpuPipeline(pm, {.cpus = cpus, .precision = toIr(precision)}); });
  if (!lowered.ok()) return lowered;
  return lowering.take(ir::exportPlan(lowering.module(), std::move(bytecode)));
}

absl::StatusOr<std::string> EmitLayer(const Graph& graph, const std::string& cpu, Precision precision, Layer layer) {
  Lowering lowering(graph);
  const absl::Status lowered = lowering.run([&](OpPassManager& pm) {
    if (layer == Layer::kHsa) return;
    if (layer == Layer::kStages) return ir::buildStagesPipeline(pm, toIr(precision));
    if (layer == Layer::kStructured) return ir::buildStructuredPipeline(pm, toIr(precision));
    ir::buildHsaCpuPipeline(pm, {.cpus = {cpu}, .precision = toIr(precision)});
  });
  if (!lowered.ok()) return lowered;
  if (layer == Layer::kHsa || layer == Layer::kStages || layer == Layer::kStructured) return print(lowering.module());
  return emitVariant(lowering, cpu, layer);
}

}  // namespace hsa::frontend
