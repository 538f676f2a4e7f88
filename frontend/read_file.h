// A small file as a string.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace hsa::frontend {

// NOT_FOUND, PERMISSION_DENIED, …  no such file, or the system's other reason not to open it: "path: reason"
// INVALID_ARGUMENT                 a directory, or more than max_bytes
// DATA_LOSS                        reading failed half-way
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

}  // namespace hsa::frontend
