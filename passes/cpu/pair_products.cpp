#include "passes/cpu/pair_products.h"

#include "passes/cpu/amx_tiles.h"
#include "passes/cpu/dot_products.h"

namespace hsa::ir {

void emitPairScores(KernelEmitter& e, const PairScores& product) {
  e.tile.pairs == PairUnit::kTiles ? emitTileScores(e, product) : emitDotScores(e, product);
}

void emitPairValues(KernelEmitter& e, const PairValues& product) {
  e.tile.pairs == PairUnit::kTiles ? emitTileValues(e, product) : emitDotValues(e, product);
}

void callPairs(KernelEmitter& e, llvm::StringRef name, ValueRange arguments, llvm::function_ref<void(KernelEmitter&, ValueRange)> body,
               int64_t firstOpen, int64_t endOpen) {
  llvm::SmallVector<MemRefType> types;
  for (Value argument : arguments) types.push_back(mlir::cast<MemRefType>(argument.getType()));
  for (MemRefType& type : llvm::MutableArrayRef(types).slice(firstOpen, endOpen - firstOpen)) {
    llvm::SmallVector<int64_t> shape(type.getShape());
    shape.front() = mlir::ShapedType::kDynamic;
    type = MemRefType::get(shape, type.getElementType(), type.getLayout());
  }
  mlir::func::FuncOp function = e.call(name, types, arguments, body);
  function->setAttr("hsa.features", e.b.getStringAttr(e.tile.pairs == PairUnit::kTiles ? kTileFeatures : kDotFeatures));
}

}  // namespace hsa::ir
