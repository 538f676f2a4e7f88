// Moments of nodes: of a leaf from its keys, of every other node from its children.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kSquares = kPanelKeys;  // row of the scratch [17,D] behind the deviations

// Where a node stands in its level.
struct Node {
  Value group, place;
};
Node nodeAt(KernelEmitter& e, Value id) {
  return {arith::DivUIOp::create(e.b, id, e.index(kGroupNodes)), arith::RemUIOp::create(e.b, id, e.index(kGroupNodes))};
}

// Arrays of one level.
struct Level {
  Value mean, value, var, scalar;
};

Value positive(KernelEmitter& e, Value x) { return arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, x, e.f32(0)); }

// 1/n, and 0 for a node without keys: its moments become 0.
Value inverseOf(KernelEmitter& e, Value n) { return e.select(positive(e, n), arith::DivFOp::create(e.b, e.f32(1), n), e.f32(0)); }

// β and τ as long as nothing has fitted them.
void setScalars(KernelEmitter& e, const Level& level, const Node& node, Value n) {
  Value log = vector::ExtractOp::create(e.b, e.log2(e.spread(n)), ArrayRef<int64_t>{0});
  Value scalars[] = {log, e.f32(1), e.f32(0), n};
  for (int64_t which = 0; which < 4; ++which) e.set(scalars[which], level.scalar, {node.group, e.index(which), node.place});
}

void emitRotatedSquares(KernelEmitter& e, Value basis, Value deviation) {
  const int64_t tall = productRows(e), depth = e.params.paddedHeadDim;
  forEachColumnBlock(e, e.index(0), depth, [&](Value column, int64_t vectors) {
    SmallVector<Value> panel, lane, totals(vectors, e.f32s(0));
    for (int64_t v = 0; v < vectors; ++v) {
      Value c = columnOf(e, column, v);
      panel.push_back(arith::DivUIOp::create(e.b, c, e.index(kPanelKeys)));
      lane.push_back(arith::RemUIOp::create(e.b, c, e.index(kPanelKeys)));
    }
    totals = e.fold(e.index(0), e.index(kPanelKeys), tall, totals, [&](Value row, ValueRange carried) {
      SmallVector<Value> zeros(tall * vectors, e.f32s(0)), squares(carried);
      SmallVector<Value> sums = multiplyRows(
          e, e.index(0), e.index(depth), vectors, zeros,
          [&](int64_t r, Value d) { return e.get(deviation, {e.addIndex(row, e.index(r)), d}); },
          [&](Value d, int64_t v) { return e.load(basis, {panel[v], d, lane[v]}); });
      for (auto [i, sum] : llvm::enumerate(sums)) squares[i % vectors] = e.multiplyAdd(sum, sum, squares[i % vectors]);
      return squares;
    });
    for (int64_t v = 0; v < vectors; ++v) e.store(totals[v], deviation, {e.index(kSquares), columnOf(e, column, v)});
  });
}

// Row 16 of the scratch: Σ_r (Uᵀx_r)² of each rotated dimension, over the 16 rows of deviations.
void callRotatedSquares(KernelEmitter& e, Value basis, Value deviation) {
  const int64_t depth = e.params.paddedHeadDim;
  Type f32 = e.b.getF32Type();
  e.call("rotated_squares", {e.blockType({e.params.basisPanels(), depth, kPanelKeys}, f32), e.blockType({kSquares + 1, depth}, f32)},
         {basis, deviation}, [](KernelEmitter& in, ValueRange a) { emitRotatedSquares(in, a[0], a[1]); });
}

// var_b = (within(b) + Σ_{c in b} squares_c / |b|) / n, for bands of the same number of dimensions.
void emitBandsOf(KernelEmitter& e, int64_t first, int64_t last, int64_t dimensions, Value deviation, Value inverse, const Level& level,
                 const Node& node, function_ref<Value(Value band)> within) {
  e.forEach(e.index(first), e.index(last), 1, [&](Value band) {
    Value lo = e.mulIndex(band, e.params.bandWidth()), hi = e.addIndex(lo, e.index(dimensions));
    Value sum = e.fold(lo, hi, 1, {e.f32(0)}, [&](Value c, ValueRange carried) {
      return SmallVector<Value>{e.add(carried[0], e.get(deviation, {e.index(kSquares), c}))};
    })[0];
    Value var = e.mul(e.multiplyAdd(sum, e.f32(1.0 / static_cast<double>(dimensions)), within(band)), inverse);
    e.set(var, level.var, {node.group, band, node.place});
  });
}

// Whole bands, one with what is left of the dimensions, and 0 for those without any.
void emitBandVariances(KernelEmitter& e, Value deviation, Value inverse, const Level& level, const Node& node,
                       function_ref<Value(Value band)> within) {
  const int64_t width = e.params.bandWidth(), whole = e.params.headDim / width, rest = e.params.headDim % width;
  const int64_t used = whole + (rest > 0 ? 1 : 0);
  emitBandsOf(e, 0, whole, width, deviation, inverse, level, node, within);
  if (rest > 0) emitBandsOf(e, whole, used, rest, deviation, inverse, level, node, within);
  e.forEach(e.index(used), e.index(e.params.bands), 1, [&](Value band) { e.set(e.f32(0), level.var, {node.group, band, node.place}); });
}

// The slots of one leaf.
struct Leaf {
  Value order, slot, count;

  Value row(KernelEmitter& e, Value i) const { return e.toIndex(e.get(order, {e.addIndex(slot, i)})); }
};

Leaf leafAt(KernelEmitter& e, Value order, Value id) {
  Value slot = e.mulIndex(id, kPanelKeys);
  Value count = e.fold(e.index(0), e.index(kPanelKeys), 1, {e.index(0)}, [&](Value i, ValueRange carried) {
    Value live = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, e.get(order, {e.addIndex(slot, i)}), e.i32(0));
    return SmallVector<Value>{e.addIndex(carried[0], arith::IndexCastUIOp::create(e.b, e.b.getIndexType(), live))};
  })[0];
  return {order, slot, count};
}

// Mean of the live rows in each block of columns.
void forEachMeanBlock(KernelEmitter& e, Value rows, int64_t width, const Leaf& leaf, Value inverse,
                      function_ref<void(Value column, ArrayRef<Value> means)> body) {
  Value scale = e.spread(inverse);
  forEachColumnBlock(e, e.index(0), width, [&](Value column, int64_t vectors) {
    SmallVector<Value> zeros(vectors, e.f32s(0));
    SmallVector<Value> means = e.fold(e.index(0), leaf.count, 1, zeros, [&](Value i, ValueRange carried) {
      SmallVector<Value> sums(carried);
      Value row = leaf.row(e, i);
      for (int64_t v = 0; v < vectors; ++v) sums[v] = e.add(sums[v], e.load(rows, {row, columnOf(e, column, v)}));
      return sums;
    });
    for (Value& mean : means) mean = e.mul(mean, scale);
    body(column, means);
  });
}

// node_mean, and k - μ of each live key in the scratch, zeros behind them.
void emitKeyDeviations(KernelEmitter& e, Value keys, const Leaf& leaf, Value inverse, const Level& level, const Node& node,
                       Value deviation) {
  forEachMeanBlock(e, keys, e.params.paddedHeadDim, leaf, inverse, [&](Value column, ArrayRef<Value> means) {
    for (auto [v, mean] : llvm::enumerate(means))
      for (int64_t i = 0; i < e.lanes(); ++i)
        e.set(vector::ExtractOp::create(e.b, mean, ArrayRef<int64_t>{i}), level.mean,
              {node.group, e.addIndex(columnOf(e, column, static_cast<int64_t>(v)), e.index(i)), node.place});
    e.forEach(e.index(0), leaf.count, 1, [&](Value i) {
      Value row = leaf.row(e, i);
      for (auto [v, mean] : llvm::enumerate(means)) {
        Value c = columnOf(e, column, static_cast<int64_t>(v));
        e.store(e.sub(e.load(keys, {row, c}), mean), deviation, {i, c});
      }
    });
    e.forEach(leaf.count, e.index(kPanelKeys), 1, [&](Value i) {
      for (size_t v = 0; v < means.size(); ++v) e.store(e.f32s(0), deviation, {i, columnOf(e, column, static_cast<int64_t>(v))});
    });
  });
}

// Groups of children of one node: nodes 4(first + i) … 4(first + i) + 3 of the finer level, for i below `count`.
struct Children {
  Level level;
  Value first, count;

  // Σ over the groups of one vector of four, then over its lanes.
  Value sum(KernelEmitter& e, function_ref<Value(GroupEmitter& four, Value group)> term) const {
    GroupEmitter four(e);
    Value total = e.fold(e.index(0), count, 1, {four->f32s(0)}, [&](Value i, ValueRange carried) {
      return SmallVector<Value>{four->add(carried[0], term(four, e.addIndex(first, i)))};
    })[0];
    return four->reduceAdd(total);
  }
  static Value counts(GroupEmitter& four, const Level& level, Value group) {
    return four->load(level.scalar, {group, four->index(3), four->index(0)});
  }
};

// node_mean, and √n_c (μ_c - μ) of each child in the scratch: squared, they weigh as many keys as the child has.
void emitChildDeviations(KernelEmitter& e, const Children& children, Value inverse, const Level& level, const Node& node, Value deviation) {
  e.forEach(kPanelKeys, 1,
            [&](Value row) { e.forEach(e.params.paddedHeadDim, e.lanes(), [&](Value d) { e.store(e.f32s(0), deviation, {row, d}); }); });
  GroupEmitter four(e);
  e.forEach(e.params.paddedHeadDim, 1, [&](Value d) {
    Value sum = children.sum(e, [&](GroupEmitter& in, Value group) {
      return in->mul(in->load(children.level.mean, {group, d, in->index(0)}), Children::counts(in, children.level, group));
    });
    Value mean = e.mul(sum, inverse);
    e.set(mean, level.mean, {node.group, d, node.place});
    e.forEach(e.index(0), children.count, 1, [&](Value i) {
      Value group = e.addIndex(children.first, i);
      Value apart = four->sub(four->load(children.level.mean, {group, d, e.index(0)}), four->spread(mean));
      Value weighted = four->mul(apart, four->sqrt(Children::counts(four, children.level, group)));
      for (int64_t place = 0; place < kGroupNodes; ++place)
        e.set(vector::ExtractOp::create(e.b, weighted, ArrayRef<int64_t>{place}), deviation,
              {e.addIndex(e.mulIndex(i, kGroupNodes), e.index(place)), d});
    });
  });
}

// v̄ = Σ n_c v̄_c / n.
void emitChildValues(KernelEmitter& e, const Children& children, Value inverse, const Level& level, const Node& node) {
  e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value column) {
    Value sum = e.fold(e.index(0), children.count, 1, {e.f32s(0)}, [&](Value i, ValueRange carried) {
      Value group = e.addIndex(children.first, i), total = carried[0];
      for (int64_t place = 0; place < kGroupNodes; ++place) {
        Value count = e.spread(e.get(children.level.scalar, {group, e.index(3), e.index(place)}));
        total = e.multiplyAdd(count, e.load(children.level.value, {group, e.index(place), column}), total);
      }
      return SmallVector<Value>{total};
    })[0];
    e.store(e.mul(sum, e.spread(inverse)), level.value, {node.group, node.place, column});
  });
}

}  // namespace

// deviation [17,D] is scratch.
void emitLeafMoments(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], values = arguments[1], order = arguments[2], basis = arguments[3], deviation = arguments[8];
  Level level{arguments[4], arguments[5], arguments[6], arguments[7]};
  Value leaves = arith::DivUIOp::create(e.b, e.dim(order, 0), e.index(kPanelKeys));
  e.forEach(e.index(0), leaves, 1, [&](Value id) {
    Node node = nodeAt(e, id);
    Leaf leaf = leafAt(e, order, id);
    Value n = arith::SIToFPOp::create(e.b, e.b.getF32Type(), e.toI32(leaf.count)), inverse = inverseOf(e, n);
    setScalars(e, level, node, n);
    emitKeyDeviations(e, keys, leaf, inverse, level, node, deviation);
    forEachMeanBlock(e, values, e.params.paddedValueDim, leaf, inverse, [&](Value column, ArrayRef<Value> means) {
      for (auto [v, mean] : llvm::enumerate(means))
        e.store(mean, level.value, {node.group, node.place, columnOf(e, column, static_cast<int64_t>(v))});
    });
    callRotatedSquares(e, basis, deviation);
    emitBandVariances(e, deviation, inverse, level, node, [&](Value) { return e.f32(0); });
  });
}

// deviation [17,D] is scratch.
void emitMergeMoments(KernelEmitter& e, ValueRange arguments) {
  Level finer{arguments[0], arguments[1], arguments[2], arguments[3]}, level{arguments[6], arguments[7], arguments[8], arguments[9]};
  Value basis = arguments[4], deviation = arguments[10];
  Value fanout = e.toIndex(e.get(arguments[5], {e.index(2)}));
  e.forEach(e.index(0), e.mulIndex(e.dim(level.mean, 0), kGroupNodes), 1, [&](Value id) {
    Node node = nodeAt(e, id);
    Children children{finer, arith::MulIOp::create(e.b, id, fanout), fanout};
    Value n = children.sum(e, [&](GroupEmitter& four, Value group) { return Children::counts(four, finer, group); });
    Value inverse = inverseOf(e, n);
    setScalars(e, level, node, n);
    emitChildDeviations(e, children, inverse, level, node, deviation);
    emitChildValues(e, children, inverse, level, node);
    callRotatedSquares(e, basis, deviation);
    emitBandVariances(e, deviation, inverse, level, node, [&](Value band) {
      return children.sum(e, [&](GroupEmitter& four, Value group) {
        return four->mul(four->load(finer.var, {group, band, e.index(0)}), Children::counts(four, finer, group));
      });
    });
  });
}

}  // namespace hsa::ir
