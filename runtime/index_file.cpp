#include "runtime/index_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/index_header.h"
#include "runtime/write_file.h"

namespace hsa {

namespace {

constexpr size_t kChecked = offsetof(IndexHeader, arrays_checksum);  // from here on

template <typename T>
void Append(std::string& out, const T* values, size_t count) {
  out.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

// The tables behind the header: non-finite keys of each kv_head, then what each query head has beside its nodes.
std::string Tables(const IndexStore& store, const Overlay& overlay) {
  std::string out;
  for (const std::vector<int32_t>& keys : store.bad_keys()) {
    const auto count = static_cast<int64_t>(keys.size());
    Append(out, &count, 1);
    Append(out, keys.data(), keys.size());
  }
  for (size_t head = 0; head < overlay.heads.size(); ++head) {
    const auto& [theta, error_scale, tilt] = overlay.heads[head];
    const std::vector<float>& reference = overlay.nodes(static_cast<int64_t>(head)).reference;
    Append(out, &theta, 1);
    Append(out, &error_scale, 1);
    Append(out, reference.data(), reference.size());
    for (const TiltTotal& level : tilt) {
      const std::vector<float> matrix(level.matrix.begin(), level.matrix.end());
      Append(out, level.traces.data(), level.traces.size());
      Append(out, matrix.data(), matrix.size());
    }
  }
  return out;
}

// Takes elements from the front of some bytes; once there are too few, `ok` is false and what is taken is empty.
class TableReader {
 public:
  explicit TableReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  void Take(std::vector<T>& out, int64_t count) {
    ok_ = ok_ && count >= 0 && count <= static_cast<int64_t>(bytes_.size() / sizeof(T));
    out.resize(ok_ ? count : 0);
    std::copy_n(bytes_.begin(), out.size() * sizeof(T), reinterpret_cast<std::byte*>(out.data()));
    bytes_ = bytes_.subspan(out.size() * sizeof(T));
  }
  template <typename T>
  void Take(T& out) {
    std::vector<T> one;
    Take(one, 1);
    if (ok_) out = one[0];
  }
  bool ok() const { return ok_; }
  bool all() const { return ok_ && bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
  bool ok_ = true;
};

bool IsTheta(double theta) { return std::isnan(theta) || theta == kReadAll || (theta >= 0 && std::isfinite(theta)); }

// Whoever can write a file can write its checksum.
bool IsPlausible(const IndexHeader& header, const Geometry& g) {
  const auto in_0_1 = [](double x) { return x > 0 && x < 1; };
  const bool none = header.error == 0 && header.confidence == 0;
  return header.segments >= 0 && header.segments <= (int64_t{1} << 30) / g.segment && header.minis >= 0 &&
         header.minis < g.minis_per_segment() && (none || (in_0_1(header.error) && in_0_1(header.confidence)));
}

uint64_t HashOf(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace

absl::Status SaveIndex(const std::string& path, const Job& job, const IndexStore& store, const Overlay& overlay) {
  IndexHeader header{};
  std::copy(std::begin(kIndexMagic), std::end(kIndexMagic), header.magic);
  header.graph = GraphHash(job);
  header.segments = store.segments_built();
  header.minis = store.minis_built();
  header.keys = KeyHash(job, KeyTokens(job.geometry, header));
  header.key_sample = KeySampleHash(job, KeyTokens(job.geometry, header));
  header.dtype = static_cast<int64_t>(job.inputs.key.dtype);
  header.error = overlay.tolerance.error, header.confidence = overlay.tolerance.confidence;
  std::string start = Tables(store, overlay);
  header.tables_bytes = static_cast<int64_t>(start.size());
  start.insert(0, sizeof header, '\0');
  const std::string zeros(MappedFile::kPage, '\0');
  std::vector<std::string_view> pieces = {{}};  // the first is `start`, once it is ready
  int64_t bytes = static_cast<int64_t>(start.size());
  const auto pad = [&] {
    if (const int64_t padding = ToPage(bytes) - bytes; padding > 0)
      pieces.push_back(std::string_view(zeros).substr(0, padding)), bytes += padding;
  };
  pad();
  for (const IndexArray& array : IndexArrays(job, store, &overlay, header.segments, header.minis)) {
    pieces.push_back({reinterpret_cast<const char*>(array.memory.data()), array.memory.size()});
    bytes += static_cast<int64_t>(array.memory.size());
    pad();
  }
  header.file_bytes = bytes;
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  for (const std::string_view piece : std::span(pieces).subspan(1)) XXH3_64bits_update(state, piece.data(), piece.size());
  header.arrays_checksum = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  std::memcpy(start.data(), &header, sizeof header);
  header.checksum = XXH3_64bits(start.data() + kChecked, start.size() - kChecked);
  std::memcpy(start.data(), &header, sizeof header);
  pieces[0] = start;
  return WriteFile(path, pieces);
}

absl::Status IndexFile::Damaged(std::string_view what) const {
  return absl::DataLossError(absl::StrCat(path_, ": ", std::string(what), "; write it again with --save-index"));
}
absl::Status IndexFile::OtherThan(std::string_view what) const {
  return absl::FailedPreconditionError(absl::StrCat(path_, ": ", std::string(what), "; build the index again without --index"));
}

absl::StatusOr<IndexFile> IndexFile::Open(const std::string& path, const Job& job) {
  absl::StatusOr<MappedFile> mapped = MappedFile::Open(path);
  if (absl::IsNotFound(mapped.status())) return absl::NotFoundError(absl::StrCat(path, ": no such index; write one with --save-index"));
  if (!mapped.ok()) return mapped.status();
  IndexFile file(path, job, *std::move(mapped));
  IndexHeader& header = file.header_;
  const std::span<const std::byte> bytes = file.file_.bytes();
  const auto size = static_cast<int64_t>(bytes.size());
  if (bytes.size() < sizeof header) return file.Damaged(absl::StrCat("is ", size, " bytes, an index has at least ", sizeof header));
  std::memcpy(&header, bytes.data(), sizeof header);
  if (!std::equal(std::begin(kIndexMagic), std::end(kIndexMagic), header.magic)) return file.Damaged("is no splat index of this version");
  if (header.file_bytes != size)
    return file.Damaged(absl::StrCat("is ", size, " bytes, its header says ", header.file_bytes, ": truncated or damaged"));
  if (header.tables_bytes < 0 || header.tables_bytes > size - static_cast<int64_t>(sizeof header))
    return file.Damaged("numbers of its header are out of range");
  if (HashOf(bytes.subspan(kChecked, sizeof header - kChecked + header.tables_bytes)) != header.checksum)
    return file.Damaged("checksum does not fit its header and tables: damaged");
  if (header.graph != GraphHash(job) || header.dtype != static_cast<int64_t>(job.inputs.key.dtype))
    return file.OtherThan("belongs to another graph or element type");
  if (!IsPlausible(header, job.geometry)) return file.Damaged("numbers of its header are out of range");
  const int64_t tokens = KeyTokens(job.geometry, header);
  if (tokens > job.geometry.keys) return file.OtherThan(absl::StrCat("covers ", tokens, " keys, the input has ", job.geometry.keys));
  if (header.key_sample != KeySampleHash(job, tokens)) return file.OtherThan("was built from other keys than the input's");
  if (absl::Status read = file.ReadTables(); !read.ok()) return read;
  file.bytes_read_ = static_cast<int64_t>(sizeof header) + header.tables_bytes + KeySampleBytes(job);
  return file;
}

absl::Status IndexFile::ReadTables() {
  const Geometry& g = job_->geometry;
  TableReader tables(file_.bytes().subspan(sizeof header_, header_.tables_bytes));
  const int64_t tokens = KeyTokens(g, header_);
  bad_keys_.resize(g.kv_heads);
  for (std::vector<int32_t>& keys : bad_keys_) {
    int64_t count = 0;
    tables.Take(count);
    tables.Take(keys, count);
    if (!tables.ok()) return Damaged("ends inside its non-finite keys");
    if (std::any_of(keys.begin(), keys.end(), [&](int32_t key) { return key < 0 || key >= tokens; }))
      return Damaged("has a non-finite key that it does not cover");
    if (std::ranges::adjacent_find(keys, std::ranges::greater_equal()) != keys.end())
      return Damaged("has non-finite keys that do not ascend");
  }
  heads_.resize(g.heads);
  references_.resize(g.heads);
  for (int64_t head = 0; head < g.heads; ++head) {
    auto& [theta, error_scale, tilt] = heads_[head];
    tables.Take(theta);
    tables.Take(error_scale);
    tables.Take(references_[head], g.padded_head_dim);
    tilt.resize(header_.segments > 0 ? g.levels : 0);
    for (TiltTotal& level : tilt) {
      for (double& trace : level.traces) tables.Take(trace);
      std::vector<float> matrix;
      tables.Take(matrix, g.padded_head_dim * g.padded_value_dim);
      level.matrix.assign(matrix.begin(), matrix.end());
    }
    const bool finite = std::all_of(references_[head].begin(), references_[head].end(), [](float x) { return std::isfinite(x); });
    if (!tables.ok() || !finite || !IsTheta(theta) || !(error_scale >= 0))
      return Damaged(absl::StrCat("has no usable overlay of head ", head));
  }
  return tables.all() ? absl::OkStatus() : Damaged("has tables of another size than its header says");
}

absl::Status IndexFile::CheckWhole() const {
  bytes_read_ += header_.file_bytes;
  if (HashOf(file_.bytes().subspan(sizeof header_ + header_.tables_bytes)) != header_.arrays_checksum)
    return Damaged("checksum does not fit its arrays: damaged");
  if (header_.keys != KeyHash(*job_, KeyTokens(job_->geometry, header_))) return OtherThan("was built from other keys than the input's");
  return absl::OkStatus();
}

absl::Status IndexFile::Put(IndexStore& store, Overlay* overlay) const {
  if (header_.segments > store.segments())
    return OtherThan(absl::StrCat("covers ", KeyTokens(job_->geometry, header_), " keys, the input has ", job_->geometry.keys));
  // Of a segment that is whole by now, its mini-segments are of no use.
  const int64_t minis = header_.segments == store.segments() ? header_.minis : 0;
  const std::vector<IndexArray> arrays = IndexArrays(*job_, store, overlay, header_.segments, header_.minis);
  int64_t end = ToPage(static_cast<int64_t>(sizeof header_) + header_.tables_bytes);
  for (const IndexArray& array : arrays) end += ToPage(static_cast<int64_t>(array.memory.size()));
  if (overlay != nullptr ? end != header_.file_bytes : end > header_.file_bytes)
    return Damaged("arrays have another size than its header says");
  int64_t offset = ToPage(static_cast<int64_t>(sizeof header_) + header_.tables_bytes);
  for (const IndexArray& array : arrays) {
    if (!array.of_minis || minis > 0)
      if (absl::Status put = file_.Put(offset, array.memory); !put.ok()) return put;
    offset += ToPage(static_cast<int64_t>(array.memory.size()));
  }
  store.NoteLoaded(header_.segments, minis, bad_keys_);
  if (overlay == nullptr) return absl::OkStatus();
  overlay->tolerance = {header_.error, header_.confidence};
  overlay->heads = heads_;
  for (int64_t head = 0; head < job_->geometry.heads; ++head) overlay->mutable_nodes(head).reference = references_[head];
  overlay->NoteLoaded(header_.segments, minis);
  return absl::OkStatus();
}

}  // namespace hsa
