// What the last panes of a window have sent (docs/spec.md, "Windows").
#pragma once

#include <deque>
#include <utility>

#include "runtime/format/token_window.h"
#include "runtime/routed_state.h"

namespace hsa {

class PaneStates {
 public:
  // Into a state of no tokens: added up afresh, so that nothing of what fell out is left.
  void AddTo(RoutedState& state) {
    for (RoutedState& pane : panes_) state.Merge(pane);
  }

  // The newest pane; the oldest falls out when the window is full.
  void Push(RoutedState pane) {
    panes_.push_back(std::move(pane));
    if (static_cast<int64_t>(panes_.size()) > TokenWindow::kPanes) panes_.pop_front();
  }

  // Of one kv_head beside its state: the panes, and the one that grows.
  static int64_t Bytes(int64_t splats, int64_t value_dim) { return (TokenWindow::kPanes + 1) * RoutedState::Bytes(splats, value_dim); }

 private:
  std::deque<RoutedState> panes_;  // oldest first
};

}  // namespace hsa
