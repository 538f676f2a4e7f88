// A splat index in a file, as docs/index_format.md lays it out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/index_store.h"
#include "runtime/mapped_file.h"
#include "runtime/overlay.h"

namespace hsa {

// The fixed start of the file. Checksums are XXH3-64.
struct IndexHeader {
  char magic[8];
  uint64_t checksum;         // of the rest of the header and of the tables behind it
  uint64_t arrays_checksum;  // of everything behind the tables
  uint64_t graph;            // of what the arrays depend on
  uint64_t keys;             // of the keys and values that the index covers
  uint64_t key_sample;       // of some of them
  int64_t file_bytes, tables_bytes;
  int64_t segments, minis;  // whole segments, and mini-segments of the one behind them
  int64_t dtype;
  double error, confidence;  // that θ was calibrated for; 0: none was
};
static_assert(sizeof(IndexHeader) == 104);

// Writes the leaves of `store` and what `overlay` has of the same units.
// FAILED_PRECONDITION  the file cannot be written: names the system's reason
absl::Status SaveIndex(const std::string& path, const Job& job, const IndexStore& store, const Overlay& overlay);

// An opened file whose header and tables are whole, and which was made for the job's graph and element type.
class IndexFile {
 public:
  // Also compares a sample of the keys and values (docs/index_format.md, "What is checked").
  // NOT_FOUND            no such file
  // DATA_LOSS            truncated, damaged, or of another version
  // FAILED_PRECONDITION  another graph, other keys: names the file and what differs
  static absl::StatusOr<IndexFile> Open(const std::string& path, const Job& job);

  // Compares all keys and values, and every byte of the arrays.
  absl::Status CheckWhole() const;

  // Puts the leaves into the store, and the nodes, references, tilt and θ into the overlay unless it is null.
  absl::Status Put(IndexStore& store, Overlay* overlay) const;

  // Of the file and of the sampled keys, so far; what Put maps is read when it is used.
  int64_t bytes_read() const { return bytes_read_; }

 private:
  IndexFile(const std::string& path, const Job& job, MappedFile file) : path_(path), job_(&job), file_(std::move(file)) {}
  absl::Status ReadTables();
  absl::Status Damaged(std::string_view what) const;
  absl::Status OtherThan(std::string_view what) const;

  std::string path_;
  const Job* job_;
  MappedFile file_;
  IndexHeader header_{};
  mutable int64_t bytes_read_ = 0;
  std::vector<std::vector<int32_t>> bad_keys_;  // of each kv_head
  std::vector<Overlay::Head> heads_;
  std::vector<std::vector<float>> references_;
};

}  // namespace hsa
