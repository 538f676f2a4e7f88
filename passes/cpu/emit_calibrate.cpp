// The second-order gain of each node, fitted to what 16 sample queries really see of it.
#include <cmath>
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/cpu/emitters.h"
#include "passes/cpu/row_product.h"

namespace hsa::ir {

using namespace mlir;  // NOLINT

namespace {

constexpr int64_t kSamples = 16;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNoMass = -1e30;  // the shift of a sum without terms: finite, so that -inf - shift is no NaN

// scores[t, 16 i + lane] = σ log2 e · q_t·k of the four panels of a group.
void emitSampleScores(KernelEmitter& e, Value samples, Value panels, Value group, Value scores) {
  const int64_t tall = productRows(e);
  e.forEach(kBatchPanels, 1, [&](Value i) {
    Value panel = e.addIndex(e.mulIndex(group, kGroupNodes), i), first = e.mulIndex(i, kPanelKeys);
    forEachColumnBlock(e, e.index(0), kPanelKeys, [&](Value lane, int64_t vectors) {
      e.forEach(kSamples, tall, [&](Value t) {
        SmallVector<Value> zeros(tall * vectors, e.f32s(0));
        SmallVector<Value> sums = multiplyRows(
            e, e.index(0), e.index(e.params.paddedHeadDim), vectors, zeros,
            [&](int64_t r, Value d) { return e.get(samples, {e.addIndex(t, e.index(r)), d}); },
            [&](Value d, int64_t v) { return e.load(panels, {panel, d, columnOf(e, lane, v)}); });
        for (int64_t r = 0; r < tall; ++r)
          for (int64_t v = 0; v < vectors; ++v)
            e.store(e.mul(sums[r * vectors + v], e.f32s(e.params.logScale())), scores,
                    {e.addIndex(t, e.index(r)), e.addIndex(first, columnOf(e, lane, v))});
      });
    });
  });
}

struct Mass {
  Value max, sum;  // Σ 2^s = sum · 2^max
};

// Over the first `count` of 16 scores of row t from `column`.
Mass massOfLeaf(KernelEmitter& e, Value scores, Value t, int64_t column, Value count) {
  SmallVector<Value> live;
  Value top = e.f32s(kNoMass);
  for (int64_t lane = 0; lane < kPanelKeys; lane += e.lanes()) {
    SmallVector<float> lanes;
    for (int64_t i = 0; i < e.lanes(); ++i) lanes.push_back(static_cast<float>(lane + i));
    Value number = arith::ConstantOp::create(e.b, DenseElementsAttr::get(e.f32Vector(), ArrayRef(lanes)));
    Value inside = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OLT, number, e.spread(count));
    live.push_back(e.select(inside, e.load(scores, {t, e.index(column + lane)}), e.f32s(-kInfinity)));
    top = e.max(live.back(), top);
  }
  Value max = e.reduceMax(top), sum = e.f32s(0);
  for (Value score : live) sum = e.add(sum, e.exp2(e.sub(score, e.spread(max))));
  return {max, e.reduceAdd(sum)};
}

// The four masses of one sample in one group. 0 keys: sum = 0, so -inf.
void storeMasses(KernelEmitter& e, ArrayRef<Mass> masses, Value trueMass, Value group, Value t) {
  GroupEmitter four(e);
  SmallVector<Value> tops, sums;
  for (const Mass& mass : masses) {
    tops.push_back(mass.max);
    sums.push_back(mass.sum);
  }
  Value top = vector::FromElementsOp::create(e.b, four->f32Vector(), tops),
        sum = vector::FromElementsOp::create(e.b, four->f32Vector(), sums);
  four->store(four->add(top, four->log2(sum)), trueMass, {group, t, e.index(0)});
}

// What a sample tells about the four nodes of a group: the gain h, and by how much the true log-mass exceeds log n + σ q·μ + h.
struct Sample {
  Value gain, excess;
};

// Natural logarithms. Samples behind `count` are 0, so that sums over all 16 are sums over the live ones.
Sample sampleOf(KernelEmitter& four, Value scoreLog2, Value trueLog2, Value s2, Value logCount, Value live) {
  Value c2 = four.max(four.mul(logCount, four.f32s(2 * M_LN2)), four.f32s(0)), c = four.sqrt(c2), s = four.sqrt(s2);
  Value small = arith::CmpFOp::create(four.b, arith::CmpFPredicate::OLE, s, c);
  Value gain = four.select(small, four.mul(s2, four.f32s(0.5)), four.sub(four.mul(s, c), four.mul(c2, four.f32s(0.5))));
  Value error = four.mul(four.sub(trueLog2, four.add(logCount, scoreLog2)), four.f32s(M_LN2));
  Value zero = four.f32s(0);
  return {four.select(live, gain, zero), four.select(live, four.sub(error, gain), zero)};
}

// q_t · μ of 16 samples and four nodes [16,4], eight samples at a time: as many sums as stay in registers.
void emitSampleProducts(KernelEmitter& four, Value samples, Value mean, Value group, Value products) {
  constexpr int64_t kHalf = kSamples / 2;
  four.forEach(kSamples, kHalf, [&](Value first) {
    SmallVector<Value> zeros(kHalf, four.f32s(0));
    SmallVector<Value> sums = multiplyRows(
        four, four.index(0), four.index(four.params.paddedHeadDim), 1, zeros,
        [&](int64_t t, Value d) { return four.get(samples, {four.addIndex(first, four.index(t)), d}); },
        [&](Value d, int64_t) { return four.load(mean, {group, d, four.index(0)}); });
    for (auto [t, sum] : llvm::enumerate(sums)) four.store(sum, products, {four.addIndex(first, four.index(t)), four.index(0)});
  });
}

SmallVector<Value> bandVariances(KernelEmitter& four, Value var, Value group) {
  SmallVector<Value> variances;
  for (int64_t band = 0; band < four.params.bands; ++band) variances.push_back(four.load(var, {group, four.index(band), four.index(0)}));
  return variances;
}

// What all samples tell, [16,4] each, and their sums.
struct Samples {
  Value gains, excesses, gain, excess;
};

// b = cov(h, excess)/(var h + 0.1 + 0.05 h̄²); β = clamp(1 + b, 0, 2), τ = mean excess - b h̄.
std::pair<Value, Value> fit(KernelEmitter& four, const Samples& samples, Value count, Value inverse) {
  Value zero = four.f32s(0), gain = four.mul(samples.gain, inverse), excess = four.mul(samples.excess, inverse);
  SmallVector<Value> moments = four.fold(four.index(0), four.index(kSamples), 1, {zero, zero}, [&](Value t, ValueRange carried) {
    Value live = arith::CmpIOp::create(four.b, arith::CmpIPredicate::slt, four.toI32(t), count);
    Value h = four.select(live, four.sub(four.load(samples.gains, {t, four.index(0)}), gain), zero);
    Value y = four.sub(four.load(samples.excesses, {t, four.index(0)}), excess);
    return SmallVector<Value>{four.multiplyAdd(h, h, carried[0]), four.multiplyAdd(h, y, carried[1])};
  });
  Value ridge = four.multiplyAdd(four.mul(gain, gain), four.f32s(0.05), four.f32s(0.1));
  Value slope = arith::DivFOp::create(four.b, four.mul(moments[1], inverse), four.multiplyAdd(moments[0], inverse, ridge));
  Value beta = four.min(four.max(four.add(slope, four.f32s(1)), zero), four.f32s(2));
  return {beta, four.sub(excess, four.mul(slope, gain))};
}

}  // namespace

void emitLeafMass(KernelEmitter& e, ValueRange arguments) {
  Value samples = arguments[0], panels = arguments[1], nodeScalar = arguments[2], trueMass = arguments[3], scores = arguments[4];
  e.forEach(e.index(0), e.dim(trueMass, 0), 1, [&](Value group) {
    emitSampleScores(e, samples, panels, group, scores);
    e.forEach(kSamples, 1, [&](Value t) {
      SmallVector<Mass> masses;
      for (int64_t place = 0; place < kGroupNodes; ++place)
        masses.push_back(massOfLeaf(e, scores, t, place * kPanelKeys, e.get(nodeScalar, {group, e.index(3), e.index(place)})));
      storeMasses(e, masses, trueMass, group, t);
    });
  });
}

void emitMergeMass(KernelEmitter& e, ValueRange arguments) {
  Value childMass = arguments[0], trueMass = arguments[2];
  Value fanout = e.toIndex(e.get(arguments[1], {e.index(2)}));
  GroupEmitter four(e);
  auto massOf = [&](Value node, Value t) -> Mass {
    Value first = arith::MulIOp::create(e.b, node, fanout);
    auto over = [&](Value start, function_ref<Value(Value sum, Value mass)> step) {
      return e.fold(e.index(0), fanout, 1, {start}, [&](Value i, ValueRange carried) {
        return SmallVector<Value>{step(carried[0], four->load(childMass, {e.addIndex(first, i), t, e.index(0)}))};
      })[0];
    };
    Value max = four->reduceMax(over(four->f32s(kNoMass), [&](Value top, Value mass) { return four->max(mass, top); }));
    Value sum =
        over(four->f32s(0), [&](Value total, Value mass) { return four->add(total, four->exp2(four->sub(mass, four->spread(max)))); });
    return {max, four->reduceAdd(sum)};
  };
  e.forEach(e.index(0), e.dim(trueMass, 0), 1, [&](Value group) {
    e.forEach(kSamples, 1, [&](Value t) {
      SmallVector<Mass> masses;
      for (int64_t place = 0; place < kGroupNodes; ++place)
        masses.push_back(massOf(e.addIndex(e.mulIndex(group, kGroupNodes), e.index(place)), t));
      storeMasses(e, masses, trueMass, group, t);
    });
  });
}

void emitFitGain(KernelEmitter& e, ValueRange arguments) {
  Value queries = arguments[0], bands = arguments[1], trueMass = arguments[2], mean = arguments[3], var = arguments[4];
  Value nodeScalar = arguments[6];
  GroupEmitter four(e);
  Value count = e.get(arguments[5], {e.index(0)});
  Value some = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sgt, count, e.i32(0));
  Value live = arith::SIToFPOp::create(e.b, e.b.getF32Type(), arith::MaxSIOp::create(e.b, count, e.i32(1)));
  Value inverse = four->spread(arith::DivFOp::create(e.b, e.f32(1), live));
  auto ofSamples = [&] { return e.local({kSamples, kGroupNodes}); };
  Value products = ofSamples(), gains = ofSamples(), excesses = ofSamples();
  e.forEach(e.index(0), e.dim(nodeScalar, 0), 1, [&](Value group) {
    Value logCount = four->load(nodeScalar, {group, e.index(0), e.index(0)}), zero = four->f32s(0);
    SmallVector<Value> variances = bandVariances(*four, var, group);
    emitSampleProducts(*four, queries, mean, group, products);
    SmallVector<Value> sums = e.fold(e.index(0), e.index(kSamples), 1, {zero, zero}, [&](Value t, ValueRange carried) {
      Value s2 = zero;
      for (auto [band, variance] : llvm::enumerate(variances))
        s2 = four->multiplyAdd(four->spread(e.get(bands, {t, e.index(static_cast<int64_t>(band))})), variance, s2);
      Value live = arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, e.toI32(t), count);
      Value scoreLog2 = four->mul(four->load(products, {t, e.index(0)}), four->f32s(e.params.logScale()));
      Sample sample = sampleOf(*four, scoreLog2, four->load(trueMass, {group, t, e.index(0)}), s2, logCount, live);
      four->store(sample.gain, gains, {t, e.index(0)});
      four->store(sample.excess, excesses, {t, e.index(0)});
      return SmallVector<Value>{four->add(carried[0], sample.gain), four->add(carried[1], sample.excess)};
    });
    auto [beta, tau] = fit(*four, {gains, excesses, sums[0], sums[1]}, count, inverse);
    Value fitted = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGE, logCount, four->f32s(0));  // the node has keys
    Value both = arith::AndIOp::create(e.b, fitted, four->spread(some));
    four->store(four->select(both, beta, four->f32s(1)), nodeScalar, {group, e.index(1), e.index(0)});
    four->store(four->select(both, tau, four->f32s(0)), nodeScalar, {group, e.index(2), e.index(0)});
  });
}

}  // namespace hsa::ir
