#include "passes/cpu/affinity_batch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/cpu/mapped_differences.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kUnroll = 2;  // steps of a sum between two branches

MemRefType typeOf(KernelEmitter& e, ArrayRef<int64_t> shape) { return e.blockType(shape, e.b.getF32Type()); }

// Where the vectors of a register tile that starts at `first` lie in panels of 16.
struct PanelLanes {
  SmallVector<Value> column, panel, lane;

  PanelLanes(KernelEmitter& e, Value first) {
    for (int64_t v = 0; v < e.tile.vectors; ++v) {
      column.push_back(e.addIndex(first, e.index(v * e.lanes())));
      panel.push_back(arith::DivUIOp::create(e.b, column[v], e.index(kPanelKeys)));
      lane.push_back(arith::RemUIOp::create(e.b, column[v], e.index(kPanelKeys)));
    }
  }
};

// One register tile: Σ_d apart(r, d, v)², in registers. `step` calls add(r · vectors + v, difference) for one d: each difference is squared at once, so that
// none waits in a register. (All of a step before the first square: 2.9 KB of spills, less than half the speed.)
using Add = function_ref<void(int64_t sum, Value difference)>;
SmallVector<Value> sumSquares(KernelEmitter& e, int64_t rows, function_ref<void(Value d, Add add)> step) {
  SmallVector<Value> zeros(rows * e.tile.vectors, e.f32s(0));
  return e.fold(e.index(0), e.index(e.params.paddedHeadDim), kUnroll, zeros, [&](Value d0, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t d = 0; d < kUnroll; ++d)
      step(e.addIndex(d0, e.index(d)),
           [&](int64_t sum, Value difference) { sums[sum] = e.multiplyAdd(difference, difference, sums[sum]); });
    return sums;
  });
}

// Where the tokens of a register tile lie: across its vectors or along its rows. A norm within the limit takes the product.
using Norm = function_ref<Value(int64_t row, int64_t vector)>;
using Bias = function_ref<Value(int64_t vector)>;

// Clamped from below, which lets a NaN pass.
void storeAffinity(KernelEmitter& e, Value logAffinity, Value bias, Value scores, ValueRange at) {
  e.store(e.add(e.max(e.f32s(kFarthest), logAffinity), bias), scores, at);
}

// scores = what `squares` are the negative of, + bias, of the rows from `first` on; where there is a norm, those of tokens within `limit` stay as they are.
void storeSquares(KernelEmitter& e, ArrayRef<Value> squares, Bias bias, Value scores, Value first, const PanelLanes& at, Norm norm,
                  Value limit) {
  for (auto [i, square] : llvm::enumerate(squares)) {
    const int64_t row = static_cast<int64_t>(i) / e.tile.vectors, v = static_cast<int64_t>(i) % e.tile.vectors;
    const SmallVector<Value> place = {e.addIndex(first, e.index(row)), at.column[v]};
    Value score = e.add(e.max(e.f32s(kFarthest), e.sub(e.f32s(0), square)), bias(v));
    if (limit) {
      Value within = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OLE, norm(row, v), limit);
      score = e.select(within, e.load(scores, place), score);
    }
    e.store(score, scores, place);
  }
}

// Calls `product` when some of 64 norms are within `limit`, and `squares` when some are beyond it or no number.
void forNorms(KernelEmitter& e, ArrayRef<Value> norms, Value limit, function_ref<void()> product, function_ref<void()> squares) {
  Value within;
  for (Value norm : norms) {
    Value here = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OLE, norm, limit);
    within = within ? arith::OrIOp::create(e.b, within, here) : here;
  }
  Value beyond;
  for (Value norm : norms) {
    Value here = arith::CmpFOp::create(e.b, arith::CmpFPredicate::UGT, norm, limit);
    beyond = beyond ? arith::OrIOp::create(e.b, beyond, here) : here;
  }
  e.when(e.any(within), product);
  e.when(e.any(beyond), squares);
}

// Arguments in the order of the calls below: splats, then tokens and scores.
void emitSquaresOfSplats(KernelEmitter& e, const SplatFactors& splats, const TokenBatch& tokens, Value scores, Value limit) {
  e.forEach(kBatchKeys, e.lanes() * e.tile.vectors, [&](Value firstToken) {
    const PanelLanes at(e, firstToken);
    e.forEachRowBlock([&](Value first, int64_t rows) {
      SmallVector<Value> squares = sumSquares(e, rows, [&](Value d, Add add) {
        SmallVector<Value> token;
        for (int64_t v = 0; v < e.tile.vectors; ++v) token.push_back(e.load(tokens.panels, {at.panel[v], d, at.lane[v]}));
        for (int64_t r = 0; r < rows; ++r) {
          Value row = e.addIndex(first, e.index(r));
          Value factor = e.spread(e.get(splats.scale, {row, d})), term = e.spread(e.get(splats.shift, {row, d}));
          for (int64_t v = 0; v < e.tile.vectors; ++v) add(r * e.tile.vectors + v, e.multiplyAdd(token[v], factor, term));
        }
      });
      storeSquares(
          e, squares, [&](int64_t v) { return e.load(tokens.bias, {at.panel[v], at.lane[v]}); }, scores, first, at,
          [&](int64_t, int64_t v) { return e.load(tokens.norm, {at.panel[v], at.lane[v]}); }, limit);
    });
  });
}

void emitProductOfSplats(KernelEmitter& e, const SplatFactors& splats, const TokenBatch& tokens, Value scores) {
  e.forEach(kBatchKeys, e.lanes() * e.tile.vectors, [&](Value firstToken) {
    const PanelLanes at(e, firstToken);
    e.forEachRowBlock([&](Value first, int64_t rows) {
      auto rowOf = [&](int64_t r) { return e.addIndex(first, e.index(r)); };
      SmallVector<Value> sums = multiplyRows(
          e, e.index(0), e.index(e.params.paddedHeadDim), e.tile.vectors, SmallVector<Value>(rows * e.tile.vectors, e.f32s(0)),
          [&](int64_t r, Value d) { return e.get(splats.product, {rowOf(r), d}); },
          [&](Value d, int64_t v) { return e.load(tokens.panels, {at.panel[v], d, at.lane[v]}); });
      for (int64_t r = 0; r < rows; ++r) {
        Value slope = e.spread(e.get(splats.terms, {rowOf(r), e.index(0)})), term = e.spread(e.get(splats.terms, {rowOf(r), e.index(1)}));
        for (int64_t v = 0; v < e.tile.vectors; ++v) {
          Value sum = e.add(sums[r * e.tile.vectors + v], term);
          storeAffinity(e, e.multiplyAdd(slope, e.load(tokens.norm, {at.panel[v], at.lane[v]}), sum),
                        e.load(tokens.bias, {at.panel[v], at.lane[v]}), scores, {rowOf(r), at.column[v]});
        }
      }
    });
  });
}

void emitAffinityOfSplats(KernelEmitter& e, ValueRange arguments) {
  const SplatFactors splats{arguments[0], arguments[1]};
  const TokenBatch tokens{arguments[2], arguments[3]};
  emitSquaresOfSplats(e, splats, tokens, arguments[4], {});
}

void emitAffinityOfIsotropicSplats(KernelEmitter& e, ValueRange arguments) {
  const SplatFactors splats{arguments[0], arguments[1], arguments[2], arguments[3], e.spread(e.get(arguments[4], {e.index(0)}))};
  const TokenBatch tokens{arguments[5], arguments[6], arguments[7]};
  SmallVector<Value> norms;
  for (int64_t c = 0; c < kBatchKeys; c += e.lanes())
    norms.push_back(e.load(tokens.norm, {e.index(c / kPanelKeys), e.index(c % kPanelKeys)}));
  forNorms(
      e, norms, splats.limit, [&] { emitProductOfSplats(e, splats, tokens, arguments[8]); },
      [&] { emitSquaresOfSplats(e, splats, tokens, arguments[8], splats.limit); });
}

// Queries are rows, splats stand side by side.
struct QueryRows {
  Value query, norm;
};

void emitSquaresOfQueries(KernelEmitter& e, const QueryRows& queries, const SplatFactors& splats, Value bias, Value scores, Value limit) {
  e.forEach(kSplatTile, e.lanes() * e.tile.vectors, [&](Value firstSplat) {
    const PanelLanes at(e, firstSplat);
    e.forEachRowBlock([&](Value first, int64_t rows) {
      auto rowOf = [&](int64_t r) { return e.addIndex(first, e.index(r)); };
      SmallVector<Value> squares = sumSquares(e, rows, [&](Value d, Add add) {
        SmallVector<Value> factors, terms;
        for (int64_t v = 0; v < e.tile.vectors; ++v) {
          factors.push_back(e.load(splats.scale, {at.panel[v], d, at.lane[v]}));
          terms.push_back(e.load(splats.shift, {at.panel[v], d, at.lane[v]}));
        }
        for (int64_t r = 0; r < rows; ++r) {
          Value x = e.spread(e.get(queries.query, {rowOf(r), d}));
          for (int64_t v = 0; v < e.tile.vectors; ++v) add(r * e.tile.vectors + v, e.multiplyAdd(x, factors[v], terms[v]));
        }
      });
      storeSquares(
          e, squares, [&](int64_t v) { return e.load(bias, {at.column[v]}); }, scores, first, at,
          [&](int64_t r, int64_t) { return e.spread(e.get(queries.norm, {rowOf(r)})); }, limit);
    });
  });
}

void emitProductOfQueries(KernelEmitter& e, const QueryRows& queries, const SplatFactors& splats, Value bias, Value scores) {
  e.forEach(kSplatTile, e.lanes() * e.tile.vectors, [&](Value firstSplat) {
    const PanelLanes at(e, firstSplat);
    e.forEachRowBlock([&](Value first, int64_t rows) {
      auto rowOf = [&](int64_t r) { return e.addIndex(first, e.index(r)); };
      SmallVector<Value> sums = multiplyRows(
          e, e.index(0), e.index(e.params.paddedHeadDim), e.tile.vectors, SmallVector<Value>(rows * e.tile.vectors, e.f32s(0)),
          [&](int64_t r, Value d) { return e.get(queries.query, {rowOf(r), d}); },
          [&](Value d, int64_t v) { return e.load(splats.product, {at.panel[v], d, at.lane[v]}); });
      for (int64_t v = 0; v < e.tile.vectors; ++v) {
        Value slope = e.load(splats.terms, {at.panel[v], e.index(0), at.lane[v]});
        Value term = e.load(splats.terms, {at.panel[v], e.index(1), at.lane[v]});
        for (int64_t r = 0; r < rows; ++r) {
          Value sum = e.add(sums[r * e.tile.vectors + v], term);
          storeAffinity(e, e.multiplyAdd(slope, e.spread(e.get(queries.norm, {rowOf(r)})), sum), e.load(bias, {at.column[v]}), scores,
                        {rowOf(r), at.column[v]});
        }
      }
    });
  });
}

void emitAffinityOfQueries(KernelEmitter& e, ValueRange arguments) {
  emitSquaresOfQueries(e, {arguments[0], {}}, {arguments[1], arguments[2]}, arguments[3], arguments[4], {});
}

void emitAffinityOfQueriesToIsotropic(KernelEmitter& e, ValueRange arguments) {
  const QueryRows queries{arguments[0], arguments[1]};
  const SplatFactors splats{arguments[2], arguments[3], arguments[4], arguments[5], e.spread(e.get(arguments[6], {e.index(0)}))};
  SmallVector<Value> norms;
  for (int64_t r = 0; r < e.params.tileQueries; r += e.lanes()) norms.push_back(e.load(queries.norm, {e.index(r)}));
  forNorms(
      e, norms, splats.limit, [&] { emitProductOfQueries(e, queries, splats, arguments[7], arguments[8]); },
      [&] { emitSquaresOfQueries(e, queries, splats, arguments[7], arguments[8], splats.limit); });
}

void emitReceiveWeights(KernelEmitter& e, ValueRange arguments) {
  Value scores = arguments[0], mass = arguments[1];
  TileState rows{arguments[2], arguments[3], arguments[4]};
  const int64_t vectors = kSplatTile / e.lanes();
  e.forEachRow([&](Value row) {
    SmallVector<Value> score;
    for (int64_t v = 0; v < vectors; ++v) score.push_back(e.load(scores, {row, e.index(v * e.lanes())}));
    Value top = score[0];
    for (Value s : ArrayRef(score).drop_front()) top = e.max(top, s);
    Value peak = e.reduceMax(top), oldMax = e.get(rows.max, {row});
    Value grows = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, peak, e.add(oldMax, e.f32(kLazyRescale)));
    e.when(grows, [&] {
      emitRescaleRow(e, row, oldMax, peak, rows);
      if (arguments.size() < 6) return;
      Value factor = e.exp2(e.sub(e.spread(oldMax), e.spread(peak)));
      e.forEach(kBatchKeys, e.lanes(), [&](Value c) { e.store(e.mul(e.load(arguments[5], {row, c}), factor), arguments[5], {row, c}); });
    });
    Value minusMax = e.spread(e.sub(e.f32(0), e.select(grows, peak, oldMax)));
    SmallVector<Value> sums;
    for (int64_t c = 0; c < kSumLanes; c += e.lanes()) sums.push_back(e.load(rows.sum, {row, e.index(c)}));
    for (int64_t v = 0; v < vectors; ++v) {
      Value weight = e.exp2(e.add(score[v], minusMax));
      e.store(weight, scores, {row, e.index(v * e.lanes())});
      Value& sum = sums[v % sums.size()];
      sum = e.multiplyAdd(weight, e.load(mass, {e.index(v * e.lanes())}), sum);
    }
    for (auto [i, sum] : llvm::enumerate(sums)) e.store(sum, rows.sum, {row, e.index(static_cast<int64_t>(i) * e.lanes())});
  });
}

Value limitOfTile(KernelEmitter& e, const SplatFactors& all, Value splat) {
  return all.limit ? e.slice(all.limit, arith::DivUIOp::create(e.b, splat, e.index(kSplatTile)), 1) : Value();
}

}  // namespace

SplatFactors rowsOfTile(KernelEmitter& e, const SplatFactors& all, Value splat) {
  auto rows = [&](Value memref) { return memref ? e.slice(memref, splat, kSplatTile) : Value(); };
  return {rows(all.scale), rows(all.shift), rows(all.product), rows(all.terms), limitOfTile(e, all, splat), rows(all.factor)};
}

SplatFactors panelsOfTile(KernelEmitter& e, const SplatFactors& all, Value splat) {
  Value panel = arith::DivUIOp::create(e.b, splat, e.index(kPanelKeys));
  auto panels = [&](Value memref) { return memref ? e.slice(memref, panel, kBatchPanels) : Value(); };
  return {panels(all.scale), panels(all.shift), panels(all.product), panels(all.terms), limitOfTile(e, all, splat), panels(all.factor)};
}

void callAffinityOfSplats(KernelEmitter& e, const SplatFactors& splats, const TokenBatch& tokens, Value scores) {
  if (splats.factor) return callMappedAffinityOfSplats(e, splats, tokens, scores);
  const MemRefType rows = typeOf(e, {kSplatTile, e.params.paddedHeadDim}), norms = typeOf(e, {kBatchPanels, kPanelKeys});
  const MemRefType panels = typeOf(e, {kBatchPanels, e.params.paddedHeadDim, kPanelKeys}), to = typeOf(e, {kSplatTile, kBatchKeys});
  if (!splats.product) {
    e.call("affinity_of_splats", {rows, rows, panels, norms, to}, {splats.scale, splats.shift, tokens.panels, tokens.bias, scores},
           emitAffinityOfSplats);
    return;
  }
  e.call("affinity_of_isotropic_splats", {rows, rows, rows, typeOf(e, {kSplatTile, 2}), typeOf(e, {1}), panels, norms, norms, to},
         {splats.scale, splats.shift, splats.product, splats.terms, splats.limit, tokens.panels, tokens.bias, tokens.norm, scores},
         emitAffinityOfIsotropicSplats);
}

void callAffinityOfQueries(KernelEmitter& e, Value query, Value norm, const SplatFactors& splats, Value bias, Value scores) {
  if (splats.factor) return callMappedAffinityOfQueries(e, query, splats, bias, scores);
  const MemRefType rows = typeOf(e, {e.params.tileQueries, e.params.paddedHeadDim}), to = typeOf(e, {e.params.tileQueries, kSplatTile});
  const MemRefType panels = typeOf(e, {kBatchPanels, e.params.paddedHeadDim, kPanelKeys}), perSplat = typeOf(e, {kSplatTile});
  if (!splats.product) {
    e.call("affinity_of_queries", {rows, panels, panels, perSplat, to}, {query, splats.scale, splats.shift, bias, scores},
           emitAffinityOfQueries);
    return;
  }
  e.call("affinity_of_queries_to_isotropic",
         {rows, typeOf(e, {e.params.tileQueries}), panels, panels, panels, typeOf(e, {kBatchPanels, 2, kPanelKeys}), typeOf(e, {1}),
          perSplat, to},
         {query, norm, splats.scale, splats.shift, splats.product, splats.terms, splats.limit, bias, scores},
         emitAffinityOfQueriesToIsotropic);
}

void callReceiveWeights(KernelEmitter& e, Value scores, Value mass, const TileState& rows, Value pairs) {
  const int64_t tile = e.params.tileQueries;
  SmallVector<MemRefType> types = {typeOf(e, {tile, kSplatTile}), typeOf(e, {kSplatTile}), typeOf(e, {tile}), typeOf(e, {tile, kSumLanes}),
                                   typeOf(e, {tile, e.params.paddedValueDim})};
  SmallVector<Value> arguments = {scores, mass, rows.max, rows.sum, rows.acc};
  if (pairs) {
    types.push_back(typeOf(e, {tile, kBatchKeys}));
    arguments.push_back(pairs);
  }
  e.call(pairs ? "receive_weights_of_pairs" : "receive_weights", types, arguments, emitReceiveWeights);
}

}  // namespace hsa::ir
