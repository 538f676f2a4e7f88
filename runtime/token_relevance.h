// Which tokens of a run have to be sent one by one (docs/spec.md, "Relevance"): near-identical ones are sent once, those that hardly count are left out.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/format/plan.pb.h"
#include "runtime/routed_state.h"
#include "runtime/routed_tables.h"
#include "runtime/token_panels.h"
#include "runtime/worker.h"

namespace hsa {

// INVALID_ARGUMENT     `error` is not in (0, 1), or the graph is sparse or has full covariances
// FAILED_PRECONDITION  the plan lacks a stage of those that look at tokens: names it
absl::Status CheckRelevance(double error, const format::PlanHeader& header);

// What was not sent, and how much it costs: ‖o - õ‖ ≤ bound · max ‖v‖, which is at most the error that was asked for.
struct Relevance {
  int64_t tokens = 0, joined = 0, left_out = 0;
  double joining = 0;  // greatest |log φ(x) - log φ(y)| that was allowed to a token x sent as y
  double leaving = 0;  // greatest share of what a splat was sent that was left out
  double bound() const { return joining + 2 * leaving; }
  void Add(const Relevance& other);
};

// Some tokens of one kv_head on their way into a state of their own, 1,024 at a time.
class RelevantTokens {
 public:
  // Of `tokens` tokens in all. The tables must outlive it.
  RelevantTokens(const Program& program, const RoutedTables& tables, double error, int64_t tokens);

  // Packs those of the tokens that `panels` has read which go into the state, and binds them. The worker has the rows of the tables bound.
  void Pack(Worker& worker, TokenPanels& panels, const RoutedState& state);

  const Relevance& counts() const { return counts_; }

 private:
  void Sketch(Worker& worker, const TokenPanels& panels);
  double DistanceFromCenter(int64_t token) const;
  void FindClusters(Worker& worker, const TokenPanels& panels);
  void FindFirsts(const TokenPanels& panels, double product);
  void AverageValues(Worker& worker, const std::vector<int32_t>& cluster, const std::vector<int32_t>& sizes);
  void LeaveOut(Worker& worker, const RoutedState& state);

  const RoutedTables& tables_;
  Program::Stage sketch_, distances_, means_, shares_;
  double error_, radius_ = 0, sharpness_ = 0;  // R = max ‖μ - c‖, max 1/Σ, of low rank 1/V, times ½ log2 e
  int64_t tokens_;
  double shares_left_out_ = 0;
  Relevance counts_;

  std::vector<float> axes_;                  // [5, depth]: four axes, c
  std::vector<float> token_sketch_, apart_;  // of the tokens at hand: [count, 5], [count]
  std::vector<int32_t> other_, begin_, members_;
  std::vector<int32_t> order_;  // of those that are sent
  std::vector<float> bias_, sent_, share_;
};

}  // namespace hsa
