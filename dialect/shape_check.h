// What the verifiers of all ops ask about extents: two that are known must agree, one that is not known may be anything.
#pragma once

#include "dialect/hsa_ops.h"

namespace hsa::ir {

inline bool mayEqual(int64_t a, int64_t b) { return mlir::ShapedType::isDynamic(a) || mlir::ShapedType::isDynamic(b) || a == b; }

inline bool mayDivide(int64_t divisor, int64_t number) {
  if (mlir::ShapedType::isDynamic(divisor) || mlir::ShapedType::isDynamic(number)) return true;
  return divisor != 0 && number % divisor == 0;
}

// The extent that is known, if one is.
inline int64_t known(int64_t a, int64_t b) { return mlir::ShapedType::isDynamic(a) ? b : a; }

// Whether a value can have both types: tensors, partials or indices that agree in every extent that both know.
bool mayBe(mlir::Type a, mlir::Type b);

// The type that knows every extent that `a` or `b` knows. Wants mayBe(a, b).
mlir::Type refine(mlir::Type a, mlir::Type b);

// Constraints <op>_c1 … <op>_c5 of an op that reads query, key and value.
mlir::LogicalResult checkQueryKeyValue(mlir::Operation* op, mlir::RankedTensorType query, mlir::RankedTensorType key,
                                       mlir::RankedTensorType value);

// Constraint `constraint`: the result or operand called `name` can have the type that follows from the other operands.
mlir::LogicalResult checkType(mlir::Operation* op, llvm::StringRef constraint, llvm::StringRef name, mlir::Type is, mlir::Type wanted);

mlir::LogicalResult checkScale(mlir::Operation* op, llvm::StringRef constraint, mlir::FloatAttr scale);
mlir::LogicalResult checkTheta(mlir::Operation* op, llvm::StringRef constraint, mlir::FloatAttr theta);

// Types of the tensors that layer 1 passes between its stages.
mlir::Type partialOf(mlir::RankedTensorType query, mlir::RankedTensorType value);
mlir::Type indexOf(mlir::RankedTensorType key, mlir::RankedTensorType value);
mlir::Type scoreOf(mlir::RankedTensorType query, int64_t keys, ConfigAttr config);
mlir::Type openOf(mlir::RankedTensorType query, int64_t keys, ConfigAttr config);

}  // namespace hsa::ir
