#include "passes/export/export_plan.h"

#include <span>

#include "llvm/Config/llvm-config.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/ThreadPool.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/export/arena.h"
#include "passes/export/image.h"
#include "passes/export/object.h"
#include "passes/export/partition.h"
#include "passes/export/schedule.h"
#include "passes/passes.h"
#include "passes/schedule_params.h"
#include "runtime/format/check_plan.h"
#include "runtime/format/plan_file.h"

namespace hsa::ir {

#define GEN_PASS_DEF_EXPORTPLANPASS
#include "passes/passes.h.inc"

using namespace mlir;  // NOLINT

namespace {

llvm::Expected<std::string> compilePart(const Part& part, const Target& target) {
  llvm::LLVMContext context;
  auto module = translatePart(part, target, context);
  if (!module) return module.takeError();
  return emitCode(**module, target, CodeKind::kObject);
}

// One object per part, on as many threads as the machine has cores. MLIR is only read here.
llvm::Expected<std::vector<std::string>> compileParts(const std::vector<Part>& parts, const Target& target) {
  std::vector<std::string> objects(parts.size()), problems(parts.size());
  llvm::DefaultThreadPool threads(llvm::hardware_concurrency(parts.size()));
  for (size_t i = 0; i < parts.size(); ++i)
    threads.async([&, i] {
      if (auto object = compilePart(parts[i], target))
        objects[i] = std::move(*object);
      else
        problems[i] = llvm::toString(object.takeError());
    });
  threads.wait();
  for (const std::string& problem : problems)
    if (!problem.empty()) return llvm::createStringError(problem);
  return objects;
}

llvm::Expected<std::string> exportVariant(ModuleOp module, const Target& target, format::Variant& out) {
  auto objects = compileParts(partition(module), target);
  if (!objects) return objects.takeError();
  auto image = linkImage(*objects);
  if (!image) return image.takeError();
  out.set_name(target.name);
  out.set_triple(target.triple);
  out.set_isa(std::string(target.tile.isa));
  out.set_tile(std::to_string(target.tile.rows) + "x" + std::to_string(target.tile.lanes * target.tile.vectors));
  llvm::SmallVector<llvm::StringRef> features;
  llvm::StringRef(target.tile.features).split(features, ',');
  if (target.tile.pairs == PairUnit::kDot && llvm::any_of(module.getOps<func::FuncOp>(), [](auto f) {
        auto wanted = f->template getAttrOfType<StringAttr>("hsa.features");
        return wanted && wanted.getValue() == StringRef(kDotFeatures);
      }))
    features.push_back(kDotFeatures);  // of the variant: no system refuses it, as some refuse tiles
  for (llvm::StringRef feature : features) out.add_features(feature.str());
  for (const ImageEntry& entry : image->entries) {
    format::Entry& added = *out.add_entries();
    added.set_name(entry.name);
    added.set_offset(entry.offset);
  }
  return std::move(image->bytes);
}

struct ExportPlanPass : impl::ExportPlanPassBase<ExportPlanPass> {
  using ExportPlanPassBase::ExportPlanPassBase;

  void runOnOperation() override {
    if (file.empty()) {
      getOperation().emitError("hsa-export-plan: no file given; write --hsa-export-plan=file=FILE.hsaplan");
      return signalPassFailure();
    }
    llvm::Expected<std::string> bytes = exportPlan(getOperation(), /*bytecode=*/"");
    if (!bytes) {
      getOperation().emitError(llvm::toString(bytes.takeError()));
      return signalPassFailure();
    }
    // A config says more than a plan can: windows of several mini-segments, leaves of 8 keys.
    if (absl::Status status = format::CheckPlan(std::as_bytes(std::span(*bytes)), file).status(); !status.ok()) {
      getOperation().emitError(std::string(status.message()));
      return signalPassFailure();
    }
    if (absl::Status status = format::WritePlanFile(file, *bytes); !status.ok()) {
      getOperation().emitError(std::string(status.message()));
      return signalPassFailure();
    }
  }
};

}  // namespace

std::string toBytecode(ModuleOp module) {
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  (void)writeBytecodeToFile(module, stream);  // fails only for a version that was asked for
  return bytes;
}

llvm::Expected<std::string> exportPlan(ModuleOp module, std::string bytecode) {
  ScheduleOp schedule = findSchedule(module);
  if (!schedule) return llvm::createStringError("nothing to export: the module has no hsa.schedule; run the hsa-cpu pipeline first");
  format::PlanHeader header;
  header.set_producer("hsa 0.1.0, LLVM " LLVM_VERSION_STRING);
  fillGraph(schedule, *header.mutable_graph());
  if (llvm::Error error = fillStages(schedule, header)) return std::move(error);
  format::PlanSections sections;
  sections.bytecode = std::move(bytecode);
  for (auto variant : module.getOps<ModuleOp>()) {
    auto cpu = variant->getAttrOfType<StringAttr>("hsa.cpu");
    if (!cpu) continue;
    auto target = resolveTarget(cpu.getValue());
    if (!target) return target.takeError();
    auto code = exportVariant(variant, *target, *header.add_variants());
    if (!code) return code.takeError();
    sections.code.push_back(std::move(*code));
  }
  if (sections.code.empty()) return llvm::createStringError("nothing to export: the module has no variant; run hsa-lower-to-cpu first");
  return format::BuildPlanFile(std::move(header), sections);
}

}  // namespace hsa::ir
