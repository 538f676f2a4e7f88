// The kv_heads of a causal run whose splats adapt: segment after segment, what is between two is timed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/adapted_head.h"
#include "runtime/format/level_name.h"
#include "runtime/routed_snapshot.h"
#include "runtime/run_state.h"

namespace hsa {

// Splats that have adapted go on adapting, from one state.
// FAILED_PRECONDITION  a state whose splats adapted in a run without adaptation
// INVALID_ARGUMENT     more states than one in a run with it
absl::Status CheckAdapted(const RunOptions& options, const std::vector<RoutedSnapshot>& before);

class AdaptedHeads {
 public:
  bool empty() const { return heads_.empty(); }  // unless Start was called

  // Each kv_head begins with `splats`, or goes on from `before` where that has adapted. States and tables are those of the kv_heads and outlive it.
  // FAILED_PRECONDITION  a state of other limits
  absl::Status Start(const Job& job, const SplatTensors& splats, const std::vector<RoutedSnapshot>& before,
                     std::vector<RoutedState>& states, std::vector<RoutedTables>& tables);

  // body(begin, end): tokens of the run that lie in one segment, and all before the first query or none of them; false ends the run. changed(): the tables have.
  template <typename Body, typename Changed>
  void ForEachSegment(int64_t kv_head, const Geometry& g, const Body& body, const Changed& changed) {
    for (int64_t begin = 0; begin < g.keys;) {
      const int64_t left = heads_[kv_head]->TokensLeft(before_ + begin), end = begin < g.first_position() ? g.first_position() : g.keys;
      const int64_t next = std::min(begin + left, end);
      if (!body(begin, next)) return;
      if (next == begin + left)
        Timed([&] {
          if (heads_[kv_head]->EndSegment()) changed();
        });
      begin = next;
    }
    heads_[kv_head]->EndRun();
  }
  // observe(head, position): what it sees of some tokens from `token` on, `position` being that in the stream.
  template <typename Observe>
  void See(int64_t kv_head, int64_t token, const Observe& observe) {
    Timed([&] { observe(*heads_[kv_head], before_ + token); });
  }

  const AdaptedHead& head(int64_t kv_head) const { return *heads_[kv_head]; }
  std::vector<const AdaptedHead*> all() const;
  void AddTo(RunReport& report) const;

 private:
  template <typename Work>
  void Timed(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    watch_.Add(SecondsSince(start));
  }

  std::vector<std::unique_ptr<AdaptedHead>> heads_;
  format::SplatLevels levels_;
  int64_t before_ = 0;  // tokens of the states that the run began with
  Stopwatch watch_;
};

}  // namespace hsa
