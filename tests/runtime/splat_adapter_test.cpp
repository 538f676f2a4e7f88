// Splats that come and go: what mitosis, merge, birth and death keep, what triggers them, and that none of it allocates.
#include "runtime/splat_adapter.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <new>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/routed_state.h"
#include "runtime/sleeping_rows.h"
#include "runtime/wide_loops.h"

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace hsa {
namespace {

constexpr double kKept = 1e-9;  // relative

// Σ m, Σ m μ_d, and per dimension, or summed over those that share a variance, Σ m (C_d + μ_d²).
struct Moments {
  double mass = 0;
  std::vector<double> first, second;

  explicit Moments(const SplatPool& pool) : first(pool.shape().head_dim), second(first.size()) {
    const int64_t dims = pool.shape().head_dim, variances = pool.shape().variances == 0 ? dims : pool.shape().variances;
    const int64_t width = (dims + variances - 1) / variances;
    for (int64_t s = 0; s < pool.shape().slots(); ++s) {
      if (!pool.live(s)) continue;
      const double m = pool.at(s, SplatPool::kMass);
      mass += m;
      for (size_t d = 0; d < first.size(); ++d) {
        const double center = pool.row(s, SplatPool::kCenter)[d];
        first[d] += m * center, second[d / width] += m * (pool.row(s, SplatPool::kExtent)[d] + center * center);
      }
    }
  }
  void ExpectNear(const Moments& wanted) const {
    EXPECT_NEAR(mass, wanted.mass, kKept * wanted.mass);
    const double scale = std::accumulate(wanted.second.begin(), wanted.second.end(), 0.0);
    for (size_t d = 0; d < first.size(); ++d) EXPECT_NEAR(first[d], wanted.first[d], kKept * scale);
    for (size_t d = 0; d < second.size(); ++d) EXPECT_NEAR(second[d], wanted.second[d], kKept * scale);
  }
};

class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}
  double Uniform() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum;
  }
  int64_t Below(int64_t n) { return static_cast<int64_t>(bits_() % static_cast<uint64_t>(n)); }
  std::vector<double> Normals(int64_t n, double scale) {
    std::vector<double> numbers;
    for (int64_t i = 0; i < n; ++i) numbers.push_back(scale * Normal());
    return numbers;
  }

 private:
  std::mt19937_64 bits_;
};

SplatPool RandomPool(const PoolShape& shape, Random& random) {
  SplatPool pool(shape);
  for (int64_t s = 0; s < shape.slots(); s += 2) {
    std::vector<double> extent;
    for (int64_t d = 0; d < shape.head_dim; ++d) extent.push_back(0.1 + random.Uniform());
    pool.Create(s, random.Normals(shape.head_dim, 3), extent, 0, 0);
    pool.at(s, SplatPool::kMass) = 10 * random.Uniform();
    double norm = 0;
    for (double& u : pool.row(s, SplatPool::kAxis)) u = random.Normal(), norm += u * u;
    for (double& u : pool.row(s, SplatPool::kAxis)) u /= std::sqrt(norm);
  }
  return pool;
}

// Any series of splits, merges and births.
TEST(SplatPoolTest, KeepsMassMeanAndSecondMoment) {
  constexpr uint64_t kSeed = 20261127;
  Random random(kSeed);
  for (int round = 0; round < 20; ++round) {
    const PoolShape shape{1 + random.Below(40), {8 + random.Below(20), 4}, 3, round % 3 == 2 ? 3 : round % 3};
    SplatPool pool = RandomPool(shape, random);
    const Moments before(pool);
    for (int step = 0; step < 40; ++step) {
      SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round) + ", step " + std::to_string(step));
      const int64_t a = random.Below(pool.LevelEnd(0)), b = random.Below(pool.LevelEnd(0)), empty = pool.EmptySlot(0);
      if (!pool.live(a)) continue;
      if (step % 3 == 0 && empty >= 0) pool.Split(a, empty);
      if (step % 3 == 1 && a != b && pool.live(b)) pool.Merge(a, b);
      if (step % 3 == 2 && empty >= 0 && step % 9 == 2)
        pool.Create(empty, random.Normals(shape.head_dim, 1), random.Normals(shape.head_dim, 0), 0, 1);
      Moments(pool).ExpectNear(before);
      for (int64_t s = 0; s < shape.slots(); ++s)
        for (double variance : pool.row(s, SplatPool::kExtent)) ASSERT_GE(variance, 0);
    }
  }
}

// Mitosis goes along the principal axis, by what a normal distribution has between the means of its halves.
TEST(SplatPoolTest, SplitsAlongTheAxis) {
  SplatPool pool({3, {2}, 1, 0});
  pool.Create(0, std::vector<double>{1, 2, 3}, std::vector<double>{1, 9, 1}, 0, 0);
  pool.at(0, SplatPool::kMass) = 8;
  pool.Split(0, 1);
  const double apart = std::sqrt(2 / M_PI * 9);
  EXPECT_DOUBLE_EQ(pool.row(0, SplatPool::kCenter)[1], 2 + apart);
  EXPECT_DOUBLE_EQ(pool.row(1, SplatPool::kCenter)[1], 2 - apart);
  EXPECT_DOUBLE_EQ(pool.row(1, SplatPool::kExtent)[1], 9 * (1 - 2 / M_PI));
  EXPECT_DOUBLE_EQ(pool.row(1, SplatPool::kCenter)[0], 1);
  EXPECT_EQ(pool.at(1, SplatPool::kMass), 4);
}

// Σ z and Σ S of a state in float.
std::vector<double> Totals(const RoutedState& state, int64_t splats) {
  std::vector<double> totals(5);
  for (int64_t s = 0; s < splats; ++s) {
    float acc[4];
    const auto [max, sum] = state.Get(s, acc);
    totals[4] += std::exp2(double{max}) * sum;
    for (int c = 0; c < 4; ++c) totals[c] += std::exp2(double{max}) * acc[c];
  }
  return totals;
}

TEST(RoutedStateTest, HalvingAndJoiningKeepTheTotals) {
  Random random(5);
  RoutedState state(16, 16);
  for (int64_t s = 0; s < 12; ++s) {
    std::vector<float> acc;
    for (int c = 0; c < 4; ++c) acc.push_back(static_cast<float>(random.Normal()));
    state.Put(s, {static_cast<float>(10 * random.Normal()), static_cast<float>(1 + random.Uniform()), acc});
  }
  const std::vector<double> before = Totals(state, 16);
  for (int step = 0; step < 30; ++step) {
    const int64_t a = random.Below(12), b = 12 + random.Below(4);
    if (step % 2 == 0) {
      state.Clear(b);
      const std::vector<double> without = Totals(state, 16);
      for (int c = 0; c < 5; ++c) ASSERT_NEAR(without[c], before[c], 1e-6 * before[4]) << "only what was empty is cleared";
      state.Halve(a, b);
    } else {
      for (int64_t s = 12; s < 16; ++s) state.Join(a, s);
    }
    const std::vector<double> now = Totals(state, 16);
    for (int c = 0; c < 5; ++c) EXPECT_NEAR(now[c], before[c], 1e-6 * before[4]) << "step " << step;
  }
}

struct NoMasses : SplatMasses {
  void Halve(int64_t, int64_t) override {}
  void Join(int64_t, int64_t, double) override {}
  void Bear(int64_t, int64_t) override {}
  void Sleep(int64_t) override {}
  void Wake(int64_t) override {}
};

// Tokens of some groups, seen by an adapter; the most likely splat is found by brute force in float64.
class Stream {
 public:
  Stream(const AdaptLimits& limits, const PoolShape& shape) : adapter(limits, shape), shape_(shape), splats_(shape.levels.size()) {}

  void Begin() { adapter.Begin(masses_); }

  void Segment(int64_t tokens, const std::function<double(int64_t, int64_t)>& coordinate) {
    for (int64_t j = 0; j < tokens; ++j) {
      for (int64_t d = 0; d < shape_.head_dim; ++d) token_[d] = static_cast<float>(coordinate(j, d));
      for (size_t level = 0; level < shape_.levels.size(); ++level) splats_[level] = Likeliest(static_cast<int64_t>(level));
      adapter.Observe(splats_, token_);
    }
    adapter.EndSegment(masses_);
  }
  int64_t Count(SplatEvent what) const {
    int64_t count = 0;
    for (int64_t i = adapter.log().events.first(); i < adapter.log().events.added(); ++i)
      count += std::as_const(adapter).log().events[i].what == what ? 1 : 0;
    return count;
  }

  SplatAdapter adapter;

 private:
  int32_t Likeliest(int64_t level) const {
    int32_t best = -1;
    double most = -1e300;
    const SplatPool& pool = adapter.pool();
    for (int64_t s = pool.LevelBegin(level); s < pool.LevelEnd(level); ++s) {
      if (!pool.live(s)) continue;
      double log = 0;
      for (int64_t d = 0; d < shape_.head_dim; ++d) {
        const double apart = token_[d] - pool.row(s, SplatPool::kCenter)[d], variance = pool.row(s, SplatPool::kExtent)[d];
        log -= apart * apart / variance + std::log(variance);
      }
      if (log > most) most = log, best = static_cast<int32_t>(s);
    }
    return best;
  }

  PoolShape shape_;
  std::vector<int32_t> splats_;
  float token_[16];
  NoMasses masses_;
};

constexpr AdaptLimits kLimits = {.segment_tokens = 512, .history = 4, .memory = 0.5};
const PoolShape kShape{4, {6}, 4, 0};

void Start(Stream& stream, int64_t splats) {
  for (int64_t s = 0; s < splats; ++s)
    stream.adapter.Create(s, std::vector<double>{10.0 * double(s), 0, 0, 0}, std::vector<double>(4, 0.25), 0);
}

// Two groups where there was one splat: it splits until there is room no more, and in the end each group has a center.
TEST(SplatAdapterTest, SplitsWhereTheResidualIs) {
  Stream stream(kLimits, kShape);
  Start(stream, 1);
  Random random(7);
  for (int segment = 0; segment < 6; ++segment)
    stream.Segment(200, [&](int64_t j, int64_t d) { return (d == 1 ? (j % 2 == 0 ? 3.0 : -3.0) : 0.0) + 0.2 * random.Normal(); });
  EXPECT_GT(stream.Count(SplatEvent::kSplit), 0);
  const Ring<AdaptSegment>& segments = std::as_const(stream.adapter).log().segments;
  EXPECT_GT(segments[0].residual, 8);
  EXPECT_LT(segments[5].residual, 0.4) << "4 · 0.2² = 0.16 is what noise leaves";
}

TEST(SplatAdapterTest, IsBornWhereNoneCovers) {
  Stream stream(kLimits, kShape);
  Start(stream, 2);
  Random random(8);
  stream.Segment(200, [&](int64_t j, int64_t d) { return (d == 0 ? 10.0 * double(j % 2) : 0) + 0.5 * random.Normal(); });
  ASSERT_EQ(stream.Count(SplatEvent::kBorn), 0);
  stream.Segment(200, [&](int64_t j, int64_t d) {
    return (j % 5 == 0 ? 40.0 : d == 0 ? 10.0 * double(j % 2) : 0) + 0.5 * random.Normal();
  });
  EXPECT_EQ(stream.Count(SplatEvent::kBorn), 1);
  stream.Segment(200, [&](int64_t j, int64_t d) {
    return (j % 5 == 0 ? 40.0 : d == 0 ? 10.0 * double(j % 2) : 0) + 0.5 * random.Normal();
  });
  bool there = false;
  for (int64_t s = 0; s < 6; ++s)
    there |= stream.adapter.pool().live(s) && std::abs(std::as_const(stream.adapter).pool().row(s, SplatPool::kCenter)[3] - 40) < 0.3;
  EXPECT_TRUE(there);
}

TEST(SplatAdapterTest, DiesWhenIdleUnlessItComesBack) {
  Stream stream(kLimits, {4, {3}, 4, 0});
  Start(stream, 3);
  Random random(9);
  // Splat 1 is never seen again, splat 2 in every fourth segment.
  for (int segment = 0; segment < 12; ++segment)
    stream.Segment(100,
                   [&](int64_t j, int64_t d) { return (d == 0 && segment % 4 == 3 && j % 2 == 0 ? 20.0 : 0) + 0.5 * random.Normal(); });
  const auto center = [&](double x) {
    bool there = false;
    for (int64_t s = 0; s < 3; ++s)
      there |= stream.adapter.pool().live(s) && std::abs(std::as_const(stream.adapter).pool().row(s, SplatPool::kCenter)[0] - x) < 2;
    return there;
  };
  EXPECT_TRUE(center(20)) << "its score of dependency on the past protects it";
  EXPECT_FALSE(center(10));
}

TEST(SplatAdapterTest, DuplicatesMerge) {
  Stream stream(kLimits, kShape);
  stream.adapter.Create(0, std::vector<double>{0, 0, 0, 0}, std::vector<double>(4, 1), 0);
  stream.adapter.Create(1, std::vector<double>{0.05, 0, 0, 0}, std::vector<double>(4, 1), 0);
  Random random(10);
  stream.Segment(0, [&](int64_t, int64_t) { return random.Normal(); });
  EXPECT_EQ(stream.Count(SplatEvent::kMerged), 0) << "a segment without tokens says nothing";
  stream.Segment(2, [&](int64_t, int64_t) { return 0.1 * random.Normal(); });
  EXPECT_EQ(stream.Count(SplatEvent::kMerged), 1);
}

TEST(SplatAdapterTest, EventsOfASegmentAreBounded) {
  AdaptLimits limits = kLimits;
  limits.most_events = 2;
  Stream stream(limits, {4, {64}, 4, 0});
  Start(stream, 1);
  Random random(11);
  for (int segment = 0; segment < 8; ++segment) {
    const int64_t before = stream.adapter.log().events.added();
    stream.Segment(200, [&](int64_t, int64_t) { return 10 * random.Normal(); });
    EXPECT_LE(stream.adapter.log().events.added() - before, 2);
  }
}

TEST(SplatAdapterTest, TheSameStreamGivesTheSameSplats) {
  const auto run = [] {
    Stream stream(kLimits, {4, {12, 3}, 4, 0});
    for (int64_t s : {0, 1, 12}) stream.adapter.Create(s, std::vector<double>{10.0 * double(s), 0, 0, 0}, std::vector<double>(4, 0.25), 0);
    Random random(12);
    for (int segment = 0; segment < 6; ++segment) stream.Segment(200, [&](int64_t, int64_t) { return 10 * random.Normal(); });
    std::vector<double> numbers(stream.adapter.Numbers());
    stream.adapter.GetNumbers(numbers);
    return numbers;
  };
  EXPECT_EQ(run(), run());
}

TEST(SplatAdapterTest, AllocatesNothingOnceItIsMade) {
  Stream stream(kLimits, kShape);
  Start(stream, 2);
  Random random(13);
  const std::function<double(int64_t, int64_t)> coordinate = [&](int64_t j, int64_t d) {
    return (j % 7 == 0 ? 30.0 : d == 0 ? 10.0 * double(j % 2) : 0) + random.Normal();
  };
  const int64_t before = allocations.load();
  for (int segment = 0; segment < 12; ++segment) stream.Segment(200, coordinate);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_GT(stream.adapter.log().events.added(), 0) << "something happened";
}

// A fine level that tells 8 groups apart, and a coarse one.
void StartLevels(Stream& stream) {
  for (int64_t s = 0; s < 8; ++s) stream.adapter.Create(s, std::vector<double>{10.0 * double(s), 0, 0, 0}, std::vector<double>(4, 0.25), 0);
  for (int64_t s = 8; s < 10; ++s)
    stream.adapter.Create(s, std::vector<double>{60.0 * double(s - 8), 5, 0, 0}, std::vector<double>(4, 400), 0);
  stream.Begin();
}
const PoolShape kTwoLevels{4, {8, 2}, 2, 0};
constexpr AdaptLimits kOfLevels = {.segment_tokens = 512, .history = 2, .memory = 0.5, .asleep = 1, .level_tokens = 192, .level_gain = 0.2};

// What happened to levels, in order: "1+ 1-" woke, then slept.
std::string LevelEvents(const Stream& stream) {
  std::string text;
  const Ring<AdaptEvent>& events = stream.adapter.log().events;
  for (int64_t i = events.first(); i < events.added(); ++i)
    if (events[i].what >= SplatEvent::kWokeByLength)
      text += (text.empty() ? "" : " ") + std::to_string(events[i].segment) + ": " + std::to_string(events[i].level) +
              (events[i].what == SplatEvent::kSlept          ? " slept"
               : events[i].what == SplatEvent::kWokeByLength ? " by length"
                                                             : " by residual");
  return text;
}

// 192 tokens for each of the 8 finer splats are 3 segments of 512; what it then saves is too little; twice as long it gets another chance.
TEST(LevelsTest, WakesByLengthAndSleepsWhenItSavesLittle) {
  Stream stream(kOfLevels, kTwoLevels);
  StartLevels(stream);
  Random random(21);
  for (int segment = 0; segment < 10; ++segment)
    stream.Segment(200, [&](int64_t j, int64_t d) { return (d == 0 ? 10.0 * double(j % 8) : 0) + 0.5 * random.Normal(); });
  EXPECT_EQ(LevelEvents(stream), "2: 1 by length 4: 1 slept 9: 1 by length");
  const Ring<AdaptSegment>& segments = stream.adapter.log().segments;
  EXPECT_EQ(segments[1].live, 0) << "level 1 in segment 0";
  EXPECT_EQ(segments[2 * 3 + 1].live, 2);
  EXPECT_EQ(segments[2 * 4].gain, segments[2 * 4].gain);
  EXPECT_GT(segments[2 * 4].gain, 0.2) << "the fine level stays";
  EXPECT_LT(segments[2 * 4 + 1].gain, 0.2);
}

// The stream goes where the fine level cannot follow: 24 groups for 8 splats.
TEST(LevelsTest, WakesWhenTheFinerLevelLeavesTooMuch) {
  AdaptLimits limits = kOfLevels;
  limits.level_tokens = 0, limits.level_residual = 0.02, limits.level_gain = 0;
  Stream stream(limits, {4, {8, 12}, 2, 0});
  for (int64_t s = 0; s < 20; ++s)
    stream.adapter.Create(s, std::vector<double>{10.0 * double(s % 8), 0, 0, 0}, std::vector<double>(4, s < 8 ? 0.25 : 100), 0);
  stream.Begin();
  Random random(22);
  const auto groups = [&](int count) {
    return [&random, count](int64_t j, int64_t d) {
      const auto group = j % count;
      return (d == group % 3 ? 10.0 * double(group / 3 + 1) : 0) + 0.5 * random.Normal();
    };
  };
  for (int segment = 0; segment < 3; ++segment)
    stream.Segment(200, [&](int64_t j, int64_t d) { return (d == 0 ? 10.0 * double(j % 8) : 0) + 0.5 * random.Normal(); });
  EXPECT_EQ(LevelEvents(stream), "");
  for (int segment = 0; segment < 12; ++segment) stream.Segment(240, groups(24));
  EXPECT_EQ(LevelEvents(stream), "3: 1 by residual");
  const Ring<AdaptSegment>& segments = stream.adapter.log().segments;
  EXPECT_LT(segments[segments.added() - 1].least, 0.7 * segments[segments.added() - 2].residual) << "beside the fine level alone";
}

// Of numbers that a file may have in their place none is taken.
TEST(LevelsTest, GoOnFromWhatAdaptationLeavesAlone) {
  Stream stream(kOfLevels, kTwoLevels);
  StartLevels(stream);
  std::vector<double> numbers(stream.adapter.Numbers());
  stream.adapter.GetNumbers(numbers);
  const int64_t stride = SplatPool::Numbers(kTwoLevels) / kTwoLevels.slots(), dim = kTwoLevels.head_dim;
  const auto goes_on = [&](int64_t splat, int64_t number, double value) {
    std::vector<double> others = numbers;
    others[splat * stride + number] = value;
    return SplatAdapter(kOfLevels, kTwoLevels).GoOn(others, 1);
  };
  const auto row = [&](SplatPool::Row which) { return SplatPool::kScalars + which * dim; };
  ASSERT_TRUE(goes_on(3, SplatPool::kLive, 1)) << "as it is";
  EXPECT_TRUE(goes_on(3, SplatPool::kLive, 0)) << "level 0 has others";
  EXPECT_TRUE(goes_on(8, SplatPool::kLive, 0)) << "level 1 sleeps and has another";
  for (const double live : {-1.0, 0.5, 2.0}) EXPECT_FALSE(goes_on(3, SplatPool::kLive, live)) << live;
  for (const double live : {1.0, -0.5, -2.0}) EXPECT_FALSE(goes_on(8, SplatPool::kLive, live)) << live;
  EXPECT_FALSE(goes_on(3, SplatPool::kMass, -1));
  EXPECT_FALSE(goes_on(3, SplatPool::kCount, -1));
  EXPECT_FALSE(goes_on(3, SplatPool::kMass, NAN));
  EXPECT_FALSE(goes_on(3, row(SplatPool::kCenter), 1e100));
  EXPECT_FALSE(goes_on(3, row(SplatPool::kCenter), -1e200));
  EXPECT_FALSE(goes_on(3, row(SplatPool::kExtent), 1e100));
  EXPECT_FALSE(goes_on(3, row(SplatPool::kExtent), 0));
  EXPECT_FALSE(goes_on(3, row(SplatPool::kSquares), -1));
  EXPECT_FALSE(goes_on(3, row(SplatPool::kRows), -1)) << "activations stand behind the rows";

  numbers[8 * stride + SplatPool::kLive] = 0;
  EXPECT_FALSE(goes_on(9, SplatPool::kLive, 0)) << "none is left on a level that sleeps";
}

// Far from where it slept a level wakes with variances that are those of the splats that it follows, at least.
TEST(LevelsTest, VariancesStayAboveZeroFarAway) {
  SplatPool pool({2, {2, 1}, 1, 0});
  const std::vector<double> small(2, 1e-6);
  pool.Create(0, std::vector<double>{1e8, 3e7}, small, 0, 0);
  pool.Create(1, std::vector<double>{1e8, 3e7}, small, 0, 0);
  pool.Create(2, std::vector<double>{0, 0}, small, 0, 0);
  pool.at(0, SplatPool::kMass) = 3, pool.at(1, SplatPool::kMass) = 0.7;
  pool.Sleep(1), pool.Wake(1), pool.TakeAfter(1, 0);
  for (const double variance : pool.row(2, SplatPool::kExtent)) {
    EXPECT_GT(variance, 0.99e-6);
    EXPECT_LT(variance, 2e-6);
  }
}

TEST(LevelsTest, AllocateNothingOnceTheyAreMade) {
  Stream stream(kOfLevels, kTwoLevels);
  const std::vector<double> center(4), extent(4, 1);
  for (int64_t s = 0; s < 10; ++s) stream.adapter.Create(s, center, extent, 0);
  stream.Begin();
  Random random(25);
  const std::function<double(int64_t, int64_t)> coordinate = [&](int64_t j, int64_t d) {
    return (d == 0 ? double(j % 8) : 0) + random.Normal();
  };
  const int64_t before = allocations.load();
  for (int segment = 0; segment < 12; ++segment) stream.Segment(200, coordinate);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_NE(LevelEvents(stream), "");
}

// A level that wakes has mass, mean and second moment of the one that it follows.
TEST(LevelsTest, TakesAfterTheFinerLevel) {
  Random random(23);
  for (const int64_t variances : {0, 1, 2}) {
    SplatPool pool({5, {12, 3}, 2, variances});
    for (int64_t s = 0; s < 15; ++s) {
      std::vector<double> extent;
      for (int d = 0; d < 5; ++d) extent.push_back(0.1 + random.Uniform());
      pool.Create(s, random.Normals(5, 3), extent, 0, 0);
      pool.at(s, SplatPool::kMass) = 1 + random.Uniform();
    }
    pool.Sleep(1);
    EXPECT_EQ(pool.Live(1), 0);
    const Moments wanted(pool);
    pool.Wake(1), pool.TakeAfter(1, 0);
    EXPECT_EQ(pool.Live(1), 3);
    pool.Sleep(0);
    Moments(pool).ExpectNear(wanted);
  }
}

TEST(LevelsTest, WhatWasSentIsKeptWhileALevelSleeps) {
  RoutedState state(16, 16);
  SleepingRows sleeping(16, 4);
  const std::vector<float> acc = {1, 2, 3, 4}, other = {9, 9, 9, 9};
  state.Put(5, {-7, 3, acc});
  const int64_t before = allocations.load();
  sleeping.Keep(5, state);
  EXPECT_EQ(state.Get(5, {}).second, 0);
  state.Put(5, {0, 100, other});  // what a kernel may leave in a slot that is empty
  sleeping.Return(5, state);
  EXPECT_EQ(allocations.load(), before);
  std::vector<float> back(4);
  EXPECT_EQ(state.Get(5, back), std::pair(-7.0f, 3.0f));
  EXPECT_EQ(back, acc);
}

// Of two levels the one that explains the tokens better weighs more, within the bound; and alike when both do.
TEST(LevelsTest, WeightsFollowWhatLevelsExplain) {
  for (const double bound : {1.0, 1.25, 16.0}) {
    AdaptLimits limits = kOfLevels;
    limits.asleep = 0, limits.level_gain = 0, limits.weight_bound = bound;
    Stream stream(limits, kTwoLevels);
    StartLevels(stream);
    Random random(24);
    for (int segment = 0; segment < 6; ++segment)
      stream.Segment(200, [&](int64_t j, int64_t d) { return (d == 0 ? 10.0 * double(j % 8) : 0) + 0.5 * random.Normal(); });
    const AdaptedLevels& levels = stream.adapter.of_levels();
    EXPECT_LE(levels.weight_factor(0), bound);
    EXPECT_GE(levels.weight_factor(1), 1 / bound);
    if (bound > 1) EXPECT_GT(levels.weight_factor(0), 1.2);
    if (bound == 16) EXPECT_NEAR(levels.weight_factor(0) + levels.weight_factor(1), 2, 1e-9) << "shares of the tokens add up to 1";
  }
}

// Beside sums in order, at sizes that end inside eight lanes.
TEST(WideLoopsTest, AreTheirFormulas) {
  Random random(5);
  for (const int64_t size : {1, 7, 8, 36, 64, 1024}) {
    std::vector<double> a, b;
    for (int64_t d = 0; d < size; ++d) a.push_back(std::exp(3 * random.Normal())), b.push_back(d % 5 == 3 ? 0 : random.Normal());
    double sum = 0, dot = 0, distance = 0, variance = 0, log2 = 0, least = INFINITY;
    for (int64_t d = 0; d < size; ++d) {
      sum += a[d], dot += a[d] * b[d], distance += (a[d] - b[d]) * (a[d] - b[d]);
      variance += b[d] * b[d] * a[d], log2 += std::log2(a[d]);
      if (b[d] != 0) least = std::min(least, a[d] / (b[d] * b[d]));
    }
    EXPECT_NEAR(SumOf(a), sum, kKept * sum);
    EXPECT_NEAR(DotOf(a, b), dot, kKept * sum);
    EXPECT_NEAR(Distance2(a, b), distance, kKept * distance);
    EXPECT_NEAR(VarianceAlong(b, a), variance, kKept * variance);
    EXPECT_NEAR(LeastShare(b, a), least, kKept * least);
    EXPECT_NEAR(Log2Product(a), log2, 1e-9 * (1 + static_cast<double>(size)));
  }
  EXPECT_EQ(LeastShare(std::vector<double>{0}, std::vector<double>{1}), INFINITY);
  EXPECT_NEAR(Log2Product(std::vector<double>(1024, 1e-38)), 1024 * std::log2(1e-38), 1e-6);
}

}  // namespace
}  // namespace hsa
