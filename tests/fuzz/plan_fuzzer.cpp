// Plan files. The fuzzer's bytes get a right magic, version and checksum, so that they reach the checks behind; what passes must then hold
// what runtime/format/check_plan.h promises.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/format/check_plan.h"
#include "runtime/format/plan_file.h"
#include "runtime/plan.h"

namespace {

using hsa::format::Argument;
using hsa::format::PlanHeader;
using hsa::format::Section;
using hsa::format::Stage;
using hsa::format::Variant;

void Require(bool holds) {
  if (!holds) std::abort();
}

template <typename T>
void Store(std::vector<std::byte>& file, size_t at, T value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

// Nearly every change of a file moves its end or its header; the length in the prefix follows, or no input would get past it.
std::vector<std::byte> Repair(const uint8_t* data, size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> file(bytes, bytes + size);
  if (size < hsa::format::kPlanPrefixBytes) return file;
  std::memcpy(file.data(), hsa::format::kPlanMagic.data(), hsa::format::kPlanMagic.size());
  Store(file, 8, hsa::format::kPlanVersion);
  const size_t most = size - hsa::format::kPlanPrefixBytes;
  const uint32_t header_bytes = hsa::format::ReadPrefix(file).header_bytes;
  if (header_bytes > most) Store(file, 12, static_cast<uint32_t>(header_bytes % (most + 1)));
  Store(file, 16, hsa::format::PlanChecksum(file));
  return file;
}

// Reads every byte, so that the address sanitizer sees a section that leaves the file.
void Touch(const std::vector<std::byte>& file, const Section& section) {
  [[maybe_unused]] static volatile std::byte sink;
  for (uint64_t i = 0; i < section.bytes(); ++i) sink = file.data()[section.offset() + i];
}

// Writes the last element of every buffer argument, as the stage would.
void WriteLast(std::vector<std::byte>& arena, const PlanHeader& header, const Argument& a) {
  uint64_t bytes = a.type() == hsa::format::BF16 || a.type() == hsa::format::F16 ? 2 : 4;
  for (const int64_t dim : a.shape()) bytes *= static_cast<uint64_t>(dim);
  arena.data()[header.buffers(a.buffer()).offset() + bytes - 1] = std::byte{1};
}

void RequirePromises(const std::vector<std::byte>& file, const PlanHeader& header) {
  Touch(file, header.bytecode());
  for (const Variant& v : header.variants()) {
    Touch(file, v.code());
    for (const hsa::format::Entry& e : v.entries()) Require(e.offset() < v.code().bytes());
  }
  if (header.arena_bytes() > 1 << 20) return;  // allocating a gigabyte for each input would only be slow
  std::vector<std::byte> arena(header.arena_bytes());
  for (const Stage& s : header.stages())
    for (const Argument& a : s.arguments())
      if (a.port().empty()) WriteLast(arena, header, a);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<std::byte> file = Repair(data, size);
  const absl::StatusOr<PlanHeader> header = hsa::format::CheckPlan(file, "fuzz.hsaplan");
  if (header.ok())
    RequirePromises(file, *header);
  else
    Require(header.status().message().find('\n') == absl::string_view::npos);

  const absl::StatusOr<hsa::Plan> plan = hsa::Plan::FromBytes(file, "fuzz.hsaplan");
  Require(header.ok() || !plan.ok());
  if (!plan.ok()) return 0;
  for (const Stage& s : plan->header().stages())
    for (const char* suffix : {".f32", ".bf16"}) Require(plan->entry(s.typed() ? s.entry() + suffix : s.entry()) != nullptr);
  return 0;
}
