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
  allBlocks = cutIntoBlocks();
}

bool Layout::sees(int64_t i, int64_t j) const {
  const int64_t p = position(i), window = maskAttr.getSlidingWindow();
  return (!causal() || j <= p) && (window == 0 || j > p - window || j < maskAttr.getSinkTokens());
}

int64_t Layout::windowOf(int64_t i) const {
  return llvm::divideFloorSigned(position(i), configAttr.getWindowTokens()) * configAttr.getWindowTokens();
}

std::vector<Window> Layout::windows() const {
  std::vector<Window> windows;
  for (int64_t i = 0; i < queryCount; ++i) {
    if (windows.empty() || windows.back().start != windowOf(i)) windows.push_back({windowOf(i), {i, i}});
    windows.back().queries.end = i + 1;
  }
  return windows;
}

int64_t Layout::segmentOf(int64_t windowStart) const {
  return llvm::divideFloorSigned(nearStart(windowStart), configAttr.getSegmentTokens());
}

std::vector<Block> Layout::cutIntoBlocks() const {
  const auto blockOf = [&](const Window& window) {
    const int64_t segment = segmentOf(window.start);
    return segment < 2 ? 0 : segment < 32 ? static_cast<int64_t>(llvm::Log2_64(segment)) : 4 + segment / 32;
  };
  std::vector<Block> blocks;
  for (const Window& window : windows()) {
    if (blocks.empty() || blockOf(blocks.back().windows[0]) != blockOf(window)) blocks.emplace_back();
    blocks.back().windows.push_back(window);
  }
  return blocks;
}

int64_t Layout::nearStart(int64_t windowStart) const {
  const int64_t mini = configAttr.getMiniSegmentTokens();
  return causal() ? windowStart : keyCount / mini * mini;
}

std::vector<int64_t> Layout::indexOf(int64_t windowStart) const {
  const int64_t start = nearStart(windowStart), segment = configAttr.getSegmentTokens();
  const int64_t segmentsEnd = start / segment * segment;
  std::vector<int64_t> seen;
  for (size_t u = 0; u < allUnits.size(); ++u) {
    const Unit& unit = allUnits[u];
    const bool isSegment = unit.key.tokens == segment;
    if (unit.end() <= start && (isSegment || unit.key.firstToken >= segmentsEnd)) seen.push_back(int64_t(u));
  }
  return seen;
}

Sight Layout::sight(std::span<const int64_t> tile, const Unit& unit) const {
  const int64_t window = maskAttr.getSlidingWindow();
  if (window == 0) return Sight::kEntirely;
  const auto [earliest, latest] = std::minmax_element(tile.begin(), tile.end());
  // A query sees the sink prefix and the keys after p − window: the earliest query sees most, the latest least. The prefix makes no unit whole.
  if (unit.key.firstToken > position(*latest) - window) return Sight::kEntirely;
  const bool seesSome = unit.key.firstToken < maskAttr.getSinkTokens() || unit.end() - 1 > position(*earliest) - window;
  return seesSome ? Sight::kPartly : Sight::kNotAtAll;
}

}  // namespace hsa::ir::reference
