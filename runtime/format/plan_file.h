// The bytes of a plan file: how they are laid out, how a compiler writes and a runtime reads them. docs/plan_format.md shows them one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/format/plan.pb.h"

namespace hsa::format {

// The first 24 bytes, little-endian; the protobuf header follows, then zeros up to the first section.
//    0  8  magic
//    8  4  version
//   12  4  header_bytes
//   16  8  checksum: XXH3-64 of bytes 8-15 followed by all bytes from 24 on
inline constexpr std::string_view kPlanMagic("HSAPLAN\n", 8);
inline constexpr uint32_t kPlanVersion = 1;
inline constexpr size_t kPlanPrefixBytes = 24;
inline constexpr size_t kSectionAlignment = 64;
inline constexpr uint32_t kMaxHeaderBytes = 1u << 20;  // a header takes about 100 times its bytes once it is parsed
inline constexpr uint64_t kMaxPlanBytes = uint64_t{1} << 30;

inline uint64_t AlignUp(uint64_t offset) { return (offset + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment; }

// The same message gives the same bytes.
std::string SerializeDeterministic(const google::protobuf::MessageLite& message);

struct PlanPrefix {
  uint32_t version = 0;
  uint32_t header_bytes = 0;
  uint64_t checksum = 0;
};

// `file` holds at least kPlanPrefixBytes. The magic is the caller's to compare.
PlanPrefix ReadPrefix(std::span<const std::byte> file);

// What the prefix's checksum has to be. `file` holds at least kPlanPrefixBytes.
uint64_t PlanChecksum(std::span<const std::byte> file);

struct PlanSections {
  std::string bytecode;           // MLIR bytecode; may be empty
  std::vector<std::string> code;  // machine code, one image per variant of the header, in their order
};

// The whole file. Fills Variant.code and bytecode of `header`; the rest is written as it is, unchecked: CheckPlan is the judge.
// The same header and sections give the same bytes. `sections.code` has one image per variant.
std::string BuildPlanFile(PlanHeader header, const PlanSections& sections);

// Replaces `path` in one step: whoever opens it sees the old file or the new one, also after a crash.
// A device or a pipe is written to as it is. An error of the operating system names path, the step that failed
// and its reason; the old file is then untouched.
absl::Status WritePlanFile(const std::string& path, std::string_view bytes);

// The whole file in memory of our own: one that is overwritten or cut short while a mapping of it is in use would change or kill a run.
// NOT_FOUND or another error of the system, DATA_LOSS for what is not a regular file or too long: each names path and reason.
absl::StatusOr<std::vector<std::byte>> ReadPlanFile(const std::string& path);

}  // namespace hsa::format
