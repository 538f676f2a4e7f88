// What happened to the splats of one kv_head while a stream ran, and why. A ring: the last events and segments are kept, the room for them is made once.
#pragma once

#include <cstdint>
#include <vector>

namespace hsa {

enum class SplatEvent : uint8_t {
  kBorn,    // splat: where tokens were covered by none; measure: their share of the level's tokens, limit: from which on
  kSplit,   // other was made of splat; measure: squared distance that it saves, limit: what it has to save
  kMerged,  // other went into splat; measure: squared distance that it costs, limit: what it may cost
  kDied,    // splat went into other; measure: its share of the activations in the ring, limit: the least that stays
  // Of a level: splat is how many of them, other the level that they follow.
  kWokeByLength,    // measure: tokens of the stream, limit: from how many on
  kWokeByResidual,  // measure: share of the spread that level `other` leaves, limit: above which
  kSlept,           // other: −1; measure: its gain over the segment, limit: the least that stays
};

struct AdaptEvent {
  int64_t segment = 0;
  int32_t level = 0;
  SplatEvent what = SplatEvent::kBorn;
  int32_t splat = 0, other = -1;
  double measure = 0, limit = 0;
};

// A level over one segment.
struct AdaptSegment {
  int64_t segment = 0;
  int32_t level = 0, live = 0;  // splats after it; 0 where it slept
  double mass = 0;              // Σ m_s after it
  double residual = 0;          // mean squared distance of its observed tokens to the nearest center, before anything of them was known
  double spread = 0;            // of the same tokens to their own mean
  double gain = 0;  // log of the factor by which tokens would be farther from the nearest center without it: mean, at most 1 of a token
  double weight_factor = 1;  // by which its weight was multiplied in it
  double least = 0;          // mean squared distance of tokens to the nearest of the centers of all levels; the same for each
};

// The last `room` of what was added.
template <typename T>
class Ring {
 public:
  explicit Ring(int64_t room) : items_(room) {}

  void Add(const T& item) { items_[added_++ % static_cast<int64_t>(items_.size())] = item; }
  int64_t added() const { return added_; }
  int64_t first() const { return added_ > static_cast<int64_t>(items_.size()) ? added_ - static_cast<int64_t>(items_.size()) : 0; }
  const T& operator[](int64_t i) const { return items_[i % static_cast<int64_t>(items_.size())]; }  // first() ≤ i < added()

 private:
  std::vector<T> items_;
  int64_t added_ = 0;
};

struct AdaptLog {
  Ring<AdaptEvent> events{16384};
  Ring<AdaptSegment> segments{16384};
};

}  // namespace hsa
