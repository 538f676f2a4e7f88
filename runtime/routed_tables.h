// The splats of one kv_head as the compiled code of scheme routed reads them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/flow_tables.h"
#include "runtime/format/plan.pb.h"
#include "runtime/gate_tables.h"
#include "runtime/huge_pages.h"
#include "runtime/run.h"
#include "runtime/worker.h"

namespace hsa {

// The splats of one kv_head where they are isotropic, tokens and centers being relative to c, their mean center: log2 φ_s(x) = product_s · (x - c) +
// terms_s0 |x - c|² + terms_s1 for tokens with |x - c|² ≤ limit of the splat's tile (kernels/affinity.h, kMostCancelled). Empty where they are diagonal.
struct IsotropicTables {
  std::vector<float> center;                                    // [depth]
  std::vector<float, HugePages<float>> product, panel_product;  // [splats, depth], [splats / 16, depth, 16]
  std::vector<float> terms, panel_terms, limit;                 // [splats, 2], [splats / 16, 2, 16], [splats / 64]

  // Room for so many splats, whole tiles, about `around` [depth].
  void Start(std::vector<float> around, int64_t splats);
  // Splat `s`, whose center relative to c is `center`. Every splat is put before the limits are set.
  void Put(int64_t s, std::span<const double> center, double variance);
  // A slot without a splat: its products are 0.
  void Remove(int64_t s);
  void SetLimits();

  std::vector<double> squares, reach;  // [splats]: r² and |μ - c|
};

// Where row r, column c of a table with `columns` columns stands among its panels of 16 rows.
int64_t PanelPlace(int64_t r, int64_t c, int64_t columns);

// log2 φ_s(x) = -Σ_d (scale_sd x_d + shift_sd)², scale = (½ log2 e / Σ)^½, shift = -scale μ. Splats are padded to whole tiles, dimensions to 16: what fills
// up has scale and shift 0, and a splat that fills up the weight kNoSplat.
struct RoutedTables {
  int64_t splats = 0, depth = 0;                                  // padded
  std::vector<float, HugePages<float>> scale, shift;              // [splats, depth]
  std::vector<float, HugePages<float>> panel_scale, panel_shift;  // [splats / 16, depth, 16]
  std::vector<float> weight;                                      // [splats]: log2(w a)
  std::vector<float> amplitude;                                   // [splats]: log2 a
  // Rows of B of each splat where covariances are not diagonal, log2 φ = -|B (scale x + shift)|² (runtime/covariance.h); else empty and 0 rows.
  std::vector<float, HugePages<float>> factor, panel_factor;  // [splats, factor_rows, depth], [splats / 16, factor_rows, depth, 16]
  int64_t factor_rows = 0;
  IsotropicTables isotropic;
  FlowTables flow;
  GateTables gate;

  bool IsSplat(int64_t s) const;                                       // or a slot without one
  float Center(int64_t s, int64_t d) const;                            // μ; 0 of what fills up
  std::vector<float> MeanScale(std::span<const int32_t> which) const;  // [depth]: of some splats
  int64_t CountSplats() const;
  // Dimension d of splat s, in rows and panels.
  void Put(int64_t s, int64_t d, float scale_sd, float shift_sd);
  void CopyToPanels(int64_t s);  // the row of splat s
  // Entry d of row r of B of splat s, in rows and panels.
  void PutFactor(int64_t s, int64_t r, int64_t d, float entry);

  void BindRows(Worker& worker) const;
  void BindPanels(Worker& worker) const;
};

// One of each kv_head.
// INVALID_ARGUMENT  a tensor that is missing, not f32 or of another shape than the plan wants; a center or amplitude that is not finite, a variance that is
//                   not finite and > 0, a covariance that is not positive definite, a splat too narrow for its center: names tensor, kv_head, splat and level; as BuildFlowTables and BuildGateTables
absl::StatusOr<std::vector<RoutedTables>> BuildRoutedTables(const format::Graph& graph, const SplatTensors& splats);

}  // namespace hsa
