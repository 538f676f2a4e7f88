// One function on its way to LLVM IR. MLIR's own conversion to the LLVM dialect, and the translation of that, took 110 ms of a plan's compile time
// and left memref descriptors in every address for LLVM to clean up (docs/performance.md, "Compile time"); the emitters use few ops, so this says
// them directly.
#pragma once

#include "llvm/IR/IRBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace hsa::ir {

// A memref as code sees it. `base` is its first element, whatever its type calls the offset.
struct Memory {
  llvm::Value* base = nullptr;
  llvm::SmallVector<llvm::Value*, 4> sizes, strides;  // of the leading type; null where the type knows the number
};

class FunctionTranslator {
 public:
  explicit FunctionTranslator(llvm::Function& function) : b(function.getContext()), function_(function) {}

  mlir::LogicalResult translate(mlir::func::FuncOp source);

 private:
  // translate.cpp: what is called, and when.
  void takeDescriptors(mlir::func::FuncOp source);
  void takeArguments(mlir::func::FuncOp source);
  mlir::LogicalResult translateBlock(mlir::Block& block);
  mlir::LogicalResult translateOp(mlir::Operation& op);
  mlir::LogicalResult translateLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult translateBranch(mlir::scf::IfOp branch);
  mlir::LogicalResult translateCall(mlir::func::CallOp call);

  // translate_memory.cpp: memrefs and addresses. False where the op is of another kind.
  bool translateMemory(mlir::Operation& op);
  llvm::Value* size(mlir::Value memref, unsigned dimension);
  llvm::Value* stride(mlir::Value memref, unsigned dimension);
  Memory as(mlir::Value memref, mlir::MemRefType type);  // the same elements, for a reader that knows less of their layout
  llvm::Value* address(mlir::Value memref, mlir::ValueRange at);
  llvm::Value* addressOf(llvm::Value* base, mlir::Type element, llvm::ArrayRef<mlir::Value> indices, llvm::ArrayRef<int64_t> scales,
                         llvm::ArrayRef<llvm::Value*> dynamicScales);

  // translate_amx.cpp: tiles, and intrinsics. False where the op is of another kind.
  bool translateTile(mlir::Operation& op);

  // translate_arith.cpp: numbers and vectors. Null where the op is of another kind.
  llvm::Value* translateNumber(mlir::Operation& op);
  llvm::Value* translateInteger(mlir::Operation& op);
  llvm::Value* translateFloat(mlir::Operation& op);
  llvm::Value* translateVector(mlir::Operation& op);
  llvm::Constant* constant(mlir::arith::ConstantOp op);

  llvm::Type* type(mlir::Type type);
  llvm::Value* value(mlir::Value v);  // a constant is made where it is used

  llvm::IRBuilder<> b;  // folds constants only: what a loop carries is not known before its end, so nothing more may be concluded
  llvm::Function& function_;
  llvm::DenseMap<mlir::Value, llvm::Value*> values_;
  llvm::DenseMap<mlir::Value, Memory> memories_;
};

// Strides of a memref type, kDynamic where they are not known. Reads the type only: types are made by one thread, functions are translated by many.
llvm::SmallVector<int64_t, 4> stridesOf(mlir::MemRefType type);
bool hasDynamicOffset(mlir::MemRefType type);

}  // namespace hsa::ir
