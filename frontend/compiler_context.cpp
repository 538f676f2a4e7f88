#include "frontend/compiler_context.h"

#include "absl/strings/str_cat.h"
#include "dialect/hsa_dialect.h"
#include "frontend/spelling.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hsa::frontend {
namespace {

using namespace mlir;

// The innermost place in a file, empty when there is none.
std::string placeOf(Location location) {
  std::string place;
  location->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file) return WalkResult::advance();
    place = absl::StrCat(file.getFilename().str(), ":", file.getLine(), ":", file.getColumn());
    return WalkResult::interrupt();
  });
  return place;
}

}  // namespace

std::unique_ptr<MLIRContext> newContext() {
  auto context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  context->loadDialect<ir::HsaDialect, func::FuncDialect>();
  return context;
}

FirstDiagnostic::FirstDiagnostic(MLIRContext& context)
    : handler_(&context, [this](Diagnostic& diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error && message_.empty()) {
          place_ = placeOf(diagnostic.getLocation());
          message_ = OneLine(diagnostic.str());
        }
        return success();
      }) {}

absl::Status FirstDiagnostic::status(absl::StatusCode code, std::string_view where) const {
  return absl::Status(
      code, absl::StrCat(place_.empty() ? std::string(where) : place_, ": ", message_.empty() ? "failed without saying why" : message_));
}

}  // namespace hsa::frontend
