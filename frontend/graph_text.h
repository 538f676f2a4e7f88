// Graphs written by hand: protobuf's text format, with errors that point at the line and guess what was meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

inline constexpr size_t kMaxGraphTextBytes = size_t{1} << 20;

// The graph that `text` spells, its constraints (graph_cN) not yet checked; `path` stands for it in messages. One line, the first error only:
// INVALID_ARGUMENT  "g.textproto:7:14: unknown field 'causl' in attention.mask; did you mean 'causal'?", lines and byte columns from 1
absl::StatusOr<Graph> ParseGraphText(std::string_view text, std::string_view path);

// Reads, parses and checks a file.
// INVALID_ARGUMENT  as ParseGraphText, or "path: graph_c11: ..." (frontend/check_graph.h); other codes as ReadFile
absl::StatusOr<Graph> LoadGraphText(const std::string& path);

// The graph as ParseGraphText reads it.
std::string PrintGraphText(const Graph& graph);

}  // namespace hsa::frontend
