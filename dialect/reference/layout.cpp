#include "dialect/reference/layout.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace hsa::ir::reference {

Layout::Layout(int64_t queries, int64_t keys, MaskAttr mask, ConfigAttr config)
    : queryCount(queries), keyCount(keys), maskAttr(mask), configAttr(config) {
  if (!config) return;
  int64_t firstScore = 0;
  for (int64_t tokens : {config.getSegmentTokens(), config.getMiniSegmentTokens()})
    for (int64_t begin = 0; begin + tokens <= keys; begin += tokens) {
      Unit unit{{begin, tokens}, {}, {}, firstScore};
      int64_t nodes = 0;
      for (int64_t level : config.getLevelTokens(tokens)) {
        unit.levelTokens.push_back(level);
        unit.firstNode.push_back(nodes);
        nodes += tokens / level;
      }
      firstScore += nodes;
      allUnits.push_back(std::move(unit));
    }
}

bool Layout::sees(int64_t i, int64_t j) const {
  const int64_t p = position(i), window = maskAttr.getSlidingWindow();
  return (!causal() || j <= p) && (window == 0 || j > p - window || j < maskAttr.getSinkTokens());
}

int64_t Layout::tileOf(int64_t i) const { return llvm::divideFloorSigned(position(i), configAttr.getTileQueries()); }

int64_t Layout::firstTile() const { return tileOf(0); }

Range Layout::queriesOf(int64_t tile) const {
  const int64_t begin = tile * configAttr.getTileQueries() - position(0);
  return {std::max<int64_t>(begin, 0), std::min(begin + configAttr.getTileQueries(), queryCount)};
}

int64_t Layout::nearStart(int64_t tile) const {
  const int64_t mini = configAttr.getMiniSegmentTokens(), window = configAttr.getWindowTokens();
  if (!causal()) return keyCount / mini * mini;
  const int64_t windowStart = llvm::divideFloorSigned(tile * configAttr.getTileQueries(), window) * window;
  return std::max<int64_t>(0, windowStart - mini);
}

std::vector<int64_t> Layout::indexOf(int64_t tile) const {
  const int64_t start = nearStart(tile), segment = configAttr.getSegmentTokens();
  const int64_t segmentsEnd = start / segment * segment;
  std::vector<int64_t> seen;
  for (size_t u = 0; u < allUnits.size(); ++u) {
    const Unit& unit = allUnits[u];
    const bool isSegment = unit.key.tokens == segment;
    if (unit.end() <= start && (isSegment || unit.key.firstToken >= segmentsEnd)) seen.push_back(int64_t(u));
  }
  return seen;
}

Sight Layout::sight(int64_t tile, const Unit& unit) const {
  const int64_t window = maskAttr.getSlidingWindow();
  if (window == 0) return Sight::kEntirely;
  const Range queries = queriesOf(tile);
  // A query sees the sink prefix and the keys after p − window: the earliest query sees most, the latest least. The prefix makes no unit whole.
  if (unit.key.firstToken > position(queries.end - 1) - window) return Sight::kEntirely;
  const bool seesSome = unit.key.firstToken < maskAttr.getSinkTokens() || unit.end() - 1 > position(queries.begin) - window;
  return seesSome ? Sight::kPartly : Sight::kNotAtAll;
}

}  // namespace hsa::ir::reference
