// The state of one kv_head in scheme routed: what its splats were sent (docs/spec.md, "Routed").
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "runtime/huge_pages.h"
#include "runtime/routed_tables.h"
#include "runtime/tile_state.h"
#include "runtime/worker.h"

namespace hsa {

// z_s = 2^max_s Σ sum_s, S_s = 2^max_s acc_s. States of disjoint tokens merge: a commutative monoid whose identity is the state of no tokens.
class RoutedState {
 public:
  RoutedState(int64_t splats, int64_t value_dim);  // both padded; of no tokens

  void Merge(RoutedState& other) { MergePartials(rows(), other.rows()); }

  // What splats have once they have passed on what they were sent (docs/spec.md, "Flow"), computed by `flow`.
  void PassOn(Worker& worker, const Program::Stage& flow, const FlowTables& tables);

  // The ports state_max, state_sum and state_acc.
  void Bind(Worker& worker) const;
  // The port own_max: a running maximum of what splats were sent before they passed it on. Of a state that has done so.
  void BindOwn(Worker& worker) const { worker.Bind("own_max", own_max_.data(), {splats_}); }
  // What receivers need of the state as it is: computed by `settle`, bound to receive_bias and receive_mass.
  void Settle(Worker& worker, const Program::Stage& settle, const RoutedTables& tables);
  void BindSettled(Worker& worker) const;

  // A row of the partial result as docs/spec.md says it: (max, sum, acc) of a splat, acc [value_dim] without what fills it up.
  struct Row {
    float max, sum;
    std::span<const float> acc;
  };
  void Put(int64_t splat, const Row& row);
  std::pair<float, float> Get(int64_t splat, std::span<float> acc) const;  // max and sum; acc goes to the caller's memory

  std::span<const float> max() const { return max_; }
  std::vector<float> LogSent() const;  // log2 z of each splat
  // The running maxima that masses of a chunk are relative to before flow.
  std::span<const float> own_max() const { return own_max_.empty() ? max_ : own_max_; }
  void PutOwnMax(int64_t splat, float max) {  // of a state that has passed on; another one keeps none
    if (!own_max_.empty()) own_max_[splat] = max;
  }

  // What happens to splats that come and go; Σ z_s and Σ S_s stay.
  void Halve(int64_t splat, int64_t child);  // `child` gets half of what was sent to `splat`
  void Join(int64_t splat, int64_t other);   // `splat` gets all that was sent to `other`, which then has nothing
  void Clear(int64_t splat);                 // nothing was sent to it

  static int64_t Bytes(int64_t splats, int64_t value_dim);

 private:
  PartialRows Splat(int64_t splat);
  PartialRows rows() { return {max_, sum_, acc_}; }

  int64_t splats_, value_dim_;
  std::vector<float> max_, bias_, mass_;            // [splats]
  std::vector<float> own_max_;                      // [splats] once the state has passed on, else empty
  std::vector<float, HugePages<float>> sum_, acc_;  // [splats, 16], [splats, value_dim]
};

}  // namespace hsa
