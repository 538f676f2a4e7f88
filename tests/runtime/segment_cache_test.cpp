#include "runtime/segment_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "tests/format/small_plan.h"

namespace hsa {
namespace {

using namespace std::chrono_literals;

// Segments that hold nothing but their number.
class SegmentCacheTest : public testing::Test {
 protected:
  SegmentCacheTest() : file_(format::SmallPlanFile()), plan_(*Plan::FromBytes(std::as_bytes(std::span(file_)), "plan")), program_(plan_) {}

  static void Pack(Worker&, SegmentCache::Id id, KeyPanels& out) { out.pos.assign(1, static_cast<int32_t>(id.segment)); }

  const std::string file_;
  const Plan plan_;
  const Program program_;
};

TEST_F(SegmentCacheTest, KeepsWhatWasUsedLast) {
  SegmentCache cache(2, Pack);
  Worker worker(program_);
  for (int64_t segment : {0, 1, 0, 2, 0, 1}) EXPECT_EQ(cache.Pin(worker, {0, segment})->pos[0], segment);
  EXPECT_EQ(cache.packed(), 4);  // 0, 1, 2 in place of 1, 1 in place of 2
}

// Times that the calling thread went to sleep so far.
int64_t Sleeps() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

// A thread that finds all of the capacity pinned sleeps until a pin is dropped, and does not wake up now and then to look.
TEST_F(SegmentCacheTest, WaitsForAPinToBeDropped) {
  SegmentCache cache(1, Pack);
  Worker worker(program_);
  std::shared_ptr<const KeyPanels> pinned = cache.Pin(worker, {0, 0});
  std::atomic<bool> done = false;
  std::thread other([&] {
    Worker own(program_);
    const int64_t before = Sleeps();
    EXPECT_EQ(cache.Pin(own, {0, 1})->pos[0], 1);
    EXPECT_LT(Sleeps() - before, 10);
    done = true;
  });
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(done);
  EXPECT_EQ(pinned->pos[0], 0);
  pinned.reset();
  other.join();  // for ever, were nobody told
  EXPECT_TRUE(done);
  EXPECT_EQ(cache.packed(), 2);
}

TEST_F(SegmentCacheTest, ManyThreadsShareFewSegments) {
  constexpr int kThreads = 8;
  SegmentCache cache(kThreads, Pack);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      Worker worker(program_);
      std::mt19937_64 random(t);
      for (int i = 0; i < 2000; ++i) {
        const auto segment = static_cast<int64_t>(random() % (2 * kThreads));
        const std::shared_ptr<const KeyPanels> panels = cache.Pin(worker, {0, segment});
        std::this_thread::yield();
        EXPECT_EQ(panels->pos[0], segment);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(cache.packed(), 2 * kThreads);
}

}  // namespace
}  // namespace hsa
