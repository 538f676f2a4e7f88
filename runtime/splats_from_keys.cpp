#include "runtime/splats_from_keys.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "runtime/covariance.h"
#include "runtime/format/level_name.h"
#include "runtime/geometry.h"
#include "runtime/key_order.h"
#include "runtime/kmeans.h"
#include "runtime/links_from_keys.h"
#include "runtime/rows.h"
#include "runtime/tensor_writer.h"

namespace hsa {
namespace {

constexpr int64_t kMostKeys = 65536;
constexpr int64_t kKmeansKeys = 32;  // a splat
constexpr int64_t kLinkKeysAtOnce = 1024;
constexpr double kLeastVariance = 1e-4;  // of a group, beside that of all keys: a group of equal keys has none

// Finite keys of one kv_head, evenly spread over its tokens, as rows of `width` floats with zeros behind the key.
std::vector<float> SampleKeys(const Program& program, Worker& worker, const TensorView& key, int64_t head, int64_t padded, int64_t width) {
  const RowReader reader(program, key.dtype);
  const int64_t stride = std::max<int64_t>(1, key.tokens() / kMostKeys);
  std::vector<float> rows, row(padded);
  for (int64_t token = 0; token < key.tokens(); token += stride) {
    int32_t bad = 0;
    reader.Read(worker, key, head, token, 1, padded, row.data(), &bad);
    if (bad != 0) continue;
    rows.insert(rows.end(), row.begin(), row.end());
    rows.resize(rows.size() + width - padded);
  }
  return rows;
}

// Mean and variance of each dimension over some rows.
struct Moments {
  std::vector<double> mean, variance;

  Moments(const std::vector<float>& rows, int64_t width, const int32_t* which, int64_t count, int64_t dims) : mean(dims), variance(dims) {
    for (int64_t d = 0; d < dims; ++d) {
      for (int64_t i = 0; i < count; ++i) mean[d] += rows[which[i] * width + d] / static_cast<double>(count);
      for (int64_t i = 0; i < count; ++i) {
        const double apart = rows[which[i] * width + d] - mean[d];
        variance[d] += apart * apart / static_cast<double>(count);
      }
    }
  }
};

class SplatWriter {
 public:
  SplatWriter(const Plan& plan, const TensorView& key, TensorWriter& writer, const SplatMaking& making)
      : making_(making),
        plan_(plan),
        writer_(writer),
        routed_(plan.graph().routed()),
        key_(key),
        program_(plan),
        worker_(program_),
        geometry_(Geometry::Of(plan.graph(), 0, 0)),
        center_(writer.View(routed_.center())),
        variance_(routed_.variance().empty() ? MutableTensorView() : writer.View(routed_.variance())),
        cholesky_(routed_.cholesky().empty() ? MutableTensorView() : writer.View(routed_.cholesky())) {}

  absl::Status WriteHead(int64_t head) {
    const int64_t padded = geometry_.padded_head_dim, width = padded + geometry_.padded_value_dim;
    const std::vector<float> rows = SampleKeys(program_, worker_, key_, head, padded, width);
    const int64_t count = static_cast<int64_t>(rows.size()) / width;
    int64_t first = 0;
    for (int level = 0; level < routed_.levels_size(); ++level) {
      const int64_t splats = routed_.levels(level).splats();
      if (count < splats)
        return absl::InvalidArgumentError(absl::StrCat("tensor '", plan_.graph().key(), "' has ", count, " finite keys in kv_head ", head,
                                                       ", ", format::LevelText(routed_.levels(), level), " has ", splats,
                                                       " splats; give more tokens, or fewer splats"));
      WriteLevel(head, first, splats, rows, width);
      first += splats;
    }
    return making_.links == LinksBy::kOverlap ? WriteLinks(head, rows, width) : absl::OkStatus();
  }

 private:
  // Of one kv_head.
  TensorView Written(const std::string& name, int64_t head) const {
    if (name.empty()) return {};
    const MutableTensorView view = writer_.View(name);
    return {view.Row(head, 0), view.dtype, {1, view.shape[1], view.shape[2]}, view.strides};
  }

  // Of evenly spread rows, some at a time.
  absl::Status WriteLinks(int64_t head, const std::vector<float>& rows, int64_t width) {
    const int64_t count = static_cast<int64_t>(rows.size()) / width, used = std::min(count, kLinkKeys), depth = geometry_.padded_head_dim;
    absl::StatusOr<LinksFromKeys> links = LinksFromKeys::Of(program_, worker_,
                                                            {.center = Written(routed_.center(), head),
                                                             .variance = Written(routed_.variance(), head),
                                                             .amplitude = Written(routed_.amplitude(), head),
                                                             .factor = Written(FactorName(routed_), head)},
                                                            used);
    if (!links.ok()) return links.status();
    std::vector<float> keys((kLinkKeysAtOnce + kSplatTile) * depth);
    for (int64_t i = 0, filled = 0; i < used; ++i) {
      std::copy_n(rows.begin() + i * count / used * width, depth, keys.begin() + filled++ * depth);
      if (filled < kLinkKeysAtOnce && i + 1 < used) continue;
      links->Add(worker_, keys.data(), filled);
      filled = 0;
    }
    for (int link = 0; link < routed_.links_size(); ++link)
      if (!routed_.links(link).weight().empty()) WriteLink(head, links->Weight(worker_, link), writer_.View(routed_.links(link).weight()));
    return absl::OkStatus();
  }

  static void WriteLink(int64_t head, const std::vector<float>& weight, const MutableTensorView& to) {
    for (int64_t s = 0; s < to.shape[1]; ++s)
      std::copy_n(weight.begin() + s * to.shape[2], to.shape[2], reinterpret_cast<float*>(to.Row(head, s)));
  }

  void WriteLevel(int64_t head, int64_t first, int64_t splats, const std::vector<float>& rows, int64_t width) {
    making_.by == SplatsBy::kKmeans ? WriteByKmeans(head, first, splats, rows, width) : WriteByBisection(head, first, splats, rows, width);
  }

  void WriteByKmeans(int64_t head, int64_t first, int64_t splats, const std::vector<float>& rows, int64_t width) {
    const int64_t count = static_cast<int64_t>(rows.size()) / width, used = std::min(count, splats * kKmeansKeys);
    std::vector<float> x(used * width);
    for (int64_t i = 0; i < used; ++i) std::copy_n(rows.begin() + i * count / used * width, width, x.begin() + i * width);
    const std::vector<int32_t> groups = KmeansGroups(x, width, key_.dim(), splats, making_.seed);
    std::vector<std::vector<int32_t>> members(splats);
    std::vector<int32_t> all(used);
    std::iota(all.begin(), all.end(), 0);
    for (const int32_t i : all) members[groups[i]].push_back(i);
    const Moments whole(x, width, all.data(), used, key_.dim());
    for (int64_t s = 0; s < splats; ++s)
      WriteSplat(head, first + s, Moments(x, width, members[s].data(), static_cast<int64_t>(members[s].size()), key_.dim()), whole);
  }

  void WriteByBisection(int64_t head, int64_t first, int64_t splats, const std::vector<float>& rows, int64_t width) {
    const int64_t count = static_cast<int64_t>(rows.size()) / width, size = count / splats;
    std::vector<int32_t> all(count);
    std::iota(all.begin(), all.end(), 0);
    const Moments whole(rows, width, all.data(), count, key_.dim());
    // As many rows as make whole groups, evenly spread.
    std::vector<int32_t> order(splats * size);
    std::vector<float> x(splats * size * width);
    for (int64_t i = 0; i < splats * size; ++i) {
      order[i] = static_cast<int32_t>(i * count / (splats * size));
      std::copy_n(rows.begin() + order[i] * width, width, x.begin() + i * width);
    }
    KeyOrder(program_, worker_).Group(x, width, order, size);
    for (int64_t s = 0; s < splats; ++s) WriteSplat(head, first + s, Moments(rows, width, &order[s * size], size, key_.dim()), whole);
  }

  void WriteSplat(int64_t head, int64_t splat, const Moments& group, const Moments& whole) {
    auto* center = reinterpret_cast<float*>(center_.Row(head, splat));
    const auto dims = static_cast<int64_t>(group.mean.size());
    const double all = std::accumulate(whole.variance.begin(), whole.variance.end(), 0.0) / static_cast<double>(dims);
    const auto finite = [](double x) {
      return static_cast<float>(std::clamp<double>(x, std::numeric_limits<float>::min(), std::numeric_limits<float>::max()));
    };
    const double least = all > 0 ? kLeastVariance * all : 1, width = std::max(1.0, static_cast<double>(dims) / 4);
    for (int64_t d = 0; d < dims; ++d) center[d] = static_cast<float>(group.mean[d]);
    if (!routed_.cholesky().empty()) {
      for (int64_t d = 0; d < dims; ++d)
        reinterpret_cast<float*>(cholesky_.Row(head, splat * dims + d))[d] = finite(std::sqrt(width * std::max(group.variance[d], least)));
      return;
    }
    // The mean of the dimensions that share an entry: all of them, a band, or one.
    auto* variance = reinterpret_cast<float*>(variance_.Row(head, splat));
    const int64_t entries = VarianceDim(plan_.graph());
    std::vector<double> sum(entries), count(entries);
    for (int64_t d = 0; d < dims; ++d)
      sum[VarianceEntry(plan_.graph(), d)] += group.variance[d], count[VarianceEntry(plan_.graph(), d)] += 1;
    for (int64_t i = 0; i < entries; ++i) variance[i] = finite(width * std::max(sum[i] / count[i], least));
  }

  const SplatMaking making_;
  const Plan& plan_;
  TensorWriter& writer_;
  const format::Routed& routed_;
  const TensorView& key_;
  const Program program_;
  Worker worker_;
  const Geometry geometry_;
  const MutableTensorView center_, variance_, cholesky_;
};

// Tensors of the links and the gate, as far as the plan names them.
void AddFlow(const format::Routed& routed, int64_t heads, int64_t dim, std::vector<TensorSpec>& tensors) {
  const auto add = [&](const std::string& name, int64_t rows, int64_t columns) {
    if (!name.empty()) tensors.push_back({name, DType::kF32, {heads, rows, columns}});
  };
  for (const format::Link& link : routed.links()) {
    const int64_t to = routed.levels(static_cast<int>(link.to())).splats(), from = routed.levels(static_cast<int>(link.from())).splats();
    add(link.weight(), to, from);
    add(link.expand(), to, link.rank());
    add(link.compress(), link.rank(), from);
  }
  add(routed.gate_weight(), routed.levels_size(), dim);
  add(routed.gate_bias(), routed.levels_size(), 1);
}

}  // namespace

absl::Status WriteSplatsFromKeys(const Plan& plan, const TensorView& key, const std::string& path, const SplatMaking& making) {
  const format::Routed& routed = plan.graph().routed();
  const int64_t heads = plan.graph().kv_heads(), dim = plan.graph().head_dim();
  if (key.heads() != heads || key.dim() != dim)
    return absl::InvalidArgumentError(absl::StrCat("tensor '", plan.graph().key(), "' is [", key.shape[0], ", ", key.shape[1], ", ",
                                                   key.shape[2], "], the plan wants [", heads, ", M, ", dim,
                                                   "]; give a matching file or compile the graph again"));
  const auto has_weight = [](const format::Link& link) { return !link.weight().empty(); };
  if (making.links == LinksBy::kOverlap && std::none_of(routed.links().begin(), routed.links().end(), has_weight))
    return absl::InvalidArgumentError(
        "--links-by overlap: the plan reads no weight of a link; add links { from: 0 to: 1 weight: \"up\" } to the graph, or leave it out");
  if (making.links == LinksBy::kOverlap)
    if (absl::Status checked = LinksFromKeys::Check(plan.header()); !checked.ok()) return checked;
  int64_t splats = 0;
  for (const format::SplatLevel& level : routed.levels()) splats += level.splats();
  std::vector<TensorSpec> tensors = {{routed.center(), DType::kF32, {heads, splats, dim}}};
  if (!routed.variance().empty()) tensors.push_back({routed.variance(), DType::kF32, {heads, splats, VarianceDim(plan.graph())}});
  if (StoredRows(plan.graph()) > 0) tensors.push_back({FactorName(routed), DType::kF32, {heads, splats * StoredRows(plan.graph()), dim}});
  // Rows start as zeros: amplitudes of 1, factors that add nothing to a variance, no flow, levels that weigh the same.
  if (!routed.amplitude().empty()) tensors.push_back({routed.amplitude(), DType::kF32, {heads, splats, 1}});
  AddFlow(routed, heads, dim, tensors);
  absl::StatusOr<TensorWriter> writer = TensorWriter::Create(path, tensors);
  if (!writer.ok()) return writer.status();
  SplatWriter splat_writer(plan, key, *writer, making);
  for (int64_t head = 0; head < heads; ++head)
    if (absl::Status written = splat_writer.WriteHead(head); !written.ok()) return written;
  return writer->Commit();
}

}  // namespace hsa
