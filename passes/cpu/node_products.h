// The products of a tile of queries with a batch of 64 nodes, in f32 or in pairs of bf16; everything else about nodes is f32.
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

class NodeProducts {
 public:
  virtual ~NodeProducts() = default;
  // scores [TQ,64] = q · μ;  means [4,D,16]
  virtual void scores(Value means, Value scores) = 0;
  // out [TQ,64] = (q − q₀) · columns [4,D,16] of a tilt
  virtual void tilt(Value columns, Value out) = 0;
  // acc [TQ,Dv] += weights [TQ,64] · values [4,16,Dv]
  virtual void values(Value weights, Value values, Value acc) = 0;
};

class VectorProducts : public NodeProducts {
 public:
  VectorProducts(KernelEmitter& emitter, Value query, Value apart) : e_(emitter), query_(query), apart_(apart) {}
  void scores(Value means, Value scores) override;
  void tilt(Value columns, Value out) override;
  void values(Value weights, Value values, Value acc) override;

 private:
  KernelEmitter& e_;
  Value query_, apart_;  // [TQ,D]
};

// Means are the sum of two bf16: a node that stands for many keys must not err by 2^-9 of a score. Weights and values are rounded, as those of keys are.
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
  void scores(Value means, Value scores) override;
  void tilt(Value columns, Value out) override;
  void values(Value weights, Value values, Value acc) override;

 private:
  void multiply(Value rows, Value columns, Value out);

  KernelEmitter& e_;
  Value query_;  // [TQ,D32] in pairs
  Value apart_;  // [TQ,D]
  Scratch scratch_;
};

}  // namespace hsa::ir
