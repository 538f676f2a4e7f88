#include "runtime/format/token_window.h"

#include "absl/strings/str_cat.h"

namespace hsa {

std::string WhyNotWindow(int64_t tokens, const WindowSubject& subject) {
  if (tokens < TokenWindow::kLeastTokens || tokens > TokenWindow::kMostTokens || tokens % TokenWindow::kLeastTokens != 0)
    return absl::StrCat("window is ", tokens, ", wanted a multiple of ", TokenWindow::kLeastTokens, ", at most ", TokenWindow::kMostTokens,
                        ": its eight panes are whole chunks of 64 tokens");
  if (!subject.causal) return "window: the graph is not causal, whose tokens see all others; compile it with causal: true";
  if (subject.threshold)
    return "window: the graph has sparse { threshold }, which goes by how many tokens there were and not by how many are seen; "
           "leave one of them out";
  if (subject.adapts)
    return "window: splats that adapt are not taken back with the tokens that are forgotten, in this version; leave window or adapt out";
  return "";
}

}  // namespace hsa
