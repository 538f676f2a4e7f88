// The bytes of a state file: how they are laid out, how a run writes and reads them. docs/state_format.md shows them one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/format/kept_dims.h"
#include "runtime/format/state.pb.h"

namespace hsa::format {

// The first 24 bytes are laid out as those of a plan (runtime/format/plan_file.h), with this magic and version.
inline constexpr std::string_view kStateMagic("HSASTAT\n", 8);
inline constexpr uint32_t kStateVersion = 2, kOldestStateVersion = 1;  // written; read
inline constexpr uint32_t kMaxStateHeaderBytes = 16u << 20;

// Of events, and of segments, the header has the last so many of each kv_head, for which it has room: encoded, one of each takes at most 46 + 69 bytes.
inline constexpr int64_t kMostLogEntries = 16384, kMostLogEntriesOfAll = 8 * kMostLogEntries;
constexpr int64_t LogEntriesOf(int64_t kv_heads) {
  return kv_heads <= 8 ? kMostLogEntries : kMostLogEntriesOfAll / kv_heads;  // 32 of 4096
}
static_assert(kMostLogEntriesOfAll * (46 + 69) + (1 << 20) <= kMaxStateHeaderBytes);  // 1 MiB: the rest, of 4096 kv_heads 35 bytes each

// An array of the file in the file's own bytes: as many floats as its shape says.
struct StateRows {
  std::span<const float> values;
  int64_t rows = 0, dim = 0;

  const float* Row(int64_t kv_head, int64_t row) const { return values.data() + (kv_head * rows + row) * dim; }
};

// A checked file.
struct StateFile {
  StateHeader header;

  // The array of that name in `bytes`, those that were checked; nothing when the file has none.
  StateRows Find(std::span<const std::byte> bytes, std::string_view name) const;
  int64_t splats() const;  // S
};

// Of the values all splats of a file together keep so many dimensions.
uint64_t KeptDims(const StateHeader& header);

// Covariances of the splats of a checked file: entries of a variance, 0 where there is a Cholesky factor; and rows of a factor for each splat.
struct StateCovariance {
  int64_t variances = 0, rank = 0;
};
StateCovariance CovarianceOf(const StateFile& file, std::span<const std::byte> bytes);
// "diagonal", "8 bands + rank 4"
std::string CovarianceText(const StateCovariance& of, int64_t head_dim);

// The array `acc` of a checked file: a row of each splat, as long as its level keeps dimensions, or of all where each has its value_dim.
class StateValues {
 public:
  StateValues(const StateFile& file, std::span<const std::byte> bytes);
  std::span<const float> Row(int64_t kv_head, int64_t splat) const;

 private:
  StateRows acc_;
  std::vector<uint64_t> begins_;  // [S + 1] in the numbers of a kv_head
};

// What has passed it is not checked again. `bytes` are aligned to 64.
// DATA_LOSS  truncated, damaged or of another version, or a number out of range: names `path`, the constraint and both values
absl::StatusOr<StateFile> CheckState(std::span<const std::byte> bytes, std::string_view path);

// The start of a file whose arrays follow as they are, each padded with zeros to a multiple of 64 bytes: the prefix and the header, with offsets. The
// same header and arrays give the same bytes. `arrays[i]` holds the bytes of header.arrays(i).
std::string StateFileStart(StateHeader header, std::span<const std::string_view> arrays);
// Zeros behind an array.
std::string_view StatePadding(uint64_t bytes);

}  // namespace hsa::format
