// Any bytes as the text of a graph: refused with one line, or a graph whose defaults, printed and read again, are the same graph.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "frontend/check_graph.h"
#include "frontend/graph_text.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireOneLine(const absl::Status& status) { Require(std::string(status.message()).find('\n') == std::string::npos); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto graph = hsa::frontend::ParseGraphText(text, "in");
  if (!graph.ok()) {
    RequireOneLine(graph.status());
    return 0;
  }
  if (const absl::Status checked = hsa::frontend::CheckGraph(*graph); !checked.ok()) {
    RequireOneLine(checked);
    return 0;
  }
  const hsa::frontend::Graph full = hsa::frontend::WithDefaults(*graph);
  Require(hsa::frontend::CheckGraph(full).ok());
  const auto again = hsa::frontend::ParseGraphText(hsa::frontend::PrintGraphText(full), "printed");
  Require(again.ok());
  Require(again->SerializeAsString() == full.SerializeAsString());
  return 0;
}
