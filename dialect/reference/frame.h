// The values of a function while it is interpreted.
#pragma once

#include "dialect/hsa_ops.h"
#include "dialect/reference/interpreter.h"
#include "dialect/reference/partial.h"
#include "dialect/reference/splat_tree.h"
#include "llvm/ADT/DenseMap.h"

#include <memory>
#include <variant>

namespace hsa::ir::reference {

// What an SSA value stands for. Large ones are shared: no op changes its operands.
using Datum = std::variant<std::shared_ptr<const Tensor>, std::shared_ptr<const Partial>, std::shared_ptr<const SplatIndex>, int64_t>;

class Frame {
 public:
  Frame(const GivenIndex* given, std::vector<Candidate>* candidates) : given(given), candidates(candidates) {}

  const Tensor& tensor(mlir::Value value) const { return *std::get<std::shared_ptr<const Tensor>>(data.at(value)); }
  const Tensor* tensorIfAny(mlir::Value value) const { return value ? &tensor(value) : nullptr; }
  std::shared_ptr<const Tensor> share(mlir::Value value) const { return std::get<std::shared_ptr<const Tensor>>(data.at(value)); }
  const Partial& partial(mlir::Value value) const { return *std::get<std::shared_ptr<const Partial>>(data.at(value)); }
  const SplatIndex& index(mlir::Value value) const { return *std::get<std::shared_ptr<const SplatIndex>>(data.at(value)); }
  int64_t number(mlir::Value value) const { return std::get<int64_t>(data.at(value)); }

  void set(mlir::Value value, Tensor tensor) { data[value] = std::make_shared<const Tensor>(std::move(tensor)); }
  void set(mlir::Value value, Partial partial) { data[value] = std::make_shared<const Partial>(std::move(partial)); }
  void set(mlir::Value value, SplatIndex index) { data[value] = std::make_shared<const SplatIndex>(std::move(index)); }
  void set(mlir::Value value, int64_t number) { data[value] = number; }
  void copy(mlir::Value to, mlir::Value from) { data[to] = data.at(from); }

  const GivenIndex* const given;             // null: nothing is given
  std::vector<Candidate>* const candidates;  // null: nobody asks

 private:
  llvm::DenseMap<mlir::Value, Datum> data;
};

// Evaluates every op of `block` but its terminator.
llvm::Error evaluateBlock(mlir::Block& block, Frame& frame);

}  // namespace hsa::ir::reference
