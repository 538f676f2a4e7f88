// The splats of one kv_head of a causal run that adapt: the adapter's decisions carried out on the state and on the tables of the compiled code.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "runtime/adapted_links.h"
#include "runtime/format/adapt_limits.h"
#include "runtime/format/plan.pb.h"
#include "runtime/format/state.pb.h"
#include "runtime/near_lists.h"
#include "runtime/observe_chunk.h"
#include "runtime/routed_state.h"
#include "runtime/routed_tables.h"
#include "runtime/run.h"
#include "runtime/sleeping_rows.h"
#include "runtime/splat_adapter.h"
#include "runtime/token_panels.h"

namespace hsa {

class AdaptedHead : private SplatMasses {
 public:
  // Begins with the splats of a file, at the first token of a stream. `state` and `tables` are this head's and outlive it.
  AdaptedHead(const AdaptLimits& limits, const format::Graph& graph, const SplatTensors& splats, int64_t head, RoutedState& state,
              RoutedTables& tables);

  // Tokens from `position` of the stream on to the end of its segment.
  int64_t TokensLeft(int64_t position) const {
    const int64_t tokens = adapter_.limits().segment_tokens;
    return tokens - position % tokens;
  }
  // A chunk of `count` tokens from `position` on, whose masses are in `sent`, before it joins the state.
  void Observe(const TokenPanels& tokens, int64_t position, int64_t count, std::span<const float> sent);
  // `count` tokens that keep a few splats each, of which the likeliest counts. `keys` are their rows, padded.
  void ObserveKept(const NearLists& kept, const float* keys, int64_t position, int64_t count);
  bool EndSegment();  // whether the tables have changed
  // log2 w of each level, which follows what it explains.
  std::span<const float> log_weights() const { return log_weights_; }
  // At the end of a run nothing was sent to slots that are empty, and what was sent to those that sleep stands where it was.
  void EndRun();

  const SplatAdapter& adapter() const { return adapter_; }

  // For a state file: the splats as they are, and everything that the stream goes on from.
  void GetSplats(std::span<float> center, std::span<float> variance, std::span<float> amplitude) const;  // amplitude may be empty
  void Get(format::AdaptedSplats& adapted) const;
  // Those of its adapter, then, where there are links, a running maximum of what each splat was sent before it passed it on, and the links.
  int64_t Numbers() const;
  void GetNumbers(std::span<double> numbers) const;
  // FAILED_PRECONDITION  of other limits than these, or numbers that adaptation does not leave
  absl::Status GoOn(const format::AdaptedSplats& adapted, std::span<const double> numbers);

 private:
  void Halve(int64_t splat, int64_t child) override;
  void Join(int64_t splat, int64_t other, double share) override;
  void Bear(int64_t splat, int64_t nearest) override;
  void Sleep(int64_t splat) override;
  void Wake(int64_t splat) override;
  bool TakeLinks(std::span<const double> numbers);
  void WriteTables();
  void ReturnSleeping();
  void WriteWeights();
  void WriteRow(int64_t splat);
  void EmptyRow(int64_t splat);
  void WriteProducts();

  const format::Graph& graph_;
  RoutedState& state_;
  RoutedTables& tables_;
  SplatAdapter adapter_;
  std::optional<AdaptedLinks> links_;
  SleepingRows sleeping_;
  std::vector<float> log_weights_;  // [levels]
  std::vector<float> offsets_;      // scratch [slots]
  std::vector<double> apart_;       // scratch [head_dim]
  std::vector<Nearest> nearest_;    // scratch [levels]: of the tokens of a chunk …
  std::vector<int32_t> splats_;     // … and of one of them
};

}  // namespace hsa
