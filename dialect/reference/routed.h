// docs/spec.md "Routed" in float64, in the order of its formulas. Splats of query head h of H are those of kv_head ⌊h·Hkv/H⌋.
#pragma once

#include <optional>

#include "dialect/hsa_ops.h"
#include "dialect/reference/partial.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace hsa::ir::reference {

// What says the covariances of splats, as in hsa.affinity; null where there is none.
struct Covariances {
  const Tensor *variance = nullptr, *factor = nullptr, *cholesky = nullptr;
};

// log φ_s of every token: tokens [H,N,D], center [Hkv,S,D] → [H,N,S].
Tensor affinity(const Tensor& tokens, const Tensor& center, const Covariances& covariances);

// Where links lead, and through which rank; 0: through none.
struct LinkList {
  llvm::ArrayRef<int64_t> from, to, ranks;
};

// One matrix [Hkv,S,S] of all links; factors in their order, one of a link of rank 0, expand and compress of another.
Tensor links(llvm::ArrayRef<const Tensor*> factors, llvm::ArrayRef<int64_t> levels, const LinkList& list);

// log (1 + link) e^affinity: affinity [Hkv,M,S], link [Hkv,S,S] → [Hkv,M,S].
Tensor flow(const Tensor& affinity, const Tensor& link);

// Adds what token j sends to the state's rows; nothing when it is not finite.
void sendToken(const Tensor& sent, const Tensor& value, int64_t kvHead, int64_t j, Partial& state);

// log softmax(weight q + bias): query [H,N,D], weight [Hkv,L,D], bias [Hkv,L,1] → [H,N,L].
Tensor gate(const Tensor& query, const Tensor& weight, const Tensor& bias);

// What a receiver adds to the affinity of a splat: log w_ℓ a_s and the gate.
struct Weights {
  llvm::ArrayRef<int64_t> levels;
  llvm::ArrayRef<double> weights;
  const Tensor* amplitude = nullptr;       // [Hkv,S,1]
  const Tensor* gate = nullptr;            // [H,N,L]
  llvm::ArrayRef<int64_t> valueDims = {};  // of the values of a level, how many count; empty: all
};

// Row (h, i) of `output` [H,N,Dv] from a state.
void receiveRow(const Tensor& affinity, const Partial& state, const Weights& weights, int64_t h, int64_t i, Partial& output);

// The first token that position p sees through a window of W tokens, C ⌊p/C⌋ − W with C = W/8, or 0.
int64_t firstSeen(std::optional<uint64_t> window, int64_t p);

// The state of the tokens [firstSeen, p] of every kv_head, from that of position p − 1: made afresh where the window has moved.
void sendPrefix(const Tensor& sent, const Tensor& value, std::optional<uint64_t> window, int64_t p, Partial& state);

// Splats that adapt are those of a run, which splits them as its stream goes by: what is observed alone changes nothing and is evaluated.
llvm::Error refuseAdapting(std::optional<AdaptAttr> adapt);

}  // namespace hsa::ir::reference
