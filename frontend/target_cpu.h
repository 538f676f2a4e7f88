// The processors that a plan can be compiled for, by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hsa::frontend {

// "native,x86-64-v3" → {"native", "x86-64-v3"}, checked.
absl::StatusOr<std::vector<std::string>> ParseCpus(std::string_view list);

// INVALID_ARGUMENT when the list is empty, names a processor twice, or one that LLVM knows neither for x86-64 nor for AArch64.
absl::Status CheckCpus(const std::vector<std::string>& cpus);

}  // namespace hsa::frontend
