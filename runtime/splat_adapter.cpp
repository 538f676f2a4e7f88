#include "runtime/splat_adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/wide_clone.h"
#include "runtime/extent.h"
#include "runtime/observe_chunk.h"
#include "runtime/wide_loops.h"

namespace hsa {
namespace {

constexpr double kPrior = 4;         // tokens that a splat's extent is worth when its own tokens say another one
constexpr double kDuplicate = 0.05;  // splats are duplicates when their centers are nearer, squared, than this share of their extents
constexpr double kMostTrend = 4;     // by which a rising activation multiplies a mass
constexpr double kLongRange = 0.5;   // score above which a splat is neither merged nor left to die
constexpr double kLeastUncovered = 4;
constexpr double kMostGain = 1e300;
constexpr double kMostNumber = 1e100;  // of a state: what comes of finite tokens is below it, and squares of what is below it are finite

// Whether a slot is one that adaptation leaves: no mass, number of tokens or sum of squares below 0, variances above.
bool IsSlot(const SplatPool& pool, int64_t slot) {
  const auto not_negative = [](double number) { return number >= 0; };
  return pool.at(slot, SplatPool::kMass) >= 0 && pool.at(slot, SplatPool::kCount) >= 0 &&
         std::ranges::all_of(pool.history(slot), not_negative) && std::ranges::all_of(pool.row(slot, SplatPool::kSquares), not_negative) &&
         std::ranges::all_of(pool.row(slot, SplatPool::kExtent), [](double variance) { return variance > 0; });
}

// Whether a level has splats, for all of which kLive is `there`: 1 of one that is awake, −1 of one that sleeps.
bool HasSplats(const SplatPool& pool, int64_t level, double there) {
  int64_t splats = 0;
  for (int64_t s = pool.LevelBegin(level); s < pool.LevelEnd(level); ++s) {
    const double live = pool.at(s, SplatPool::kLive);
    if (live != 0 && live != there) return false;
    splats += live == there ? 1 : 0;
  }
  return splats > 0;
}

}  // namespace

SplatAdapter::SplatAdapter(const AdaptLimits& limits, const PoolShape& shape)
    : limits_(limits),
      pool_(shape),
      levels_(limits_, shape.levels),
      own_(levels() * OwnNumbers()),
      shares_(levels()),
      mean_(shape.head_dim),
      extent_(shape.head_dim),
      gains_(shape.slots()),
      inverse_extents_(shape.slots() * shape.head_dim),
      changed_(shape.slots(), 1),
      log2_densities_(shape.slots(), -std::numeric_limits<float>::infinity()) {
  pairs_.reserve(kCandidates);
}

void SplatAdapter::Create(int64_t splat, std::span<const double> center, std::span<const double> extent, double log_amplitude) {
  pool_.Create(splat, center, extent, log_amplitude, 0);
  int64_t level = 0;
  while (splat >= pool_.LevelEnd(level)) ++level;
  // As if its share of one segment had been seen.
  pool_.at(splat, SplatPool::kMass) =
      static_cast<double>(limits_.segment_tokens * kBatchKeys / kObservedEvery) / static_cast<double>(pool_.shape().levels[level]);
  RememberDensity(splat);
}

void SplatAdapter::Begin(SplatMasses& masses) {
  std::ranges::fill(changed_, 0);
  for (int64_t level = 0; level < levels(); ++level)
    if (!levels_.awake(level)) Sleep(level, masses);
  RememberDensities();
}

void SplatAdapter::GetNumbers(std::span<double> numbers) const {
  const std::span<const double> pool = const_cast<SplatPool&>(pool_).numbers();
  std::ranges::copy(levels_.numbers(), std::ranges::copy(own_, std::ranges::copy(pool, numbers.begin()).out).out);
}

bool SplatAdapter::GoOn(std::span<const double> numbers, int64_t segment) {
  const auto given = static_cast<int64_t>(numbers.size());
  const bool first_version = given == Numbers() - NumbersOfLevels();
  if (!(first_version || given == Numbers())) return false;
  if (!std::ranges::all_of(numbers, [](double x) { return std::abs(x) < kMostNumber; })) return false;
  const std::span<double> pool = pool_.numbers();
  std::ranges::copy(numbers.first(pool.size()), pool.begin());
  std::ranges::copy(numbers.subspan(pool.size(), own_.size()), own_.begin());
  if (first_version ? !levels_.AllAwake() : !levels_.Take(numbers.last(NumbersOfLevels()))) return false;
  segment_ = segment;
  for (int64_t s = 0; s < pool_.shape().slots(); ++s)
    if (!IsSlot(pool_, s)) return false;
  for (int64_t level = 0; level < levels(); ++level)
    if (!HasSplats(pool_, level, levels_.awake(level) ? 1 : -1) || own(level, kUncoveredCount) < 0) return false;
  std::ranges::fill(changed_, 1);
  RememberDensities();
  return true;
}

std::span<double> SplatAdapter::uncovered(int64_t level, int64_t i) {
  const int64_t dim = pool_.shape().head_dim;
  return std::span(own_).subspan(level * OwnNumbers() + kOwn + (i + 1) * dim, dim);
}

// ‖x − μ‖², Σ (x − μ)² / C and u·(x − μ), each summed in eight lanes.
HSA_WIDE_CLONE static void MeasureToken(int64_t dim, const float* token, const double* center, const double* inverse, const double* axis,
                                        double* distances) {
  constexpr int64_t kLanes = 8;
  double residual[kLanes] = {}, extents[kLanes] = {}, along[kLanes] = {};
  const int64_t whole = dim / kLanes * kLanes;
  for (int64_t d = 0; d < whole; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      const double apart = token[d + l] - center[d + l], square = apart * apart;
      residual[l] += square, extents[l] += square * inverse[d + l], along[l] += axis[d + l] * apart;
    }
  for (int64_t d = whole; d < dim; ++d) {
    const double apart = token[d] - center[d], square = apart * apart;
    residual[d - whole] += square, extents[d - whole] += square * inverse[d], along[d - whole] += axis[d] * apart;
  }
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t l = 0; l < half; ++l) residual[l] += residual[l + half], extents[l] += extents[l + half], along[l] += along[l + half];
  distances[0] = residual[0], distances[1] = extents[0], distances[2] = along[0];
}

// Σ += x − μ, Σ += (x − μ)², Σ += (u·(x − μ)) (x − μ).
HSA_WIDE_CLONE static void AddToken(int64_t dim, const float* token, const double* center, double along, double* sum, double* squares,
                                    double* next) {
  for (int64_t d = 0; d < dim; ++d) {
    const double apart = token[d] - center[d];
    sum[d] += apart, squares[d] += apart * apart, next[d] += along * apart;
  }
}

void SplatAdapter::Observe(std::span<const int32_t> splats, const float* token) {
  for (size_t level = 0; level < splats.size(); ++level)
    if (splats[level] >= 0) Observe(static_cast<int64_t>(level), splats[level], token);
  levels_.AddToken();
}

void SplatAdapter::Observe(int64_t level, int64_t splat, const float* token) {
  const int64_t dim = pool_.shape().head_dim;
  const auto row = [&](SplatPool::Row which) { return pool_.row(splat, which).data(); };
  double distances[3];
  MeasureToken(dim, token, row(SplatPool::kCenter), &inverse_extents_[splat * dim], row(SplatPool::kAxis), distances);
  const auto [residual, extents, along] = distances;
  own(level, kResidual) += residual;
  levels_.Put(level, residual);
  if (extents <= 2 * limits_.cover * ExtentWidth(dim)) {  // −log φ is within the limit
    pool_.at(splat, SplatPool::kCount) += 1;
    return AddToken(dim, token, row(SplatPool::kCenter), along, row(SplatPool::kSum), row(SplatPool::kSquares), row(SplatPool::kAxisNext));
  }
  double& count = own(level, kUncoveredCount);
  if (count < kUncovered) std::copy_n(token, dim, uncovered(level, static_cast<int64_t>(count)).begin());
  count += 1;
  const std::span<double> sum = uncovered_sum(level);
  double squares = 0;
  for (int64_t d = 0; d < dim; ++d) sum[d] += token[d], squares += double{token[d]} * token[d];
  own(level, kUncoveredSquares) += squares;
}

// sums += sum + count center
HSA_WIDE_CLONE static void AddScaled(int64_t dim, double count, const double* sum, const double* center, double* sums) {
  for (int64_t d = 0; d < dim; ++d) sums[d] += sum[d] + count * center[d];
}

// The tokens of the segment on a level: how many, Σ ‖x − μ‖², and Σ ‖x − mean‖².
SplatAdapter::Observed SplatAdapter::ObservedOf(int64_t level) {
  Observed observed{own(level, kUncoveredCount), own(level, kResidual)};
  double squares = own(level, kUncoveredSquares);
  std::ranges::copy(uncovered_sum(level), mean_.begin());
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s) {
    if (!pool_.live(s)) continue;
    const double count = pool_.at(s, SplatPool::kCount);
    observed.count += count;
    squares += SumOf(pool_.row(s, SplatPool::kSquares));
    const std::span<const double> center = pool_.row(s, SplatPool::kCenter), sum = pool_.row(s, SplatPool::kSum);
    squares += 2 * DotOf(center, sum) + count * DotOf(center, center);
    AddScaled(static_cast<int64_t>(mean_.size()), count, sum.data(), center.data(), mean_.data());
  }
  if (observed.count > 0) observed.spread = squares - DotOf(mean_, mean_) / observed.count;
  return observed;
}

void SplatAdapter::EndSegment(SplatMasses& masses) {
  std::ranges::fill(changed_, 0);
  for (int64_t level = 0; level < levels(); ++level) {
    observed_ = ObservedOf(level);
    for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s)
      if (pool_.live(s)) limits_.what == Adapt::kSplats ? Follow(s) : pool_.ClearSegment(s);
    if (limits_.what == Adapt::kSplats && observed_.count > 0) Change(level, masses);
    shares_[level] = observed_.spread > 0 ? observed_.residual / observed_.spread : -1;
    Measure(level);
    std::fill_n(&own(level, kUncoveredCount), kOwn + pool_.shape().head_dim, 0.0);
  }
  if (limits_.what == Adapt::kSplats) ChangeLevels(masses);
  levels_.StartSegment();
  ++segment_;
  RememberDensities();
}

// Behind all else: levels as the segment has left them.
void SplatAdapter::ChangeLevels(SplatMasses& masses) {
  const auto tokens = static_cast<double>((segment_ + 1) * limits_.segment_tokens);
  const AdaptedLevels::Change slept = levels_.EndSegment(tokens, shares_);
  if (slept.level >= 0) {
    Tell(slept.level, slept.why, pool_.Live(slept.level), -1, slept.measure, slept.limit);
    Sleep(slept.level, masses);
  }
  for (int64_t level = 0; level < levels(); ++level) {
    if (levels_.awake(level) || level == slept.level) continue;
    const AdaptedLevels::Change change = levels_.Wake(level, tokens, shares_);
    if (change.level < 0) continue;
    pool_.Wake(level);
    pool_.TakeAfter(level, change.like);
    for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s) {
      if (!pool_.live(s)) continue;
      pool_.at(s, SplatPool::kBorn) = static_cast<double>(segment_);
      changed_[s] = 1;
      masses.Wake(s);
    }
    Tell(level, change.why, pool_.Live(level), change.like, change.measure, change.limit);
  }
}

void SplatAdapter::Sleep(int64_t level, SplatMasses& masses) {
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s) {
    if (!pool_.live(s)) continue;
    changed_[s] = 1;
    masses.Sleep(s);
  }
  pool_.Sleep(level);
}

void SplatAdapter::Change(int64_t level, SplatMasses& masses) {
  events_ = 0;
  Die(level, masses);
  FindPairs(level);
  MergeDuplicates(level, masses);
  Bear(level, masses);
  SplitGreatest(level, masses);
}

// μ' and C' of a splat that kept `kept` of its mass and now has `mass` (docs/spec.md, "Follow").
HSA_WIDE_CLONE static void FollowTokens(int64_t dim, double kept, double mass, const double* sum, const double* squares, double* center,
                                        double* extent) {
  const double share = 1 / mass, part = 1 / (mass + kPrior);
  for (int64_t d = 0; d < dim; ++d) {
    const double moved = sum[d] * share, around = squares[d] - mass * moved * moved;
    extent[d] = ((kept + kPrior) * extent[d] + (around > 0 ? around : 0)) * part;
    center[d] += moved;
  }
}

HSA_WIDE_CLONE static void TurnAxis(int64_t dim, double scale, const double* next, double* axis) {
  for (int64_t d = 0; d < dim; ++d) axis[d] = next[d] * scale;
}

void SplatAdapter::Follow(int64_t slot) {
  const double count = pool_.at(slot, SplatPool::kCount), kept = limits_.memory * pool_.at(slot, SplatPool::kMass), mass = kept + count;
  RememberActivation(slot, count);
  pool_.at(slot, SplatPool::kMass) = mass;
  if (count > 0) {
    changed_[slot] = 1;
    const std::span<double> center = pool_.row(slot, SplatPool::kCenter), extent = pool_.row(slot, SplatPool::kExtent),
                            axis = pool_.row(slot, SplatPool::kAxis);
    const std::span<const double> sum = pool_.row(slot, SplatPool::kSum), squares = pool_.row(slot, SplatPool::kSquares),
                                  next = pool_.row(slot, SplatPool::kAxisNext);
    const auto dim = static_cast<int64_t>(center.size());
    FollowTokens(dim, kept, mass, sum.data(), squares.data(), center.data(), extent.data());
    if (const double length = std::sqrt(DotOf(next, next)); length > 0) TurnAxis(dim, 1 / length, next.data(), axis.data());
    pool_.EvenOut(slot);
  }
  pool_.ClearSegment(slot);
}

// The score of dependency on what is long past: the mean age of a splat's earlier activations when it is active again, over the ring's length; it fades as masses do.
void SplatAdapter::RememberActivation(int64_t slot, double count) {
  const std::span<double> history = pool_.history(slot);
  const auto length = static_cast<int64_t>(history.size());
  history[segment_ % length] = count;
  double age = 0, total = 0;
  for (int64_t i = 1; i < length && i <= segment_; ++i) {
    const double activation = history[(segment_ - i) % length];
    age += static_cast<double>(i) * activation, total += activation;
  }
  const double score = count > 0 && total > 0 && length > 1 ? age / total / static_cast<double>(length - 1) : 0;
  pool_.at(slot, SplatPool::kLongRange) = std::max(limits_.memory * pool_.at(slot, SplatPool::kLongRange), score);
}

// The mass, more of it where a line through the activations in the ring rises.
double SplatAdapter::ExpectedMass(int64_t slot) const {
  const std::span<const double> history = pool_.history(slot);
  const auto length = static_cast<int64_t>(history.size());
  const double total = SumOf(history), middle = 0.5 * static_cast<double>(length - 1);
  if (length < 2 || total == 0) return pool_.at(slot, SplatPool::kMass);
  double slope = 0, squares = 0;
  for (int64_t i = 0; i < length; ++i) {
    const double t = middle - static_cast<double>(i);  // of the activation i segments ago
    slope += t * history[(segment_ - i + length) % length], squares += t * t;
  }
  const double mean = total / static_cast<double>(length), next = mean + slope / squares * (middle + 1);
  return pool_.at(slot, SplatPool::kMass) * std::clamp(next / mean, 1.0, kMostTrend);
}

int64_t SplatAdapter::NearestTo(int64_t level, int64_t splat) const {
  int64_t nearest = -1;
  double least = kMostGain;
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s) {
    if (s == splat || !pool_.live(s)) continue;
    const double apart2 = Distance2(pool_.row(s, SplatPool::kCenter), pool_.row(splat, SplatPool::kCenter));
    if (apart2 < least) least = apart2, nearest = s;
  }
  return nearest;
}

void SplatAdapter::Die(int64_t level, SplatMasses& masses) {
  int64_t live = pool_.Live(level);
  double total = 0;
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s)
    if (pool_.live(s)) total += SumOf(pool_.history(s));
  const double limit = limits_.idle * total / static_cast<double>(std::max<int64_t>(live, 1));
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level) && live > std::max<int64_t>(1, limits_.least_splats); ++s) {
    const bool old = static_cast<double>(segment_) >= pool_.at(s, SplatPool::kBorn) + static_cast<double>(limits_.history);
    if (!pool_.live(s) || !old || !MayChange() || pool_.at(s, SplatPool::kLongRange) > kLongRange) continue;
    const double activation = SumOf(pool_.history(s));
    if (activation >= limit) continue;
    const int64_t heir = NearestTo(level, s);
    if (heir < 0) continue;
    Join(heir, s, masses);
    Tell(level, SplatEvent::kDied, s, heir, activation, limit);
    --live;
  }
}

// For the lightest splats the partner that a merge costs least with.
void SplatAdapter::FindPairs(int64_t level) {
  pairs_.clear();
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s) {
    if (!pool_.live(s) || pool_.at(s, SplatPool::kLongRange) > kLongRange) continue;
    const Pair pair{s, -1, ExpectedMass(s)};
    const auto lighter = [](const Pair& a, const Pair& b) { return a.cost < b.cost; };
    const auto place = std::upper_bound(pairs_.begin(), pairs_.end(), pair, lighter);
    if (pairs_.size() == kCandidates && place == pairs_.end()) continue;
    const auto index = place - pairs_.begin();
    if (pairs_.size() == kCandidates) pairs_.pop_back();
    pairs_.insert(pairs_.begin() + index, pair);
  }
  for (Pair& pair : pairs_) {
    pair.cost = kMostGain;
    for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s) {
      if (s == pair.splat || !pool_.live(s)) continue;
      if (const double cost = pool_.MergeCost(s, pair.splat); cost < pair.cost) pair.cost = cost, pair.other = s;
    }
  }
  std::ranges::sort(pairs_, [](const Pair& a, const Pair& b) { return a.cost > b.cost || (a.cost == b.cost && a.splat > b.splat); });
}

// The cheapest pair of which both are there still, and neither is `but`; it is taken out.
SplatAdapter::Pair SplatAdapter::TakeCheapest(int64_t but) {
  while (!pairs_.empty()) {
    const Pair pair = pairs_.back();
    pairs_.pop_back();
    if (pair.other >= 0 && pair.splat != but && pair.other != but && pool_.live(pair.splat) && pool_.live(pair.other)) return pair;
  }
  return {};
}

void SplatAdapter::Join(int64_t splat, int64_t other, SplatMasses& masses) {
  const double own = pool_.at(splat, SplatPool::kMass), mass = own + pool_.at(other, SplatPool::kMass);
  masses.Join(splat, other, mass > 0 ? own / mass : 1);
  changed_[splat] = changed_[other] = 1;
  pool_.Merge(splat, other);
}

void SplatAdapter::Merge(int64_t level, const Pair& pair, double limit, SplatMasses& masses) {
  Join(pair.other, pair.splat, masses);
  gains_[pair.other] = Gain(pair.other);
  Tell(level, SplatEvent::kMerged, pair.other, pair.splat, pair.cost, limit);
}

void SplatAdapter::MergeDuplicates(int64_t level, SplatMasses& masses) {
  while (MayChange() && pool_.Live(level) > std::max<int64_t>(1, limits_.least_splats)) {
    const Pair pair = TakeCheapest(-1);
    if (pair.splat < 0) return;
    const double extent = SumOf(pool_.row(pair.splat, SplatPool::kExtent)) + SumOf(pool_.row(pair.other, SplatPool::kExtent));
    const double apart2 = Distance2(pool_.row(pair.splat, SplatPool::kCenter), pool_.row(pair.other, SplatPool::kCenter));
    const double limit2 = kDuplicate * extent / 2;
    if (apart2 >= limit2) return pairs_.push_back(pair);  // there is room for it: it was taken from there
    Merge(level, pair, apart2 > 0 ? pair.cost / apart2 * limit2 : 0, masses);
  }
}

int64_t SplatAdapter::MakeRoom(int64_t level, double gain, int64_t but, SplatMasses& masses) {
  if (const int64_t empty = pool_.EmptySlot(level); empty >= 0) return empty;
  if (events_ + 2 > limits_.most_events) return -1;
  const Pair pair = TakeCheapest(but);
  if (pair.splat < 0 || pair.cost * limits_.gain >= gain) return -1;
  Merge(level, pair, gain / limits_.gain, masses);
  return pair.splat;
}

void SplatAdapter::Bear(int64_t level, SplatMasses& masses) {
  const double all = own(level, kUncoveredCount), least = std::max(kLeastUncovered, limits_.uncovered_share * observed_.count);
  if (all < least) return;
  int64_t kept = static_cast<int64_t>(std::min<double>(kUncovered, all));
  std::ranges::fill(extent_, 0.0);
  const auto live = static_cast<double>(pool_.Live(level));
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s)
    for (size_t d = 0; pool_.live(s) && d < extent_.size(); ++d) extent_[d] += pool_.row(s, SplatPool::kExtent)[d] / live;
  const double size = SumOf(extent_), tokens_each = all / static_cast<double>(std::max<int64_t>(kept, 1));
  while (kept > 0 && MayChange()) {
    const int64_t near = GatherUncovered(level, kept, 3 * size);
    const double tokens = static_cast<double>(near) * tokens_each;
    if (tokens < least) return;
    // An uncovered token is 2 · cover · width extents away, at least; near a center of its own it is one.
    const double gain = tokens * size * (2 * limits_.cover * ExtentWidth(pool_.shape().head_dim) / static_cast<double>(mean_.size()) - 1);
    const int64_t slot = MakeRoom(level, gain, -1, masses);
    if (slot < 0) return;
    pool_.Create(slot, mean_, extent_, 0, segment_);
    changed_[slot] = 1;
    const int64_t nearest = NearestTo(level, slot);
    if (nearest >= 0) pool_.at(slot, SplatPool::kLogAmplitude) = pool_.at(nearest, SplatPool::kLogAmplitude);
    gains_[slot] = 0;
    masses.Bear(slot, nearest);
    Tell(level, SplatEvent::kBorn, slot, -1, tokens / observed_.count, least / observed_.count);
  }
}

// Moves the greatest group of uncovered tokens behind the other `kept` ones: those within `radius2` of one of them. Their mean goes to mean_.
int64_t SplatAdapter::GatherUncovered(int64_t level, int64_t& kept, double radius2) {
  int64_t best = 0, most = 0;
  std::array<int64_t, kUncovered> near_of{};
  for (int64_t i = 0; i < kept; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      if (Distance2(uncovered(level, i), uncovered(level, j)) > radius2) continue;
      ++near_of[i];
      if (j < i) ++near_of[j];
    }
  for (int64_t i = 0; i < kept; ++i)
    if (near_of[i] > most) most = near_of[i], best = i;
  std::ranges::copy(uncovered(level, best), mean_.begin());  // for now the one in the middle
  int64_t left = 0;
  for (int64_t j = 0; j < kept; ++j)
    if (Distance2(mean_, uncovered(level, j)) > radius2) {
      if (left != j) std::ranges::swap_ranges(uncovered(level, left), uncovered(level, j));
      ++left;
    }
  std::ranges::fill(mean_, 0.0);
  for (int64_t j = left; j < kept; ++j)
    for (size_t d = 0; d < mean_.size(); ++d) mean_[d] += uncovered(level, j)[d] / static_cast<double>(kept - left);
  const int64_t near = kept - left;
  kept = left;
  return near;
}

double SplatAdapter::Gain(int64_t slot) const { return pool_.live(slot) ? ExpectedMass(slot) * pool_.SplitDistance2(slot) : 0; }

void SplatAdapter::SplitGreatest(int64_t level, SplatMasses& masses) {
  const int64_t begin = pool_.LevelBegin(level), end = pool_.LevelEnd(level);
  for (int64_t s = begin; s < end; ++s) gains_[s] = Gain(s);
  while (MayChange()) {
    const double mean = SumOf(std::span(gains_).subspan(begin, end - begin)) / static_cast<double>(pool_.Live(level));
    const int64_t slot = std::max_element(gains_.begin() + begin, gains_.begin() + end) - gains_.begin();
    const double gain = gains_[slot];
    if (gain <= mean) return;
    const int64_t child = MakeRoom(level, gain, slot, masses);
    if (child < 0) return;
    masses.Halve(slot, child);
    pool_.Split(slot, child);
    changed_[slot] = changed_[child] = 1;
    gains_[slot] = gains_[child] = Gain(slot);
    Tell(level, SplatEvent::kSplit, slot, child, gain, mean);
  }
}

void SplatAdapter::Measure(int64_t level) {
  double mass = 0;
  for (int64_t s = pool_.LevelBegin(level); s < pool_.LevelEnd(level); ++s) mass += pool_.at(s, SplatPool::kMass);
  const double count = std::max(1.0, observed_.count);
  log_.segments.Add({segment_, static_cast<int32_t>(level), static_cast<int32_t>(pool_.Live(level)), mass, observed_.residual / count,
                     observed_.spread / count, levels_.Gain(level), levels_.weight_factor(level), levels_.LeastResidual()});
}

void SplatAdapter::Tell(int64_t level, SplatEvent what, int64_t splat, int64_t other, double measure, double limit) {
  log_.events.Add({segment_, static_cast<int32_t>(level), what, static_cast<int32_t>(splat), static_cast<int32_t>(other), measure, limit});
  ++events_;
}

HSA_WIDE_CLONE static void Invert(int64_t dim, const double* numbers, double* inverse) {
  for (int64_t d = 0; d < dim; ++d) inverse[d] = 1 / numbers[d];
}

void SplatAdapter::RememberDensity(int64_t slot) {
  const std::span<const double> extent = pool_.row(slot, SplatPool::kExtent);
  const auto dim = static_cast<int64_t>(extent.size());
  log2_densities_[slot] = -std::numeric_limits<float>::infinity();
  if (!pool_.live(slot)) return;
  Invert(dim, extent.data(), &inverse_extents_[slot * dim]);
  log2_densities_[slot] = static_cast<float>(-0.5 * Log2Product(extent));
}

void SplatAdapter::RememberDensities() {
  for (int64_t s = 0; s < pool_.shape().slots(); ++s)
    if (changed(s)) RememberDensity(s);
}

}  // namespace hsa
