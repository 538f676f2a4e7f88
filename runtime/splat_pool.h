// Splats of one kv_head that come and go while a stream runs (docs/spec.md, "Adaptation"): slots of one block of numbers, made once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hsa {

struct PoolShape {
  int64_t head_dim = 0;
  std::vector<int64_t> levels;  // slots of each, fine to coarse
  int64_t history = 0;          // segments whose activation is remembered
  // Variances of a splat: 1 where it is isotropic, or of bands of ⌈D/variances⌉ dimensions; 0: each dimension has its own.
  int64_t variances = 0;

  int64_t slots() const;
};

// A slot is empty or holds a Gaussian with a mass: the mixture Σ_s m_s N(μ_s, C_s), C_s diagonal. In float64. The three changes below keep the mixture's mass Σ m_s,
// its mean Σ m_s μ_s and, per dimension (isotropic, bands: summed over the dimensions of a variance), its second moment Σ m_s (C_s + μ_s²).
class SplatPool {
 public:
  explicit SplatPool(PoolShape shape);

  // Everything, in one run of numbers: what a state file holds.
  std::span<double> numbers() { return numbers_; }
  static int64_t Numbers(const PoolShape& shape) { return shape.slots() * SlotNumbers(shape); }

  const PoolShape& shape() const { return shape_; }
  int64_t LevelBegin(int64_t level) const { return begins_[level]; }
  int64_t LevelEnd(int64_t level) const { return begins_[level + 1]; }
  int64_t Live(int64_t level) const;
  // The first empty slot of a level; -1: there is none.
  int64_t EmptySlot(int64_t level) const;

  enum Scalar {
    kLive,          // 1; 0 of an empty slot, −1 of a splat that sleeps with its level
    kMass,          // m: tokens it was the nearest of, those of earlier segments counting less and less
    kLogAmplitude,  // natural
    kBorn,          // segment
    kLongRange,     // score of dependency on what is long past, 0..1
    kCount,         // of this segment: tokens that it made and covers …
    kScalars
  };
  double& at(int64_t slot, Scalar which) { return numbers_[slot * stride_ + which]; }
  double at(int64_t slot, Scalar which) const { return numbers_[slot * stride_ + which]; }
  bool live(int64_t slot) const { return at(slot, kLive) > 0; }
  bool asleep(int64_t slot) const { return at(slot, kLive) < 0; }

  enum Row {
    kCenter,    // μ
    kExtent,    // C, the diagonal
    kAxis,      // unit vector: the principal axis of its tokens, by one power iteration a segment
    kSum,       // … and of these Σ (x − μ) …
    kSquares,   // … Σ (x − μ)² …
    kAxisNext,  // … and Σ (u·(x − μ)) (x − μ)
    kRows
  };
  std::span<double> row(int64_t slot, Row which) {
    return std::span(numbers_).subspan(slot * stride_ + kScalars + which * shape_.head_dim, shape_.head_dim);
  }
  std::span<const double> row(int64_t slot, Row which) const { return const_cast<SplatPool*>(this)->row(slot, which); }
  // Activations of earlier segments, of segment t at t % history.
  std::span<const double> history(int64_t slot) const { return const_cast<SplatPool*>(this)->history(slot); }
  std::span<double> history(int64_t slot) {
    return std::span(numbers_).subspan(slot * stride_ + kScalars + kRows * shape_.head_dim, shape_.history);
  }

  // λ: the variance along the axis.
  double AxisVariance(int64_t slot) const;
  // By how much μ moves to both sides when the splat is split, squared: (2/π) λ, what a normal distribution cut at its mean has between the halves' means,
  // as far as every variance keeps a tenth.
  double SplitDistance2(int64_t slot) const;

  // `child`, an empty slot, gets half the mass: μ ± δ u, C − δ² u².
  void Split(int64_t slot, int64_t child);
  // `slot` becomes both; `other` becomes empty.
  void Merge(int64_t slot, int64_t other);
  // A splat without mass.
  void Create(int64_t slot, std::span<const double> center, std::span<const double> extent, double log_amplitude, int64_t segment);

  // What a merge adds to the squared distances of tokens to their centers: m m' / (m + m') ‖μ − μ'‖².
  double MergeCost(int64_t slot, int64_t other) const;

  // Splats of a level fall asleep, and wake with what they had: but for their masses, and activations, which are 0.
  void Sleep(int64_t level);
  void Wake(int64_t level);
  // The splats of a level, awake, get the masses, means and covariances of those of level `like`, each being that of the nearest center: Σ m, Σ m μ and
  // Σ m (C + μ²) of the two are then the same. Those that are nearest to none stay where they are, without mass.
  void TakeAfter(int64_t level, int64_t like);

  // Dimensions that share a variance get the mean of theirs.
  void EvenOut(int64_t slot);

  // Forgets what was observed in the segment.
  void ClearSegment(int64_t slot);

 private:
  static int64_t SlotNumbers(const PoolShape& shape) { return kScalars + kRows * shape.head_dim + shape.history; }
  int64_t BandWidth() const;  // dimensions that share a variance
  int64_t NearestOf(int64_t level, int64_t splat) const;
  void TakeSums(int64_t slot);

  PoolShape shape_;
  int64_t stride_;
  std::vector<int64_t> begins_;
  std::vector<double> numbers_;
};

}  // namespace hsa
