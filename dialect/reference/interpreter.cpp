#include "dialect/reference/interpreter.h"

#include "dialect/reference/frame.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace hsa::ir::reference {

llvm::Error evaluateBlock(mlir::Block& block, Frame& frame) {
  for (Operation& op : block.without_terminator()) {
    auto stage = dyn_cast<ReferenceOp>(op);
    if (!stage)
      return llvm::createStringError(
          llvm::formatv("{0}: has no meaning in float64; the interpreter runs layers 0 and 1 only", op.getName().getStringRef()).str());
    if (llvm::Error error = stage.evaluate(frame)) return error;
  }
  return llvm::Error::success();
}

// Argument `number` of the function can hold `input`.
static llvm::Error checkInput(unsigned number, Type type, const Tensor& input) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) return llvm::createStringError(llvm::formatv("argument {0}: is {1}, wanted a tensor", number, type).str());
  bool fits = size_t(tensor.getRank()) == input.shape.size();
  for (size_t d = 0; fits && d < input.shape.size(); ++d) fits = tensor.isDynamicDim(d) || tensor.getDimSize(d) == input.shape[d];
  if (!fits)
    return llvm::createStringError(llvm::formatv("argument {0}: the input has shape [{1:$[, ]}], the function wants {2}", number,
                                                 llvm::make_range(input.shape.begin(), input.shape.end()), type)
                                       .str());
  return llvm::Error::success();
}

llvm::Expected<std::vector<Tensor>> Interpret(func::FuncOp function, const std::vector<Tensor>& inputs, const GivenIndex* given,
                                              std::vector<Candidate>* candidates) {
  if (function.isDeclaration()) return llvm::createStringError(llvm::formatv("@{0}: has no body", function.getName()).str());
  if (inputs.size() != function.getNumArguments())
    return llvm::createStringError(
        llvm::formatv("@{0}: has {1} arguments, {2} inputs were given", function.getName(), function.getNumArguments(), inputs.size())
            .str());
  Frame frame(given, candidates);
  for (auto [number, input] : llvm::enumerate(inputs)) {
    if (llvm::Error error = checkInput(number, function.getArgumentTypes()[number], input)) return std::move(error);
    frame.set(function.getArgument(number), input);
  }
  if (llvm::Error error = evaluateBlock(function.front(), frame)) return std::move(error);
  std::vector<Tensor> results;
  for (Value result : function.front().getTerminator()->getOperands()) {
    if (!isa<RankedTensorType>(result.getType()))
      return llvm::createStringError(llvm::formatv("@{0}: returns {1}, wanted tensors", function.getName(), result.getType()).str());
    results.push_back(frame.tensor(result));
  }
  return results;
}

}  // namespace hsa::ir::reference
