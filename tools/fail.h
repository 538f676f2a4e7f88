// How a tool of this project ends when it cannot do its work.
#pragma once

#include <iostream>
#include <string>

#include "absl/status/status.h"

namespace hsa {

// Prints "tool: message" as one line on standard error and returns the exit status: 130 for a cancelled run, as a shell reports Ctrl-C,
// else `exit_status`.
inline int Fail(int exit_status, const std::string& tool, const absl::Status& status) {
  std::cerr << tool << ": " << std::string(status.message()) << '\n';
  return absl::IsCancelled(status) ? 130 : exit_status;
}

}  // namespace hsa
