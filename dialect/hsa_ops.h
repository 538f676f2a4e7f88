// Every op of the hsa dialect.
#pragma once

#include "llvm/Support/Error.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/hsa_dialect.h"

namespace hsa::ir::reference {
class Frame;  // values of a function being interpreted: dialect/reference/interpreter.h
}

namespace hsa::ir {
// What every tile op requires of its operands and results (tile_c1 … tile_c5): dialect/tile_ops.cpp.
llvm::LogicalResult verifyTileOp(mlir::Operation* op, llvm::ArrayRef<unsigned> numIns, unsigned numOuts);
}  // namespace hsa::ir

#include "dialect/hsa_interfaces.h.inc"

#define GET_OP_CLASSES
#include "dialect/hsa_ops.h.inc"
