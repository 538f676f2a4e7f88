// Any bytes as a state file: refused with one line, or every array that it gives lies inside them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/format/plan_file.h"
#include "runtime/format/state_file.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void Try(std::span<const std::byte> file) {
  const auto state = hsa::format::CheckState(file, "in");
  if (!state.ok()) return Require(std::string(state.status().message()).find('\n') == std::string::npos);
  [[maybe_unused]] volatile float sink = 0;
  for (const char* name : {"max", "sum", "acc", "center", "variance", "amplitude", "factor", "cholesky", "adapt"}) {
    const hsa::format::StateRows rows = state->Find(file, name);
    if (rows.values.empty()) continue;
    const bool one_row = std::string_view(name) == "adapt" || std::string_view(name) == "acc";
    Require(rows.rows % state->splats() == 0 || (one_row && rows.rows == 1));
    sink = *rows.Row(0, 0);
    sink = rows.Row(state->header.kv_heads() - 1, rows.rows - 1)[rows.dim - 1];
  }
  const hsa::format::StateValues acc(*state, file);
  for (const int64_t s : {int64_t{0}, state->splats() - 1}) {
    const std::span<const float> row = acc.Row(state->header.kv_heads() - 1, s);
    Require(row.size() <= state->header.value_dim());
    if (!row.empty()) sink = row.back();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::unique_ptr<std::byte[], void (*)(void*)> file(static_cast<std::byte*>(std::aligned_alloc(64, (size + 64) / 64 * 64)),
                                                           std::free);
  std::memcpy(file.get(), data, size);
  const std::span<std::byte> bytes(file.get(), size);
  Try(bytes);
  if (size < hsa::format::kPlanPrefixBytes) return 0;
  const uint64_t checksum = hsa::format::PlanChecksum(bytes);  // what lies behind it is of interest, too
  std::memcpy(bytes.data() + 16, &checksum, sizeof checksum);
  Try(bytes);
  return 0;
}
