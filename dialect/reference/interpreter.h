// What a function of layer 0 or 1 computes, in float64. Shares no code with the compiled path: it is what that path is judged by.
#pragma once

#include "dialect/reference/tensor.h"
#include "llvm/Support/Error.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <utility>

namespace hsa::ir::reference {

// A unit of the index by its first key and its length: a segment or a mini-segment (docs/spec.md "Units, near field and index").
struct UnitKey {
  int64_t firstToken = 0;
  int64_t tokens = 0;
  auto operator<=>(const UnitKey&) const = default;
};

struct NodeKey {
  UnitKey unit;
  int64_t level = 0;  // 0: leaves
  int64_t node = 0;   // covers the slots [node·size, (node+1)·size) of the unit
  auto operator<=>(const NodeKey&) const = default;
};

struct TileKey {
  int64_t head = 0;
  int64_t window = 0;  // w0, the key position where the window of its queries starts
  int64_t tile = 0;    // number within the window, from 0 over the tiles that hold queries
  auto operator<=>(const TileKey&) const = default;
};

// What compiled code decided, to be used in place of the interpreter's own decisions. What is absent, the interpreter decides itself. References,
// moments, scores, masses and residuals are its own in any case.
struct GivenIndex {
  // Slot → key (its number in the sequence) or −1, per (kv_head, unit).
  std::map<std::pair<int64_t, UnitKey>, std::vector<int64_t>> slots;
  // The tiles of a (head, w0), in order: the key positions of their queries.
  std::map<std::pair<int64_t, int64_t>, std::vector<std::vector<int64_t>>> tiles;
  // The opened nodes of a tile. A unit that the mask hides partly is opened by the rule of hsa.select, whatever is given.
  std::map<TileKey, std::vector<NodeKey>> opened;
};

// A node that was a candidate of a tile, and how far it was from the threshold.
struct Candidate {
  TileKey tile;
  NodeKey node;
  bool opened = false;
  double rmsOverTheta = 0;  // +∞ when θ = 0 and the residual is not 0, NaN when both are 0
};

// Runs `function` on `inputs`, one per argument. Values are taken as they are: rounding to bf16 or f16 is the caller's.
// `candidates`, if not null, receives every candidate of every selection.
// The error names the op (or the argument) and what is wrong.
llvm::Expected<std::vector<Tensor>> Interpret(mlir::func::FuncOp function, const std::vector<Tensor>& inputs,
                                              const GivenIndex* given = nullptr, std::vector<Candidate>* candidates = nullptr);

}  // namespace hsa::ir::reference
