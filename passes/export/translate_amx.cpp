// AMX tiles → LLVM's intrinsics on x86_amx values, whose registers and shapes its code generator chooses; and intrinsics called by name.
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/IR/IntrinsicsX86.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/export/function_translator.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

// Rows of a tile, and bytes of one.
llvm::SmallVector<llvm::Value*, 2> shapeOf(llvm::IRBuilder<>& b, amx::TileType tile) {
  const int64_t bytes = tile.getDimSize(1) * tile.getElementType().getIntOrFloatBitWidth() / 8;
  return {b.getInt16(tile.getDimSize(0)), b.getInt16(bytes)};
}

// Bytes from row to row of a memref whose last two dimensions hold tiles.
llvm::Value* rowBytes(llvm::IRBuilder<>& b, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  return b.getInt64(stridesOf(type)[type.getRank() - 2] * type.getElementTypeBitWidth() / 8);
}

}  // namespace

bool FunctionTranslator::translateTile(Operation& op) {
  return llvm::TypeSwitch<Operation*, bool>(&op)
      .Case([&](amx::TileZeroOp zero) {
        values_[zero.getRes()] = b.CreateIntrinsic(llvm::Intrinsic::x86_tilezero_internal, shapeOf(b, zero.getTileType()));
        return true;
      })
      .Case([&](amx::TileLoadOp load) {
        auto arguments = shapeOf(b, load.getTileType());
        arguments.append({address(load.getBase(), load.getIndices()), rowBytes(b, load.getBase())});
        values_[load.getRes()] = b.CreateIntrinsic(llvm::Intrinsic::x86_tileloadd64_internal, arguments);
        return true;
      })
      .Case([&](amx::TileStoreOp store) {
        auto arguments = shapeOf(b, store.getTileType());
        arguments.append({address(store.getBase(), store.getIndices()), rowBytes(b, store.getBase()), value(store.getVal())});
        b.CreateIntrinsic(llvm::Intrinsic::x86_tilestored64_internal, arguments);
        return true;
      })
      .Case([&](amx::TileMulFOp multiply) {
        auto sums = shapeOf(b, cast<amx::TileType>(multiply.getRes().getType()));
        llvm::Value* depth = shapeOf(b, cast<amx::TileType>(multiply.getLhs().getType()))[1];
        values_[multiply.getRes()] =
            b.CreateIntrinsic(llvm::Intrinsic::x86_tdpbf16ps_internal,
                              {sums[0], sums[1], depth, value(multiply.getAcc()), value(multiply.getLhs()), value(multiply.getRhs())});
        return true;
      })
      .Case([&](LLVM::CallIntrinsicOp call) {
        const llvm::Intrinsic::ID id = llvm::Intrinsic::lookupIntrinsicID(call.getIntrin());
        if (id == llvm::Intrinsic::not_intrinsic || llvm::Intrinsic::isOverloaded(id) || call->getNumResults() != 1) return false;
        llvm::SmallVector<llvm::Value*> arguments;
        for (Value argument : call.getArgs()) arguments.push_back(value(argument));
        values_[call->getResult(0)] = b.CreateIntrinsic(id, arguments);
        return true;
      })
      .Default([](Operation*) { return false; });
}

}  // namespace hsa::ir
