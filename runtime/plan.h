// A compiled attention graph, mapped and checked: immutable, shared by any number of threads and runs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"

namespace hsa {

// Machine code of one variant. Called with one pointer to a memref descriptor per stage argument.
using EntryPoint = void (*)(void* const* descriptors);

class Plan {
 public:
  // Reads `path`, checks every constraint of runtime/format/plan.proto and the checksum, and maps the code of the best variant that this
  // processor runs (avx512 before avx2 before sse2).
  // NOT_FOUND            no such file
  // DATA_LOSS            truncated or damaged: names path, byte offset or constraint, and what is wrong
  // FAILED_PRECONDITION  another schema version (names the command that rebuilds it), or no variant for this CPU (names the features missing)
  static absl::StatusOr<Plan> Load(const std::string& path);

  // The same from memory; `name` stands for the path in messages.
  static absl::StatusOr<Plan> FromBytes(std::span<const std::byte> bytes, std::string_view name);

  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;
  ~Plan();

  const format::PlanHeader& header() const;
  const format::Graph& graph() const { return header().graph(); }

  // The variant that Load chose, or another that this processor runs: UNIMPLEMENTED names the features that are missing.
  const format::Variant& variant() const;
  absl::Status SelectVariant(std::string_view name);

  // Entry of the selected variant; null when there is none of that name (the checker has proved that every stage has its entry).
  EntryPoint entry(std::string_view name) const;

  int64_t file_bytes() const;
  uint64_t checksum() const;  // of the file: two plans with the same one are the same

 private:
  struct Impl;
  explicit Plan(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hsa
