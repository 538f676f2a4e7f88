// Words of error messages that came from the user: quoted on one line, and what was probably meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hsa::frontend {

// `text` with control characters as \xNN and at most max_bytes of it, so that a message stays one readable line.
std::string OneLine(std::string_view text, size_t max_bytes = 1000);

// 'text', one line, at most 160 bytes of it.
std::string Quoted(std::string_view text);

// "; did you mean 'causal'?" for the candidate nearest to `word`, "" when none is near: at most a third of its letters differ.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace hsa::frontend
