// The MLIR context of one compilation, and its complaints as statuses.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

namespace hsa::frontend {

// Single-threaded, with the dialects of layer 0 only: passes load the ones they need, and every dialect costs start-up time.
std::unique_ptr<mlir::MLIRContext> newContext();

// Catches the diagnostics of `context` for as long as it lives and keeps the first error. Warnings and notes are dropped.
class FirstDiagnostic {
 public:
  explicit FirstDiagnostic(mlir::MLIRContext& context);

  // One line: "path:line:col: message" where the error has a place in a file, else "where: message".
  absl::Status status(absl::StatusCode code, std::string_view where) const;

 private:
  std::string place_, message_;
  mlir::ScopedDiagnosticHandler handler_;
};

}  // namespace hsa::frontend
