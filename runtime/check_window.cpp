#include "runtime/check_window.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/format/token_window.h"

namespace hsa {

absl::Status CheckWindow(const RunOptions& options, const format::Graph& graph) {
  const std::string why = WhyNotWindow(
      *options.window_tokens,
      {.causal = graph.mask().causal(), .threshold = graph.routed().sparse().threshold() > 0, .adapts = options.adapt.has_value()});
  if (!why.empty()) return absl::InvalidArgumentError(why);
  if (options.token_error)
    return absl::InvalidArgumentError(
        "window: --token-error bounds what one state loses, a window is put together from many; leave one of them out");
  if (!options.load_states.empty() || !options.save_state.empty())
    return absl::InvalidArgumentError(
        "window: a state file holds what all tokens sent and forgets none; leave --state and --state-out out, or give --window 0");
  return absl::OkStatus();
}

int64_t FirstKeyRead(const RunOptions& options, const Geometry& geometry) {
  return options.window_tokens ? TokenWindow(*options.window_tokens).FirstSeen(geometry.first_position()) : 0;
}

int64_t KeysSent(const RunOptions& options, const Geometry& geometry) {
  if (!options.window_tokens) return geometry.keys;
  const TokenWindow window(*options.window_tokens);
  const int64_t of_panes = window.PaneBegin(std::max<int64_t>(geometry.keys - 1, 0)) - FirstKeyRead(options, geometry);
  return geometry.keys - window.PaneBegin(geometry.first_position()) + std::max<int64_t>(of_panes, 0);
}

std::string WindowText(const RunOptions& options, int64_t state_bytes) {
  if (options.window_tokens.value_or(0) == 0) return "";
  const TokenWindow window(*options.window_tokens);
  return absl::StrCat(", window ", window.tokens() + 1, " to ", window.tokens() + window.pane(), " tokens in ", TokenWindow::kPanes + 1,
                      " states of ", state_bytes, " bytes");
}

}  // namespace hsa
