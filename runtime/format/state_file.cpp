#include "runtime/format/state_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/format/plan_file.h"

namespace hsa::format {
namespace {

constexpr uint64_t kMaxTokens = uint64_t{1} << 40;
constexpr uint64_t kMaxSplats = 65536;

// The checks of one file, whose refusals all begin alike.
class Checker {
 public:
  Checker(std::span<const std::byte> bytes, std::string_view path) : bytes_(bytes), path_(path) {}

  absl::StatusOr<StateFile> Check() {
    if (absl::Status prefix = CheckPrefix(); !prefix.ok()) return prefix;
    StateFile file;
    if (!file.header.ParseFromArray(bytes_.data() + kPlanPrefixBytes, static_cast<int>(ReadPrefix(bytes_).header_bytes)))
      return Damaged("its header is no message of this version: damaged");
    absl::Status status = CheckSizes(file.header);
    if (status.ok()) status = CheckArrays(file);
    if (status.ok()) status = CheckNumbers(file);
    if (status.ok()) status = CheckAdapted(file);
    if (!status.ok()) return status;
    return file;
  }

 private:
  absl::Status Damaged(std::string_view what) const {
    return absl::DataLossError(absl::StrCat(path_, ": ", std::string(what), "; write it again with hsa-run --state-out"));
  }
  absl::Status Refuse(int constraint, std::string_view what) const {
    return Damaged(absl::StrCat("state_c", constraint, ": ", std::string(what)));
  }

  absl::Status CheckPrefix() const {
    const auto size = bytes_.size();
    if (size < kPlanPrefixBytes) return Damaged(absl::StrCat("is ", size, " bytes, a state has at least ", kPlanPrefixBytes));
    if (std::memcmp(bytes_.data(), kStateMagic.data(), kStateMagic.size()) != 0) return Damaged("is no state file");
    const PlanPrefix prefix = ReadPrefix(bytes_);
    if (prefix.version < kOldestStateVersion || prefix.version > kStateVersion)
      return Damaged(
          absl::StrCat("is of version ", prefix.version, ", this program reads versions ", kOldestStateVersion, " to ", kStateVersion));
    if (prefix.header_bytes > kMaxStateHeaderBytes || prefix.header_bytes > size - kPlanPrefixBytes)
      return Damaged(absl::StrCat("is ", size, " bytes, its header alone is ", prefix.header_bytes, ": truncated or damaged"));
    if (prefix.checksum != PlanChecksum(bytes_)) return Damaged("checksum does not fit its bytes: truncated or damaged");
    return absl::OkStatus();
  }

  absl::Status CheckSizes(const StateHeader& h) {
    if (h.tokens() > kMaxTokens) return Refuse(1, absl::StrCat("tokens is ", h.tokens(), ", wanted at most ", kMaxTokens));
    for (const auto& [name, value, most] :
         {std::tuple{"kv_heads", h.kv_heads(), 4096u}, {"head_dim", h.head_dim(), 1024u}, {"value_dim", h.value_dim(), 1024u}})
      if (value < 1 || value > most) return Refuse(1, absl::StrCat(name, " is ", value, ", wanted 1..", most));
    if (h.levels().empty() || h.levels_size() > 16) return Refuse(2, absl::StrCat("it has ", h.levels_size(), " levels, wanted 1..16"));
    for (const SplatLevel& level : h.levels()) {
      splats_ += level.splats();
      if (level.splats() < 1 || splats_ > kMaxSplats)
        return Refuse(2, absl::StrCat("a level has ", level.splats(), " splats, wanted 1 or more and at most ", kMaxSplats, " together"));
      if (level.name().size() > 256 || !std::ranges::all_of(level.name(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; }))
        return Refuse(2, "a level has a name of more than 256 bytes or with control characters");
      if (level.value_dim() > h.value_dim())
        return Refuse(2, absl::StrCat("a level keeps ", level.value_dim(), " value dims, wanted at most ", h.value_dim()));
      if (!std::isfinite(level.weight()) || level.weight() < 0)
        return Refuse(2, absl::StrCat("a level has weight ", level.weight(), ", wanted a finite number ≥ 0"));
    }
    if (h.has_sparse() && !(h.sparse().top() > 0 && h.sparse().threshold() >= 0 && h.sparse().threshold() < 1))
      return Refuse(
          7, absl::StrCat("sparse is top ", h.sparse().top(), ", threshold ", h.sparse().threshold(), ", wanted 1 or more and 0..1"));
    return absl::OkStatus();
  }

  absl::Status CheckArrays(const StateFile& file) const {
    const StateHeader& h = file.header;
    struct Known {
      std::string_view name;
      std::vector<uint32_t> dims;
      bool required;
      int found = 0;
    };
    Known known[] = {{"max", {1}, true},
                     {"sum", {1}, true},
                     {"acc", {h.value_dim()}, true},
                     {"center", {h.head_dim()}, true},
                     {"variance", {h.head_dim(), 1}, true},
                     {"amplitude", {1}, false},
                     {"factor", {h.head_dim()}, false},
                     {"cholesky", {h.head_dim()}, false},
                     {"adapt", {}, false}};
    Known &variance = known[4], &factor = known[6], &cholesky = known[7];
    for (const StateArray& array : h.arrays()) {
      const auto is = std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return k.name == array.name(); });
      if (is == std::end(known)) return Refuse(3, absl::StrCat("array '", array.name(), "' is unknown"));
      if (++is->found > 1) return Refuse(3, absl::StrCat("array '", array.name(), "' is there twice"));
      const bool numbers = array.name() == "adapt", packed = array.name() == "acc" && KeptDims(h) < splats_ * h.value_dim();
      const bool fits = numbers ? array.rows() == 1 && array.dim() % 2 == 0
                                : array.rows() == splats_ && std::find(is->dims.begin(), is->dims.end(), array.dim()) != is->dims.end();
      const bool bands = array.name() == "variance" && array.rows() == splats_ && IsBands(array.dim(), h.head_dim());
      const bool rows =
          array.dim() == h.head_dim() && (array.name() == "factor" ? IsFactor(array.rows(), splats_)
                                                                   : array.name() == "cholesky" && array.rows() == splats_ * h.head_dim());
      const bool covariance = array.name() == "factor" || array.name() == "cholesky" ? rows : bands || fits;
      if (!covariance && !(packed && array.rows() == 1 && array.dim() == KeptDims(h)))
        return Refuse(
            3, absl::StrCat("array '", array.name(), "' is [", h.kv_heads(), ", ", array.rows(), ", ", array.dim(), "], wanted [",
                            h.kv_heads(), ", ", numbers || packed ? 1 : splats_ * (array.name() == "cholesky" ? h.head_dim() : 1), ", ",
                            numbers  ? 2
                            : packed ? KeptDims(h)
                                     : is->dims[0],
                            "]"));
      // At most 4096 · 65,536 · 1024 · 4 bytes: no overflow.
      const uint64_t wanted = uint64_t{h.kv_heads()} * array.rows() * array.dim() * sizeof(float), size = bytes_.size();
      if (array.offset() % kSectionAlignment != 0 || array.offset() > size || wanted > size - array.offset())
        return Refuse(4,
                      absl::StrCat("array '", array.name(), "' is at ", array.offset(), " with ", wanted, " bytes, the file has ", size));
    }
    if (cholesky.found > 0 && (variance.found > 0 || factor.found > 0))
      return Refuse(3, "it has a cholesky and a variance or a factor, wanted one or the other");
    variance.required = cholesky.found == 0;
    for (const Known& k : known)
      if (k.required && k.found == 0) return Refuse(3, absl::StrCat("array '", std::string(k.name), "' is missing"));
    return absl::OkStatus();
  }

  // Entries of a variance of which none is without a dimension.
  static bool IsBands(uint64_t entries, uint64_t dims) {
    return entries > 0 && entries <= dims && (entries - 1) * ((dims + entries - 1) / entries) < dims;
  }
  static bool IsFactor(uint64_t rows, uint64_t splats) { return rows > 0 && rows % splats == 0 && rows / splats <= 16; }

  // Whoever can write a file can write its checksum: what would make every row NaN is refused.
  absl::Status CheckNumbers(const StateFile& file) const {
    for (const float sum : file.Find(bytes_, "sum").values)
      if (!std::isfinite(sum) || sum < 0) return Refuse(5, absl::StrCat("array 'sum' has the entry ", sum, ", wanted a finite number ≥ 0"));
    for (const float max : file.Find(bytes_, "max").values)
      if (!std::isfinite(max)) return Refuse(5, absl::StrCat("array 'max' has the entry ", max, ", wanted a finite number"));
    return absl::OkStatus();
  }

  absl::Status CheckAdapted(const StateFile& file) const {
    const StateHeader& h = file.header;
    const StateRows numbers = file.Find(bytes_, "adapt");
    const int wanted = numbers.values.empty() ? 0 : static_cast<int>(h.kv_heads());
    if (h.adapted_size() != wanted) return Refuse(6, absl::StrCat("adapted has ", h.adapted_size(), " entries, wanted ", wanted));
    for (const AdaptedSplats& head : h.adapted()) {
      if (head.segment() > kMaxTokens || head.segment_tokens() < 1 || head.segment_tokens() > 1 << 20 || head.history() < 1 ||
          head.history() > 1024)
        return Refuse(6, absl::StrCat("adapted is at segment ", head.segment(), " of ", head.segment_tokens(), " tokens with a history of ",
                                      head.history()));
      const auto known = [&](const auto& item) { return item.level() < static_cast<uint32_t>(h.levels_size()); };
      if (!std::ranges::all_of(head.events(), known) || !std::ranges::all_of(head.segments(), known))
        return Refuse(6, absl::StrCat("an event is of a level that is not there, wanted one of ", h.levels_size()));
      if (!std::ranges::all_of(head.events(), [](const SplatEvent& event) { return SplatEvent::What_IsValid(event.what()); }))
        return Refuse(6, "an event is unknown");
    }
    return absl::OkStatus();
  }

  std::span<const std::byte> bytes_;
  std::string path_;
  uint64_t splats_ = 0;
};

}  // namespace

StateRows StateFile::Find(std::span<const std::byte> bytes, std::string_view name) const {
  for (const StateArray& array : header.arrays())
    if (array.name() == name)
      return {{reinterpret_cast<const float*>(bytes.data() + array.offset()), size_t{header.kv_heads()} * array.rows() * array.dim()},
              array.rows(),
              array.dim()};
  return {};
}

StateCovariance CovarianceOf(const StateFile& file, std::span<const std::byte> bytes) {
  return {file.Find(bytes, "variance").dim, file.Find(bytes, "factor").rows / file.splats()};
}

std::string CovarianceText(const StateCovariance& of, int64_t head_dim) {
  const std::string variance = of.variances == 0          ? "full"
                               : of.variances == head_dim ? "diagonal"
                               : of.variances == 1        ? "isotropic"
                                                          : absl::StrCat(of.variances, " bands");
  return of.rank == 0 ? variance : absl::StrCat(variance, " + rank ", of.rank);
}

uint64_t KeptDims(const StateHeader& header) {
  uint64_t dims = 0;
  for (const SplatLevel& level : header.levels()) dims += uint64_t{level.splats()} * KeptDims(header, level);
  return dims;
}

StateValues::StateValues(const StateFile& file, std::span<const std::byte> bytes) : acc_(file.Find(bytes, "acc")), begins_{0} {
  const bool packed = acc_.rows == 1 && static_cast<uint64_t>(acc_.dim) == KeptDims(file.header);
  for (const SplatLevel& level : file.header.levels())
    for (uint32_t s = 0; s < level.splats(); ++s)
      begins_.push_back(begins_.back() + (packed ? KeptDims(file.header, level) : file.header.value_dim()));
}

std::span<const float> StateValues::Row(int64_t kv_head, int64_t splat) const {
  return acc_.values.subspan(static_cast<uint64_t>(kv_head) * begins_.back() + begins_[splat], begins_[splat + 1] - begins_[splat]);
}

int64_t StateFile::splats() const {
  int64_t splats = 0;
  for (const SplatLevel& level : header.levels()) splats += level.splats();
  return splats;
}

absl::StatusOr<StateFile> CheckState(std::span<const std::byte> bytes, std::string_view path) { return Checker(bytes, path).Check(); }

std::string_view StatePadding(uint64_t bytes) {
  static constexpr char kZeros[kSectionAlignment] = {};
  return {kZeros, AlignUp(bytes) - bytes};
}

std::string StateFileStart(StateHeader header, std::span<const std::string_view> arrays) {
  for (StateArray& array : *header.mutable_arrays()) array.set_offset(UINT64_MAX);  // as long as any can be: see BuildPlanFile
  uint64_t end = AlignUp(kPlanPrefixBytes + header.ByteSizeLong());
  std::string start(end, '\0');
  for (int i = 0; i < header.arrays_size(); ++i) {
    header.mutable_arrays(i)->set_offset(end);
    end = AlignUp(end + arrays[i].size());
  }
  const std::string bytes = SerializeDeterministic(header);
  const auto header_bytes = static_cast<uint32_t>(bytes.size());
  start.replace(0, kStateMagic.size(), kStateMagic);
  std::memcpy(start.data() + 8, &kStateVersion, sizeof kStateVersion);
  std::memcpy(start.data() + 12, &header_bytes, sizeof header_bytes);
  start.replace(kPlanPrefixBytes, bytes.size(), bytes);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(state.get());
  XXH3_64bits_update(state.get(), start.data() + 8, 8);
  XXH3_64bits_update(state.get(), start.data() + kPlanPrefixBytes, start.size() - kPlanPrefixBytes);
  for (const std::string_view array : arrays) {
    const std::string_view padding = StatePadding(array.size());
    XXH3_64bits_update(state.get(), array.data(), array.size());
    XXH3_64bits_update(state.get(), padding.data(), padding.size());
  }
  const uint64_t checksum = XXH3_64bits_digest(state.get());
  std::memcpy(start.data() + 16, &checksum, sizeof checksum);
  return start;
}

}  // namespace hsa::format
