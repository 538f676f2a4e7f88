// Adaptation of the splats of one kv_head while a causal stream runs: mitosis, merge, birth and death between segments (docs/spec.md, "Adaptation").
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/adapt_log.h"
#include "runtime/adapted_levels.h"
#include "runtime/format/adapt_limits.h"
#include "runtime/splat_pool.h"

namespace hsa {

// What holds what the splats were sent: told of every change, so that it keeps the totals Σ z_s and Σ S_s.
class SplatMasses {
 public:
  virtual ~SplatMasses() = default;
  virtual void Halve(int64_t splat, int64_t child) = 0;  // `child` gets half of what was sent to `splat`
  // `splat`, which has `share` of the mass of both, gets all that was sent to `other`.
  virtual void Join(int64_t splat, int64_t other, double share) = 0;
  virtual void Bear(int64_t splat, int64_t nearest) = 0;  // nothing was sent to it; `nearest` is its nearest, −1: there is none
  virtual void Sleep(int64_t splat) = 0;                  // what was sent to it is kept, unread, until it wakes
  virtual void Wake(int64_t splat) = 0;
};

// Allocates when it is made, and never again.
class SplatAdapter {
 public:
  SplatAdapter(const AdaptLimits& limits, const PoolShape& shape);

  // The splats of a stream's beginning. Σ_s / width is the extent C_s of the tokens of a splat.
  void Create(int64_t splat, std::span<const double> center, std::span<const double> extent, double log_amplitude);

  // Once all were made: those of the levels that begin asleep sleep.
  void Begin(SplatMasses& masses);

  // What a state file holds of it, and the same of another stream, after which it goes on as that would have. One of version 1 has none of levels, which then are
  // all awake.
  int64_t NumbersOfLevels() const { return static_cast<int64_t>(levels_.numbers().size()); }
  int64_t Numbers() const { return static_cast<int64_t>(own_.size()) + SplatPool::Numbers(pool_.shape()) + NumbersOfLevels(); }
  void GetNumbers(std::span<double> numbers) const;
  // False, and in no state to be used: they are not Numbers() of what adaptation leaves.
  bool GoOn(std::span<const double> numbers, int64_t segment);

  // A token of the segment, and of each level the splat that most likely made it; −1: none.
  void Observe(std::span<const int32_t> splats, const float* token);

  // The end of a segment: splats follow their tokens, then some come and go.
  void EndSegment(SplatMasses& masses);

  const AdaptLimits& limits() const { return limits_; }
  SplatPool& pool() { return pool_; }
  const SplatPool& pool() const { return pool_; }
  const AdaptLog& log() const { return log_; }
  // Whether a slot is another one than before the end of the last segment, but for its mass: it followed tokens, came, went, or is that of a file.
  bool changed(int64_t slot) const { return changed_[slot] != 0; }
  int64_t segment() const { return segment_; }
  // −½ log2 det C of each slot; −∞ for an empty one.
  std::span<const float> log2_densities() const { return log2_densities_; }
  AdaptLog& log() { return log_; }
  const AdaptedLevels& of_levels() const { return levels_; }

 private:
  static constexpr int64_t kUncovered = 32;  // tokens of a level that are kept as they are
  static constexpr int64_t kCandidates = 4;  // lightest splats for which a partner is looked for

  struct Pair {
    int64_t splat = -1, other = -1;
    double cost = 0;
  };

  struct Observed {
    double count = 0, residual = 0, spread = 0;  // Σ over tokens
  };

  // Of the segment's tokens on a level.
  enum Own { kUncoveredCount, kResidual, kUncoveredSquares, kOwn };  // covered by none; Σ ‖x − μ‖² of all; Σ ‖x‖² of those covered by none
  double& own(int64_t level, Own which) { return own_[level * OwnNumbers() + which]; }
  int64_t OwnNumbers() const { return kOwn + (1 + kUncovered) * pool_.shape().head_dim; }
  std::span<double> uncovered_sum(int64_t level) { return uncovered(level, -1); }
  std::span<double> uncovered(int64_t level, int64_t i);  // the i-th of them, of 32
  int64_t levels() const { return static_cast<int64_t>(pool_.shape().levels.size()); }
  Observed ObservedOf(int64_t level);
  void Observe(int64_t level, int64_t splat, const float* token);
  void ChangeLevels(SplatMasses& masses);
  void Sleep(int64_t level, SplatMasses& masses);
  void Change(int64_t level, SplatMasses& masses);
  void Follow(int64_t slot);
  void RememberActivation(int64_t slot, double count);
  void Measure(int64_t level);
  double ExpectedMass(int64_t slot) const;
  double Gain(int64_t slot) const;
  int64_t NearestTo(int64_t level, int64_t splat) const;
  void Die(int64_t level, SplatMasses& masses);
  void FindPairs(int64_t level);
  Pair TakeCheapest(int64_t but);
  void Join(int64_t splat, int64_t other, SplatMasses& masses);
  void Merge(int64_t level, const Pair& pair, double limit, SplatMasses& masses);
  void MergeDuplicates(int64_t level, SplatMasses& masses);
  // A slot for what saves `gain`: an empty one, or that of the cheapest merge without `but` when it costs enough less. −1: neither.
  int64_t MakeRoom(int64_t level, double gain, int64_t but, SplatMasses& masses);
  void Bear(int64_t level, SplatMasses& masses);
  int64_t GatherUncovered(int64_t level, int64_t& kept, double radius2);
  void SplitGreatest(int64_t level, SplatMasses& masses);
  bool MayChange() const { return events_ < limits_.most_events; }
  void Tell(int64_t level, SplatEvent what, int64_t splat, int64_t other, double measure, double limit);
  void RememberDensity(int64_t slot);
  void RememberDensities();

  const AdaptLimits limits_;
  SplatPool pool_;
  AdaptedLevels levels_;
  std::vector<double> own_;                    // [levels, OwnNumbers()]
  std::vector<double> shares_;                 // [levels]: of residual in spread of the segment that ends; −1: none
  std::vector<double> mean_, extent_, gains_;  // scratch [D], [D], [slots]
  std::vector<double> inverse_extents_;        // [slots, D]
  Observed observed_;                          // of the level at work
  std::vector<Pair> pairs_;
  std::vector<uint8_t> changed_;  // [slots]
  std::vector<float> log2_densities_;
  AdaptLog log_;
  int64_t segment_ = 0, events_ = 0;
};

}  // namespace hsa
