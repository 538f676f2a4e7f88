// Moments of nodes about a reference query: of a leaf from its keys, of every other node from its children (docs/spec.md, "Node").
#include <cmath>
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/attend_batch.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/node_batch.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr double kNoMass = -1e30;  // the shift of a sum without terms: finite, so that -inf - shift is no NaN

// Arrays of one level.
struct Level {
  Value mean, value, var, scalar;
};

// Where a node stands in its level.
struct Node {
  Value group, place;
};
Node nodeAt(KernelEmitter& e, Value id) {
  return {arith::DivUIOp::create(e.b, id, e.index(kGroupNodes)), arith::RemUIOp::create(e.b, id, e.index(kGroupNodes))};
}

// 1/sum, and 0 for a node without keys: its moments become 0.
Value inverseOf(KernelEmitter& e, Value sum) {
  Value some = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, sum, e.f32(0));
  return e.select(some, arith::DivFOp::create(e.b, e.f32(1), sum), e.f32(0));
}

Value log2Of(KernelEmitter& e, Value x) { return vector::ExtractOp::create(e.b, e.log2(e.spread(x)), ArrayRef<int64_t>{0}); }

// Of one dimension.
struct Moments {
  Value mean, variance;
};

// Of one node: q₀·μ, its trace Σ_d var_d, and what of that its parts already had.
struct Totals {
  Value product, trace, within;
};

// Stores the mean of each dimension and the variance of each band, to which `within` adds what is known of the band.
Totals emitBands(KernelEmitter& e, Value reference, const Level& level, const Node& node, function_ref<Moments(Value d)> momentsOf,
                 function_ref<Value(Value band)> within) {
  const int64_t width = e.params.bandWidth();
  e.forEach(e.index(e.params.headDim), e.index(e.params.paddedHeadDim), 1,
            [&](Value d) { e.set(e.f32(0), level.mean, {node.group, d, node.place}); });
  SmallVector<Value> totals =
      e.fold(e.index(0), e.index(e.params.bands), 1, {e.f32(0), e.f32(0), e.f32(0)}, [&](Value band, ValueRange carried) {
        Value lo = e.minIndex(e.mulIndex(band, width), e.index(e.params.headDim));
        Value hi = e.minIndex(e.addIndex(lo, e.index(width)), e.index(e.params.headDim));
        SmallVector<Value> sums = e.fold(lo, hi, 1, {carried[0], e.f32(0)}, [&](Value d, ValueRange in) {
          Moments moments = momentsOf(d);
          e.set(moments.mean, level.mean, {node.group, d, node.place});
          return SmallVector<Value>{e.multiplyAdd(e.get(reference, {d}), moments.mean, in[0]), e.add(in[1], moments.variance)};
        });
        Value dims = arith::SIToFPOp::create(e.b, e.b.getF32Type(), e.toI32(arith::SubIOp::create(e.b, hi, lo)));
        Value known = within(band);
        e.set(e.multiplyAdd(sums[1], inverseOf(e, dims), known), level.var, {node.group, band, node.place});
        Value knownTrace = e.mul(known, dims);
        return SmallVector<Value>{sums[0], e.add(carried[1], e.add(sums[1], knownTrace)), e.add(carried[2], knownTrace)};
      });
  return {totals[0], totals[1], totals[2]};
}

// sum[d, c] += Σ_j left[d, j] right[j, c];  left [D,16], right [16,Dv].
void emitProduct(KernelEmitter& e, Value left, Value right, Value sum) {
  const int64_t tall = productRows(e);
  e.forEach(e.params.paddedHeadDim, tall, [&](Value d) {
    forEachColumnBlock(e, e.index(0), e.params.paddedValueDim, [&](Value column, int64_t vectors) {
      auto at = [&](int64_t r, int64_t v) { return SmallVector<Value>{e.addIndex(d, e.index(r)), columnOf(e, column, v)}; };
      SmallVector<Value> sums;
      for (int64_t r = 0; r < tall; ++r)
        for (int64_t v = 0; v < vectors; ++v) sums.push_back(e.load(sum, at(r, v)));
      sums = multiplyRows(
          e, e.index(0), e.index(kPanelKeys), vectors, sums,
          [&](int64_t r, Value j) { return e.get(left, {e.addIndex(d, e.index(r)), j}); },
          [&](Value j, int64_t v) { return e.load(right, {j, columnOf(e, column, v)}); });
      for (int64_t r = 0; r < tall; ++r)
        for (int64_t v = 0; v < vectors; ++v) e.store(sums[r * vectors + v], sum, at(r, v));
    });
  });
}

// Scratch and sums of the tilt: Σ_j p_j (k_j − μ)(v_j − v̄)ᵀ over the parts j of a node, keys or children.
struct Tilt {
  Value apartK;  // [D,16]: p_j (k_j − μ)
  Value apartV;  // [16,Dv]: v_j − v̄
  Value sum;     // [D,Dv]
  Value traces;  // [2]: Σ of the nodes' traces, and of what their parts already had

  void clear(KernelEmitter& e) const {
    e.forEach(e.params.paddedHeadDim, 1,
              [&](Value d) { e.forEach(kPanelKeys, e.lanes(), [&](Value j) { e.store(e.f32s(0), apartK, {d, j}); }); });
    e.forEach(kPanelKeys, 1,
              [&](Value j) { e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value c) { e.store(e.f32s(0), apartV, {j, c}); }); });
  }
  void add(KernelEmitter& e, const Totals& totals) const {
    const int64_t depth = e.params.paddedHeadDim, width = e.params.paddedValueDim;
    Type f32 = e.b.getF32Type();
    e.call("add_tilt", {e.blockType({depth, kPanelKeys}, f32), e.blockType({kPanelKeys, width}, f32), e.blockType({depth, width}, f32)},
           {apartK, apartV, sum}, [](KernelEmitter& in, ValueRange a) { emitProduct(in, a[0], a[1], a[2]); });
    e.set(e.add(e.get(traces, {e.index(0)}), totals.trace), traces, {e.index(0)});
    e.set(e.add(e.get(traces, {e.index(1)}), totals.within), traces, {e.index(1)});
  }
};

// log2 of the mass that a query of length 0 from the reference sees, and what merging and scoring want to know beside it.
void setScalars(KernelEmitter& e, const Level& level, const Node& node, Value logMass, const Totals& totals, Value n) {
  Value constant = e.sub(logMass, e.mul(totals.product, e.f32(e.params.logScale())));
  Value c2 = e.max(e.mul(log2Of(e, n), e.f32(2 * M_LN2)), e.f32(0));
  Value scalars[] = {constant, logMass, c2, n, totals.trace};
  for (int64_t which : {kNodeConstant, kNodeLogMass, kNodeGainBound, kNodeCount, kNodeTrace})
    e.set(scalars[which], level.scalar, {node.group, e.index(which), node.place});
}

// The 16 keys of a leaf as lanes: their weights, which add up to 1, log2 of their mass, and how many they are.
struct LeafWeights {
  SmallVector<Value> weights;
  Value logMass, count;
};

LeafWeights emitLeafWeights(KernelEmitter& e, Value keys, Value positions, Value reference, Value leaf) {
  const int64_t vectors = kPanelKeys / e.lanes();
  auto laneOf = [&](int64_t v) { return e.index(v * e.lanes()); };
  SmallVector<Value> zeros(vectors, e.f32s(0));
  SmallVector<Value> scores = e.fold(e.index(0), e.index(e.params.headDim), 1, zeros, [&](Value d, ValueRange carried) {
    SmallVector<Value> sums(carried);
    Value q = e.spread(e.get(reference, {d}));
    for (int64_t v = 0; v < vectors; ++v) sums[v] = e.multiplyAdd(q, e.load(keys, {leaf, d, laneOf(v)}), sums[v]);
    return sums;
  });
  Value top = e.f32s(kNoMass), counts = e.f32s(0);
  for (int64_t v = 0; v < vectors; ++v) {
    Value live = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, e.load(positions, {leaf, laneOf(v)}), e.i32s(kPadPosition));
    scores[v] = e.select(live, e.mul(scores[v], e.f32s(e.params.logScale())), e.f32s(-std::numeric_limits<double>::infinity()));
    counts = e.add(counts, e.select(live, e.f32s(1), e.f32s(0)));
    top = e.max(scores[v], top);
  }
  LeafWeights result;
  Value max = e.reduceMax(top), sum = e.f32s(0);
  for (Value score : scores) {
    result.weights.push_back(e.exp2(e.sub(score, e.spread(max))));
    sum = e.add(sum, result.weights.back());
  }
  Value total = e.reduceAdd(sum), inverse = e.spread(inverseOf(e, total));
  for (Value& weight : result.weights) weight = e.mul(weight, inverse);
  result.logMass = e.add(max, log2Of(e, total));
  result.count = e.reduceAdd(counts);
  return result;
}

Value sumOf(KernelEmitter& e, ArrayRef<Value> vectors) {
  Value sum = vectors[0];
  for (Value v : vectors.drop_front()) sum = e.add(sum, v);
  return e.reduceAdd(sum);
}

// v̄ = Σ_j p_j v_j, and v_j − v̄ in the scratch of the tilt.
void emitLeafValue(KernelEmitter& e, Value values, ArrayRef<Value> weights, Value leaf, const Level& level, const Node& node,
                   const Tilt& tilt) {
  SmallVector<Value> spread;
  for (Value weight : weights)
    for (int64_t lane = 0; lane < e.lanes(); ++lane)
      spread.push_back(e.spread(vector::ExtractOp::create(e.b, weight, ArrayRef<int64_t>{lane})));
  e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value column) {
    Value sum = e.f32s(0);
    for (int64_t key = 0; key < kPanelKeys; ++key) sum = e.multiplyAdd(spread[key], e.load(values, {leaf, e.index(key), column}), sum);
    e.store(sum, level.value, {node.group, node.place, column});
    e.forEach(kPanelKeys, 1, [&](Value key) { e.store(e.sub(e.load(values, {leaf, key, column}), sum), tilt.apartV, {key, column}); });
  });
}

// The four leaves of a group, in f32: the same function whatever type they are stored in. The first of them tells the tilt of the leaves: 2,048 keys
// a segment, for D × Dv numbers.
void emitLeafNodes(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], values = arguments[1], positions = arguments[2], reference = arguments[3];
  Level level{arguments[4], arguments[5], arguments[6], arguments[7]};
  Tilt tilt{arguments[10], arguments[11], arguments[8], arguments[9]};
  e.forEach(kGroupNodes, 1, [&](Value leaf) {
    Node node{e.index(0), leaf};
    LeafWeights p = emitLeafWeights(e, keys, positions, reference, leaf);
    auto momentsOf = [&](Value d) -> Moments {
      SmallVector<Value> k, terms;
      for (int64_t v = 0; v < kPanelKeys / e.lanes(); ++v) {
        k.push_back(e.load(keys, {leaf, d, e.index(v * e.lanes())}));
        terms.push_back(e.mul(p.weights[v], k[v]));
      }
      Value mean = sumOf(e, terms);
      for (auto [v, term] : llvm::enumerate(terms)) {
        Value apart = e.sub(k[v], e.spread(mean)), weighted = e.mul(p.weights[v], apart);
        e.store(weighted, tilt.apartK, {d, e.index(static_cast<int64_t>(v) * e.lanes())});
        term = e.mul(weighted, apart);
      }
      return {mean, sumOf(e, terms)};
    };
    Totals totals = emitBands(e, reference, level, node, momentsOf, [&](Value) { return e.f32(0); });
    setScalars(e, level, node, p.logMass, totals, p.count);
    emitLeafValue(e, values, p.weights, leaf, level, node, tilt);
    Value sampled = arith::CmpIOp::create(e.b, arith::CmpIPredicate::eq, leaf, e.index(0));
    e.when(sampled, [&] { tilt.add(e, totals); });
  });
}

// Groups of children of one node: nodes 4(first + i) … 4(first + i) + 3 of the finer level, for i below `count`.
struct Children {
  Level level;
  Value first, count;
  Value share;  // scratch [4,4]: p of each child

  Value scalar(GroupEmitter& four, int64_t which, Value i) const {
    return four->load(level.scalar, {four->addIndex(first, i), four->index(which), four->index(0)});
  }
  // Σ over the groups of a vector of four, then over its lanes.
  Value sum(KernelEmitter& e, function_ref<Value(GroupEmitter& four, Value i)> term) const {
    GroupEmitter four(e);
    Value total = e.fold(e.index(0), count, 1, {four->f32s(0)},
                         [&](Value i, ValueRange carried) { return SmallVector<Value>{four->add(carried[0], term(four, i))}; })[0];
    return four->reduceAdd(total);
  }
  // Σ_c p_c x_c.
  Value mean(KernelEmitter& e, function_ref<Value(GroupEmitter& four, Value i)> x) const {
    return sum(e, [&](GroupEmitter& four, Value i) { return four->mul(four->load(share, {i, four->index(0)}), x(four, i)); });
  }
};

// Fills `share`; returns log2 of the mass of all children.
Value emitShares(KernelEmitter& e, const Children& children) {
  GroupEmitter four(e);
  Value max = four->reduceMax(e.fold(e.index(0), children.count, 1, {four->f32s(kNoMass)}, [&](Value i, ValueRange carried) {
    return SmallVector<Value>{four->max(children.scalar(four, kNodeLogMass, i), carried[0])};
  })[0]);
  Value total = children.sum(e, [&](GroupEmitter& in, Value i) {
    Value mass = in->exp2(in->sub(children.scalar(in, kNodeLogMass, i), in->spread(max)));
    in->store(mass, children.share, {i, in->index(0)});
    return mass;
  });
  Value inverse = four->spread(inverseOf(e, total));
  e.forEach(e.index(0), children.count, 1, [&](Value i) {
    four->store(four->mul(four->load(children.share, {i, e.index(0)}), inverse), children.share, {i, e.index(0)});
  });
  return e.add(max, log2Of(e, total));
}

// v̄ = Σ_c p_c v̄_c, and v̄_c − v̄ in the scratch of the tilt.
void emitChildValues(KernelEmitter& e, const Children& children, const Level& level, const Node& node, const Tilt& tilt) {
  e.forEach(e.params.paddedValueDim, e.lanes(), [&](Value column) {
    Value sum = e.fold(e.index(0), children.count, 1, {e.f32s(0)}, [&](Value i, ValueRange carried) {
      Value group = e.addIndex(children.first, i), total = carried[0];
      for (int64_t place = 0; place < kGroupNodes; ++place) {
        Value share = e.spread(e.get(children.share, {i, e.index(place)}));
        total = e.multiplyAdd(share, e.load(children.level.value, {group, e.index(place), column}), total);
      }
      return SmallVector<Value>{total};
    })[0];
    e.store(sum, level.value, {node.group, node.place, column});
    e.forEach(e.index(0), e.mulIndex(children.count, kGroupNodes), 1, [&](Value c) {
      Node child = nodeAt(e, e.addIndex(e.mulIndex(children.first, kGroupNodes), c));
      e.store(e.sub(e.load(children.level.value, {child.group, child.place, column}), sum), tilt.apartV, {c, column});
    });
  });
}

}  // namespace

void emitLeafMoments(KernelEmitter& e, ValueRange arguments) {
  Value keys = arguments[0], values = arguments[1], positions = arguments[2], keyBatch = arguments[12], valueBatch = arguments[13];
  const int64_t d = e.params.paddedHeadDim, dv = e.params.paddedValueDim;
  Tilt{arguments[10], arguments[11], arguments[8], arguments[9]}.clear(e);
  Type f32 = e.b.getF32Type();
  auto block = [&](ArrayRef<int64_t> shape) { return e.blockType(shape, f32); };
  e.forEach(e.index(0), arith::DivUIOp::create(e.b, e.dim(positions, 0), e.index(kGroupNodes)), 1, [&](Value group) {
    Value first = e.mulIndex(group, kGroupNodes);
    e.forEach(kGroupNodes, 1, [&](Value slot) {
      gatherLeaf(e, keys, e.addIndex(first, slot), keyBatch, slot, d, kPanelKeys);
      gatherLeaf(e, values, e.addIndex(first, slot), valueBatch, slot, kPanelKeys, dv);
    });
    SmallVector<Value> operands = {keyBatch, valueBatch, e.slice(positions, first, kGroupNodes), arguments[3]};
    for (Value node : arguments.slice(4, 4)) operands.push_back(e.slice(node, group, 1));
    llvm::append_range(operands, arguments.slice(8, 4));
    e.call("leaf_nodes",
           {block({kBatchPanels, d, kPanelKeys}), block({kBatchPanels, kPanelKeys, dv}),
            e.blockType({kGroupNodes, kPanelKeys}, e.b.getI32Type()), block({d}), block({1, d, kGroupNodes}), block({1, kGroupNodes, dv}),
            block({1, e.params.bands, kGroupNodes}), block({1, kNodeScalars, kGroupNodes}), block({d, dv}), block({2}),
            block({d, kPanelKeys}), block({kPanelKeys, dv})},
           operands, [](KernelEmitter& in, ValueRange a) { emitLeafNodes(in, a); });
  });
}

void emitMergeMoments(KernelEmitter& e, ValueRange arguments) {
  Level finer{arguments[0], arguments[1], arguments[2], arguments[3]}, level{arguments[6], arguments[7], arguments[8], arguments[9]};
  Value reference = arguments[4], share = arguments[12];
  Tilt tilt{arguments[13], arguments[14], arguments[10], arguments[11]};
  tilt.clear(e);
  Value fanout = e.toIndex(e.get(arguments[5], {e.index(2)}));
  e.forEach(e.index(0), e.mulIndex(e.dim(level.mean, 0), kGroupNodes), 1, [&](Value id) {
    Node node = nodeAt(e, id);
    Children children{finer, arith::MulIOp::create(e.b, id, fanout), fanout, share};
    Value logMass = emitShares(e, children);
    auto momentsOf = [&](Value d) -> Moments {
      auto childMean = [&](GroupEmitter& four, Value i) {
        return four->load(finer.mean, {four->addIndex(children.first, i), d, four->index(0)});
      };
      Value mean = children.mean(e, childMean);
      return {mean, children.mean(e, [&](GroupEmitter& four, Value i) {
                Value apart = four->sub(childMean(four, i), four->spread(mean));
                four->store(four->mul(four->load(share, {i, four->index(0)}), apart), tilt.apartK, {d, four->mulIndex(i, kGroupNodes)});
                return four->mul(apart, apart);
              })};
    };
    Totals totals = emitBands(e, reference, level, node, momentsOf, [&](Value band) {
      return children.mean(
          e, [&](GroupEmitter& four, Value i) { return four->load(finer.var, {four->addIndex(children.first, i), band, four->index(0)}); });
    });
    Value n = children.sum(e, [&](GroupEmitter& four, Value i) { return children.scalar(four, kNodeCount, i); });
    setScalars(e, level, node, logMass, totals, n);
    emitChildValues(e, children, level, node, tilt);
    tilt.add(e, totals);
  });
}

}  // namespace hsa::ir
