#include "runtime/bytes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/tile_shape.h"
#include "runtime/stage_features.h"

namespace hsa {

namespace {

constexpr int64_t kPanelsOfCenters = kBatchKeys / kPanelKeys;  // a batch of them serves 64 batches of keys

// Panels of centers of so many batches of keys, in whole batches.
int64_t CenterPanels(int64_t batches) { return (batches + kBatchKeys - 1) / kBatchKeys * kPanelsOfCenters; }

// Rows of centers side by side, as the keys of a panel stand.
void Spread(const std::vector<float>& rows, int64_t dims, std::vector<float, UnfilledPages<float>>& panels) {
  std::fill(panels.begin(), panels.end(), 0.0f);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i) / dims, d = static_cast<int64_t>(i) % dims;
    panels[(row / kPanelKeys * dims + d) * kPanelKeys + row % kPanelKeys] = rows[i];
  }
}

}  // namespace

void BytePacker::PackRange(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, int64_t first, int64_t count,
                           KeyPanels& out) const {
  const int64_t dims = geometry_.padded_head_dim, batches = (count + kBatchKeys - 1) / kBatchKeys;
  out.panels = batches * kBatchPanels;
  out.v.resize(out.panels * kPanelKeys * geometry_.padded_value_dim);
  out.pos.resize(out.panels * kPanelKeys);
  out.bad.resize(out.panels);
  out.byte_k.resize(out.panels * kPanelKeys * dims / 4);
  out.byte_scale.resize(out.panels * kPanelKeys);
  out.byte_sum.resize(out.panels * kPanelKeys);
  out.center.resize(CenterPanels(batches) * dims * kPanelKeys);
  thread_local KeyPanels block;
  thread_local std::vector<float> centers;
  centers.assign((batches + 1) * dims, 0.0f);
  for (int64_t begin = 0; begin < count; begin += kRowsAtOnce) {
    panels_.PackRange(worker, key, value, kv_head, first + begin, std::min(count - begin, kRowsAtOnce), block);
    if (begin == 0) out.k.assign(block.k.begin(), block.k.begin() + kBatchKeys * dims);
    std::copy(block.v.begin(), block.v.end(), out.v.begin() + begin * geometry_.padded_value_dim);
    std::copy(block.pos.begin(), block.pos.end(), out.pos.begin() + begin);
    std::copy(block.bad.begin(), block.bad.end(), out.bad.begin() + begin / kPanelKeys);
    worker.Bind("panel_k", block.k.data(), {block.panels, dims, kPanelKeys});
    worker.Bind("byte_k", &out.byte_k[begin * dims / 4], {block.panels, dims / 4, kPanelKeys});
    worker.Bind("byte_scale", &out.byte_scale[begin], {block.panels, kPanelKeys});
    worker.Bind("byte_sum", &out.byte_sum[begin], {block.panels, kPanelKeys});
    worker.Bind("byte_center", &centers[begin / kBatchKeys * dims], {block.panels / kBatchPanels + 1, dims});
    worker.Call(pack_);
  }
  centers.resize(batches * dims);  // the last one is of keys that are not here
  Spread(centers, dims, out.center);
}

int64_t KeyByteBytes(const Geometry& g, int64_t keys) {
  const int64_t slots = (keys + kBatchKeys - 1) / kBatchKeys * kBatchKeys;
  return kBatchKeys * g.padded_head_dim * 4 + slots * (g.padded_head_dim + 4 * g.padded_value_dim + 12) + slots / kPanelKeys * 4 +
         CenterPanels(slots / kBatchKeys) * g.padded_head_dim * kPanelKeys * 4;
}

namespace {

bool HasBytes(const Job& job) {
  return job.program.Find("pack_bytes").entry != nullptr && job.program.Find("byte_query").entry != nullptr &&
         job.program.Find("attend_bytes").entry != nullptr;
}

}  // namespace

bool ReadsBytes(const Job& job) { return job.options.mode == Mode::kExact && job.options.products != Products::kF32 && HasBytes(job); }

std::string WhyNoBytes(const Job& job) {
  if (ReadsBytes(job) || job.options.products == Products::kF32) return "";
  for (const format::Stage& stage : job.plan.header().stages()) {
    if (stage.name() != "attend_bytes") continue;
    const std::vector<std::string> missing = MissingFeatures(job.plan.variant(), stage);
    if (!missing.empty()) return absl::StrCat("this processor lacks ", absl::StrJoin(missing, " "));
    return HasBytes(job) ? "scores of 8 bits are for --exact" : "this variant has no code for it";
  }
  return "";
}

}  // namespace hsa
