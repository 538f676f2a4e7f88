// The products of a tile of queries with a batch of 64 nodes, in f32 or in pairs of bf16; everything else about nodes is f32.
#pragma once

#include "passes/cpu/node_groups.h"

namespace hsa::ir {

class NodeProducts {
 public:
  virtual ~NodeProducts() = default;
  // How many nodes from the first on have scores; behind them there is no node of the batch.
  virtual Value met(KernelEmitter& e, const BatchGroups& groups) const = 0;
  // scores [TQ,64] = q · μ of the nodes;  means [?,D,4] of all groups
  virtual void scores(const BatchGroups& groups, Value means, Value scores) = 0;
  // out [TQ,64] = (q − q₀) · columns [4,D,16] of a tilt
  virtual void tilt(Value columns, Value out) = 0;
  // Takes the weights of 32 nodes from `node` on in a row, in vectors.
  virtual void keepWeights(Value row, int64_t node, llvm::ArrayRef<Value> weights) = 0;
  // acc [TQ,Dv] += the weights that were kept · the values of the nodes;  values [?,4,Dv] of all groups
  virtual void values(const BatchGroups& groups, Value values, Value acc) = 0;
  // 2^x to the precision of the products. Above 2^64 its square is infinite, so that a node opens.
  virtual Value exp2(KernelEmitter& e, Value x) const = 0;
  // KernelEmitter::call of a function between the products, or its body in their midst.
  virtual void call(llvm::StringRef name, llvm::ArrayRef<MemRefType> types, ValueRange arguments,
                    llvm::function_ref<void(KernelEmitter&, ValueRange)> body) = 0;
};

class VectorProducts : public NodeProducts {
 public:
  struct Scratch {
    Value means;    // [4,D,16]
    Value weights;  // [TQ,64]
    Value values;   // [4,16,Dv]
  };
  VectorProducts(KernelEmitter& emitter, Value query, Value apart, const Scratch& scratch)
      : e_(emitter), query_(query), apart_(apart), scratch_(scratch) {}
  Value met(KernelEmitter& e, const BatchGroups&) const override { return e.index(kBatchKeys); }
  void scores(const BatchGroups& groups, Value means, Value scores) override;
  void tilt(Value columns, Value out) override;
  void keepWeights(Value row, int64_t node, llvm::ArrayRef<Value> weights) override;
  void values(const BatchGroups& groups, Value values, Value acc) override;
  Value exp2(KernelEmitter& e, Value x) const override;
  void call(llvm::StringRef name, llvm::ArrayRef<MemRefType> types, ValueRange arguments,
            llvm::function_ref<void(KernelEmitter&, ValueRange)> body) override {
    e_.call(name, types, arguments, body);
  }

 private:
  KernelEmitter& e_;
  Value query_, apart_;  // [TQ,D]
  Scratch scratch_;
};

// Means are the sum of two bf16: a node that stands for many keys must not err by 2^-9 of a score. Weights, values and tilts are rounded, as those of keys are.
class PairProducts : public NodeProducts {
 public:
  struct Scratch {
    Value high, low;  // [4,D32/2,32] of means
    Value apart;      // [TQ,D32] in pairs
    Value weights;    // [TQ,64] in pairs
    Value values;     // [2,Dv,32]
  };
  PairProducts(KernelEmitter& emitter, Value pairQuery, Value apart, const Scratch& scratch)
      : e_(emitter), query_(pairQuery), apart_(apart), scratch_(scratch) {}
  Value met(KernelEmitter& e, const BatchGroups& groups) const override { return e.mulIndex(filledPanels(e, groups), kPanelKeys); }
  void scores(const BatchGroups& groups, Value means, Value scores) override;
  void tilt(Value columns, Value out) override;
  void keepWeights(Value row, int64_t node, llvm::ArrayRef<Value> weights) override;
  void values(const BatchGroups& groups, Value values, Value acc) override;
  Value exp2(KernelEmitter& e, Value x) const override { return e.exp2Coarse(x, 1); }
  // No calls: behind each, tiles would be configured anew.
  void call(llvm::StringRef, llvm::ArrayRef<MemRefType>, ValueRange arguments,
            llvm::function_ref<void(KernelEmitter&, ValueRange)> body) override {
    body(e_, arguments);
  }

 private:
  // out = rows · `count` columns of the sum of the parts [4,D32/2,32]
  void multiply(Value rows, llvm::ArrayRef<Value> parts, Value count, Value out);

  KernelEmitter& e_;
  Value query_;  // [TQ,D32] in pairs
  Value apart_;  // [TQ,D]
  Scratch scratch_;
};

}  // namespace hsa::ir
