// docs/spec.md "Mask" and "Units, near field and index": who sees what, as positions only.
#pragma once

#include "dialect/hsa_dialect.h"
#include "dialect/reference/interpreter.h"

#include <span>
#include <vector>

namespace hsa::ir::reference {

struct Unit {
  UnitKey key;
  std::vector<int64_t> levelTokens;  // slots of a node, from the leaves up
  std::vector<int64_t> firstNode;    // number of node 0 of a level within the unit
  int64_t firstScore = 0;            // number of the unit's first node within the index

  int64_t end() const { return key.firstToken + key.tokens; }
  int64_t levels() const { return int64_t(levelTokens.size()); }
  int64_t nodes(int64_t level) const { return key.tokens / levelTokens[level]; }
  int64_t nodeCount() const { return firstNode.back() + 1; }
};

enum class Sight { kEntirely, kPartly, kNotAtAll };

// Half-open.
struct Range {
  int64_t begin = 0, end = 0;
};

// The queries of a window that exist.
struct Window {
  int64_t start = 0;  // w0
  Range queries;      // their numbers i
};

// Windows in a row whose queries have one reference.
struct Block {
  std::vector<Window> windows;

  Range queries() const { return {windows.front().queries.begin, windows.back().queries.end}; }
};

// The geometry of `queries` queries at the end of `keys` keys. Only sees() and position() work without a config.
class Layout {
 public:
  Layout(int64_t queries, int64_t keys, MaskAttr mask, ConfigAttr config);

  int64_t queries() const { return queryCount; }
  int64_t keys() const { return keyCount; }
  const std::vector<Unit>& units() const { return allUnits; }
  const std::vector<Block>& blocks() const { return allBlocks; }
  ConfigAttr config() const { return configAttr; }
  bool causal() const { return maskAttr.getCausal(); }
  int64_t tileCount() const { return configAttr.getTileCount(queryCount, keyCount); }

  // Position of query i among the keys.
  int64_t position(int64_t i) const { return keyCount - queryCount + i; }
  bool sees(int64_t i, int64_t j) const;

  // w0 of the window that query i is in.
  int64_t windowOf(int64_t i) const;
  // Keys from here on are near to the queries of the window at w0.
  int64_t nearStart(int64_t windowStart) const;
  // The segment in which that key lies: its region.
  int64_t segmentOf(int64_t windowStart) const;
  // Units (numbers in units()) of the index that the window at w0 sees: segments, then the mini-segments after them.
  std::vector<int64_t> indexOf(int64_t windowStart) const;
  // How much of the unit the sliding window shows to the queries `tile` (their numbers), at least partly what the sink prefix shows of it; of a
  // unit in the index of their window, causality shows everything.
  Sight sight(std::span<const int64_t> tile, const Unit& unit) const;

 private:
  std::vector<Window> windows() const;
  std::vector<Block> cutIntoBlocks() const;

  const int64_t queryCount, keyCount;
  const MaskAttr maskAttr;
  const ConfigAttr configAttr;
  std::vector<Unit> allUnits;
  std::vector<Block> allBlocks;
};

}  // namespace hsa::ir::reference
