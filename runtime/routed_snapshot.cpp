#include "runtime/routed_snapshot.h"

#include <xxhash.h>

#include <cstring>
#include <memory>
#include <string_view>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/covariance.h"
#include "runtime/format/plan_file.h"
#include "runtime/write_file.h"

namespace hsa {
namespace {

constexpr std::string_view kAmplitudes = ", amplitudes", kNoAmplitudes = "";

// "2 kv_heads of 64 and 64 dims, diagonal splats 48 + 16, amplitudes, top 8"; `routed` is that of a graph, or the header of a file.
template <typename Header, typename Routed>
std::string ShapeText(const Header& header, const Routed& routed, const format::StateCovariance& covariance, std::string_view amplitudes) {
  return absl::StrCat(header.kv_heads(), " kv_heads of ", header.head_dim(), " and ", header.value_dim(), " dims, ",
                      format::CovarianceText(covariance, header.head_dim()), " splats ",
                      absl::StrJoin(routed.levels(), " + ",
                                    [&](std::string* out, const format::SplatLevel& level) {
                                      const bool fewer = level.value_dim() > 0 && level.value_dim() < header.value_dim();
                                      absl::StrAppend(out, level.splats(),
                                                      fewer ? absl::StrCat(" (values of ", level.value_dim(), ")") : "");
                                    }),
                      std::string(amplitudes), routed.has_sparse() ? absl::StrCat(", top ", routed.sparse().top()) : "",
                      routed.sparse().threshold() > 0 ? absl::StrCat(" above ", routed.sparse().threshold()) : "");
}

// The parameters of splats by the names that they have in a state file.
std::vector<std::pair<const char*, const TensorView*>> Parameters(const SplatTensors& splats) {
  std::vector<std::pair<const char*, const TensorView*>> all = {{"center", &splats.center}};
  if (splats.variance.data != nullptr) all.emplace_back("variance", &splats.variance);
  if (splats.factor.data != nullptr) all.emplace_back(splats.variance.data != nullptr ? "factor" : "cholesky", &splats.factor);
  if (splats.amplitude.data != nullptr) all.emplace_back("amplitude", &splats.amplitude);
  return all;
}

// XXH3-64 of the weights of all links, 0 where there are none.
uint64_t ChecksumOf(const std::vector<TensorView>& links) {
  if (links.empty()) return 0;
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(state.get());
  for (const TensorView& factor : links)
    for (int64_t head = 0; head < factor.heads(); ++head)
      for (int64_t row = 0; row < factor.tokens(); ++row)
        XXH3_64bits_update(state.get(), factor.Row(head, row), factor.dim() * sizeof(float));
  return XXH3_64bits_digest(state.get());
}

// The arrays of a file while it is put together.
class Arrays {
 public:
  explicit Arrays(format::StateHeader& header) : header_(header) {}

  std::vector<float>& Add(const char* name, int64_t rows, int64_t dim) {
    format::StateArray& array = *header_.add_arrays();
    array.set_name(name), array.set_rows(static_cast<uint32_t>(rows)), array.set_dim(static_cast<uint32_t>(dim));
    return *values_.emplace_back(std::make_unique<std::vector<float>>(header_.kv_heads() * rows * dim));
  }
  std::vector<std::string_view> bytes() const {
    std::vector<std::string_view> bytes;
    for (const auto& values : values_) bytes.emplace_back(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float));
    return bytes;
  }

 private:
  format::StateHeader& header_;
  std::vector<std::unique_ptr<std::vector<float>>> values_;
};

format::StateHeader HeaderOf(const RoutedResult& result) {
  format::StateHeader header;
  header.set_producer("hsa-run");
  header.set_tokens(static_cast<uint64_t>(result.tokens));
  header.set_kv_heads(result.graph.kv_heads());
  header.set_head_dim(result.graph.head_dim());
  header.set_value_dim(result.graph.value_dim());
  *header.mutable_levels() = result.graph.routed().levels();
  header.set_links_checksum(ChecksumOf(result.splats.links));
  if (result.graph.routed().has_sparse()) *header.mutable_sparse() = result.graph.routed().sparse();
  return header;
}

template <typename Entries>
void KeepLast(int64_t most, Entries& entries) {
  if (entries.size() > most) entries.DeleteSubrange(0, static_cast<int>(entries.size() - most));
}

// Splats as adaptation left them, and what it goes on from.
void AddAdapted(const RoutedResult& result, Arrays& arrays, format::StateHeader& header) {
  const int64_t dim = header.head_dim(), splats = result.splats.center.tokens(), widths = result.splats.variance.dim();
  const bool amplitudes = result.splats.amplitude.data != nullptr;
  std::vector<float>&center = arrays.Add("center", splats, dim), &variance = arrays.Add("variance", splats, widths);
  std::vector<float> none, &amplitude = amplitudes ? arrays.Add("amplitude", splats, 1) : none;
  const int64_t words = 2 * result.adapted[0]->Numbers();
  std::vector<float>& all = arrays.Add("adapt", 1, words);
  std::vector<double> numbers(words / 2);
  for (size_t head = 0; head < result.adapted.size(); ++head) {
    const auto part = [&](std::vector<float>& values, int64_t width) {
      return values.empty() ? std::span<float>() : std::span(values).subspan(head * splats * width, splats * width);
    };
    result.adapted[head]->GetSplats(part(center, dim), part(variance, widths), part(amplitude, 1));
    format::AdaptedSplats& adapted = *header.add_adapted();
    result.adapted[head]->Get(adapted);
    KeepLast(format::LogEntriesOf(header.kv_heads()), *adapted.mutable_events());
    KeepLast(format::LogEntriesOf(header.kv_heads()), *adapted.mutable_segments());
    result.adapted[head]->GetNumbers(numbers);
    std::memcpy(&all[head * words], numbers.data(), words * sizeof(float));
  }
}

absl::Status Write(const std::string& path, const format::StateHeader& header, const Arrays& arrays) {
  const std::vector<std::string_view> bytes = arrays.bytes();
  const std::string start = format::StateFileStart(header, bytes);
  const uint32_t header_bytes = format::ReadPrefix(std::as_bytes(std::span(start))).header_bytes;
  if (header_bytes > format::kMaxStateHeaderBytes)
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": its header would be ", header_bytes, " bytes, wanted at most ", format::kMaxStateHeaderBytes));
  std::vector<std::string_view> pieces = {start};
  for (const std::string_view array : bytes) pieces.push_back(array), pieces.push_back(format::StatePadding(array.size()));
  return WriteFile(path, pieces);
}

}  // namespace

absl::StatusOr<RoutedSnapshot> RoutedSnapshot::Open(const std::string& path, const format::Graph& graph) {
  absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (absl::IsNotFound(file.status())) return absl::NotFoundError(absl::StrCat(path, ": no such state; write one with --state-out"));
  if (!file.ok()) return file.status();
  absl::StatusOr<format::StateFile> state = format::CheckState(file->bytes(), path);
  if (!state.ok()) return state.status();
  const std::string own = ShapeText(state->header, state->header, format::CovarianceOf(*state, file->bytes()),
                                    state->Find(file->bytes(), "amplitude").values.empty() ? kNoAmplitudes : kAmplitudes);
  const std::string wanted = ShapeText(graph, graph.routed(), {VarianceDim(graph), graph.routed().rank()},
                                       graph.routed().amplitude().empty() ? kNoAmplitudes : kAmplitudes);
  if (own != wanted)
    return absl::FailedPreconditionError(absl::StrCat(path, ": belongs to another graph: ", own, ", the plan has ", wanted,
                                                      "; run the plan that wrote it, or leave --state out"));
  return RoutedSnapshot(path, *std::move(file), *std::move(state));
}

SplatTensors RoutedSnapshot::splats() const {
  const auto view = [&](const char* name) -> TensorView {
    const format::StateRows rows = state_.Find(file_.bytes(), name);
    if (rows.values.empty()) return {};
    return {reinterpret_cast<const std::byte*>(rows.values.data()),
            DType::kF32,
            {static_cast<int64_t>(state_.header.kv_heads()), rows.rows, rows.dim},
            {rows.rows * rows.dim, rows.dim, 1}};
  };
  const char* factor = state_.Find(file_.bytes(), "variance").values.empty() ? "cholesky" : "factor";
  return {.center = view("center"), .variance = view("variance"), .amplitude = view("amplitude"), .factor = view(factor)};
}

absl::Status RoutedSnapshot::CheckSameSplats(const SplatTensors& splats) const {
  const SplatTensors own_splats = this->splats();
  const auto own = Parameters(own_splats), others = Parameters(splats);
  if (own.size() != others.size())
    return absl::FailedPreconditionError(absl::StrCat(path_, ": its splats have ", own.size() < others.size() ? "no" : "an",
                                                      " amplitude, those given have ", own.size() < others.size() ? "one" : "none",
                                                      "; leave --splats out to run with those of the file"));
  for (size_t i = 0; i < own.size(); ++i)
    for (int64_t head = 0; head < own[i].second->heads(); ++head)
      for (int64_t s = 0; s < own[i].second->tokens(); ++s)
        if (std::memcmp(own[i].second->Row(head, s), others[i].second->Row(head, s), own[i].second->dim() * sizeof(float)) != 0)
          return absl::FailedPreconditionError(absl::StrCat(path_, ": was made with other splats: ", own[i].first, " of splat ",
                                                            s * own_splats.center.tokens() / own[i].second->tokens(), " of kv_head ", head,
                                                            " differs from that given; leave --splats out to run with those of the file"));
  if (state_.header.links_checksum() != ChecksumOf(splats.links))
    return absl::FailedPreconditionError(absl::StrCat(
        path_, ": was made with other links: their weights differ from those given; run the plan and the splats that wrote it"));
  return absl::OkStatus();
}

absl::Status RoutedSnapshot::GoOn(int64_t kv_head, AdaptedHead& head) const {
  const format::StateRows words = state_.Find(file_.bytes(), "adapt");
  std::vector<double> numbers(words.dim / 2);
  std::memcpy(numbers.data(), words.Row(kv_head, 0), numbers.size() * sizeof(double));
  const absl::Status gone = head.GoOn(state_.header.adapted(static_cast<int>(kv_head)), numbers);
  return gone.ok() ? gone : absl::FailedPreconditionError(absl::StrCat(path_, ": ", std::string(gone.message())));
}

void RoutedSnapshot::MergeInto(int64_t kv_head, RoutedState& state, RoutedState& scratch) const {
  const format::StateRows max = state_.Find(file_.bytes(), "max"), sum = state_.Find(file_.bytes(), "sum");
  const format::StateValues acc(state_, file_.bytes());
  for (int64_t s = 0; s < max.rows; ++s) scratch.Put(s, {*max.Row(kv_head, s), *sum.Row(kv_head, s), acc.Row(kv_head, s)});
  state.Merge(scratch);
}

absl::StatusOr<std::vector<RoutedSnapshot>> OpenSnapshots(const std::vector<std::string>& paths, const format::Graph& graph,
                                                          SplatTensors& splats) {
  std::vector<RoutedSnapshot> snapshots;
  for (const std::string& path : paths) {
    absl::StatusOr<RoutedSnapshot> snapshot = RoutedSnapshot::Open(path, graph);
    if (!snapshot.ok()) return snapshot.status();
    snapshots.push_back(*std::move(snapshot));
    // Links and gates are in the file of the splats alone, whose other tensors are then where the stream began.
    const bool began = snapshots.back().adapted() && (!graph.routed().links().empty() || !graph.routed().gate_weight().empty());
    if (splats.center.data != nullptr && !began) continue;
    const SplatTensors own = snapshots.back().splats();
    splats.center = own.center, splats.variance = own.variance, splats.amplitude = own.amplitude, splats.factor = own.factor;
  }
  return snapshots;
}

int64_t TokensOf(const std::vector<RoutedSnapshot>& snapshots) {
  int64_t tokens = 0;
  for (const RoutedSnapshot& snapshot : snapshots) tokens += snapshot.tokens();
  return tokens;
}

absl::Status SaveSnapshot(const std::string& path, const RoutedResult& result) {
  format::StateHeader header = HeaderOf(result);
  Arrays arrays(header);
  const int64_t heads = header.kv_heads(), splats = result.splats.center.tokens(), dv = header.value_dim();
  const auto kept = static_cast<int64_t>(format::KeptDims(header));
  const bool packed = kept < splats * dv;
  std::vector<float>&max = arrays.Add("max", splats, 1), &sum = arrays.Add("sum", splats, 1);
  std::vector<float>& acc = packed ? arrays.Add("acc", 1, kept) : arrays.Add("acc", splats, dv);
  int64_t row = 0, from = 0;
  for (int64_t head = 0; head < heads; ++head)
    for (const format::SplatLevel& level : header.levels()) {
      const int64_t first = row - head * splats, dims = format::KeptDims(header, level);
      for (int64_t s = first; s < first + level.splats(); ++s, ++row, from += dims)
        std::tie(max[row], sum[row]) = result.states[head]->Get(s, std::span(acc).subspan(from, dims));
    }
  if (!result.adapted.empty()) {
    AddAdapted(result, arrays, header);
    return Write(path, header, arrays);
  }
  for (const auto& [name, tensor] : Parameters(result.splats)) {
    const int64_t rows = tensor->tokens();
    std::vector<float>& values = arrays.Add(name, rows, tensor->dim());
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t s = 0; s < rows; ++s)
        std::memcpy(&values[(head * rows + s) * tensor->dim()], tensor->Row(head, s), tensor->dim() * sizeof(float));
  }
  return Write(path, header, arrays);
}

}  // namespace hsa
