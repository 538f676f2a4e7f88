// How much of a causal stream a token of scheme routed sees (docs/spec.md, "Windows"): of a graph, a plan or a run.
#pragma once

#include <cstdint>
#include <string>

namespace hsa {

// A window of W tokens slides by panes of C = W/8: position p sees [C ⌊p/C⌋ − W, p].
class TokenWindow {
 public:
  static constexpr int64_t kPanes = 8;                  // of a window
  static constexpr int64_t kLeastTokens = 64 * kPanes;  // panes are whole chunks
  static constexpr int64_t kMostTokens = int64_t{1} << 30;

  explicit TokenWindow(int64_t tokens) : tokens_(tokens) {}

  int64_t tokens() const { return tokens_; }
  int64_t pane() const { return tokens_ / kPanes; }
  int64_t PaneBegin(int64_t position) const { return position / pane() * pane(); }
  int64_t FirstSeen(int64_t position) const { return position < tokens_ ? 0 : PaneBegin(position) - tokens_; }

 private:
  int64_t tokens_;
};

// What has a window: whether it is causal, has a threshold of sparse affinities, and adapts.
struct WindowSubject {
  bool causal = false, threshold = false, adapts = false;
};

// Why there is no such window: what is and what was wanted; empty where there is one.
std::string WhyNotWindow(int64_t tokens, const WindowSubject& subject);

}  // namespace hsa
