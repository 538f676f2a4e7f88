// docs/spec.md "Mask" and "Units, near field and index": who sees what, as positions only.
#pragma once

#include "dialect/hsa_dialect.h"
#include "dialect/reference/interpreter.h"

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

// The geometry of `queries` queries at the end of `keys` keys. Everything but units, tiles and the near field works without a config.
class Layout {
 public:
  Layout(int64_t queries, int64_t keys, MaskAttr mask, ConfigAttr config);

  int64_t queries() const { return queryCount; }
  int64_t keys() const { return keyCount; }
  const std::vector<Unit>& units() const { return allUnits; }
  ConfigAttr config() const { return configAttr; }
  bool causal() const { return maskAttr.getCausal(); }

  // Position of query i among the keys.
  int64_t position(int64_t i) const { return keyCount - queryCount + i; }
  bool sees(int64_t i, int64_t j) const;

  // Tiles that hold queries are [firstTile, firstTile + tileCount).
  int64_t firstTile() const;
  int64_t tileCount() const { return configAttr.getTileCount(queryCount, keyCount); }
  int64_t tileOf(int64_t i) const;
  Range queriesOf(int64_t tile) const;  // numbers i of its queries

  // Keys from here on are near to the queries of the tile.
  int64_t nearStart(int64_t tile) const;
  // Units (numbers in units()) of the index that the tile's window sees: segments, then the mini-segments after them.
  std::vector<int64_t> indexOf(int64_t tile) const;
  // How much of the unit the sliding window shows to the queries of the tile, at least partly what the sink prefix shows of it; of a unit in
  // indexOf(tile), causality shows everything.
  Sight sight(int64_t tile, const Unit& unit) const;

 private:
  const int64_t queryCount, keyCount;
  const MaskAttr maskAttr;
  const ConfigAttr configAttr;
  std::vector<Unit> allUnits;
};

}  // namespace hsa::ir::reference
