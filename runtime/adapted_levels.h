// Levels of one kv_head that come and go, and weights that follow what they explain (docs/spec.md, "Levels that come and go").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/adapt_log.h"
#include "runtime/format/adapt_limits.h"

namespace hsa {

// What levels are worth to the observed tokens, and which of them sleeps or wakes next. Allocates when it is made, and never again.
class AdaptedLevels {
 public:
  // Levels of `slots` splats, fine to coarse, the coarsest `asleep` of them asleep. `limits` outlives it.
  AdaptedLevels(const AdaptLimits& limits, std::span<const int64_t> slots);

  bool awake(int64_t level) const { return at(level, kAwake) != 0; }
  // Of the weight of a level: in [1/weight_bound, weight_bound].
  double weight_factor(int64_t level) const;

  // An observed token: on each level that saw it ‖x − μ‖² of its splat; then all of it is taken in.
  void Put(int64_t level, double residual) { residuals_[level] = residual; }
  void AddToken();

  // Over the segment: the mean of log(‖x − μ‖ without the level / ‖x − μ‖), ‖x − μ‖ being the least of any level, at most 1 of a token; and of the least ‖x − μ‖².
  double Gain(int64_t level) const;
  double LeastResidual() const;

  // A level that falls asleep or wakes, and why; level −1: none.
  struct Change {
    int64_t level = -1, like = -1;  // like: the awake level whose splats it follows when it wakes
    SplatEvent why = SplatEvent::kSlept;
    double measure = 0, limit = 0;
  };
  // The end of a segment, `tokens` of the stream being sent: weights follow, then one level at most falls asleep. `shares` [levels] are those of residual in
  // spread, < 0 where there is none.
  Change EndSegment(double tokens, std::span<const double> shares);
  // Behind it, of each level that was not awake, fine to coarse: whether it wakes.
  Change Wake(int64_t level, double tokens, std::span<const double> shares);
  void StartSegment();  // forgets what was added

  // What a state file holds of it.
  std::span<const double> numbers() const { return numbers_; }
  bool Take(std::span<const double> numbers);  // false, and in no state to be used: none that it leaves
  bool AllAwake();                             // true

 private:
  enum Number {
    kAwake,   // 0 or 1
    kLow,     // segments in a row with less than level_gain
    kDue,     // tokens of the stream from which on it wakes
    kLeft,    // share of the spread that the level it would follow left when it fell asleep; 0: it has not yet
    kWorth,   // share of the tokens that it explains, 1 where all awake levels do alike; smoothed
    kTokens,  // of this segment: observed ones …
    kGain,    // … Σ of what Gain is the mean of …
    kShares,  // … its shares of them, as 1/‖x − μ‖ …
    kLeast,   // … and their least ‖x − μ‖² on any level
    kNumbers
  };

  double& at(int64_t level, Number which) { return numbers_[level * kNumbers + which]; }
  double at(int64_t level, Number which) const { return numbers_[level * kNumbers + which]; }
  int64_t levels() const { return static_cast<int64_t>(residuals_.size()); }
  int64_t Awake() const;
  int64_t NextAwake(int64_t level) const;  // the next finer one, else the next coarser one

  const AdaptLimits& limits_;
  std::vector<double> numbers_;    // [levels, kNumbers]
  std::vector<double> residuals_;  // [levels]: +∞ where a level has not seen the token
};

}  // namespace hsa
