// A small file as a string.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace hsa::frontend {

// NOT_FOUND         no such file, a directory, or not readable: names path and the system's reason
// INVALID_ARGUMENT  more than max_bytes: names both sizes
// DATA_LOSS         reading failed half-way
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

}  // namespace hsa::frontend
