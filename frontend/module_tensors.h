// What the tensors of a function written by hand are called, and which inputs of a graph they are.
#pragma once

#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "frontend/graph.pb.h"
#include "llvm/ADT/StringRef.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hsa::frontend {

template <typename... Words>
absl::Status refuseModule(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words...));
}

// "hsa.name" where there is one, else `fallback`: module_c6.
absl::StatusOr<std::string> nameOf(mlir::Attribute name, llvm::StringRef fallback);

// Graphs keep sizes in 32 bits: module_c7.
absl::Status checkFits(llvm::StringRef what, std::initializer_list<int64_t> sizes);

// What the attention reads of the function's arguments, and under which name when they have none.
struct Role {
  mlir::Value operand;
  std::string role, fallback;
  std::string* reader;  // of the graph: where the tensor's name goes
};

// Adds the input that a role reads: module_c3, module_c4, module_c6, module_c7.
absl::Status addInput(Graph& graph, mlir::func::FuncOp function, const Role& role);

}  // namespace hsa::frontend
