// A file, written whole or not at all.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace hsa {

// Writes `path`.tmp.PID and gives it the name `path`; a symbolic link is followed. A pipe, a terminal, another device and /dev/stdout and its
// like, whatever they stand for, are written to as they are.
// FAILED_PRECONDITION  names the system's reason; nothing is left behind
absl::Status WriteFile(const std::string& path, std::string_view text);
// The same of several pieces, one behind the other.
absl::Status WriteFile(const std::string& path, std::span<const std::string_view> pieces);

}  // namespace hsa
