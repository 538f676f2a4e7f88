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

void markPairs(KernelEmitter& e, mlir::func::FuncOp function) {
  function->setAttr("hsa.features", e.b.getStringAttr(e.tile.pairs == PairUnit::kTiles ? kTileFeatures : kDotFeatures));
}

}  // namespace hsa::ir
