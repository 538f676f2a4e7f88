#include "runtime/trace.h"

#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "nlohmann/json.hpp"
#include "runtime/memory_usage.h"
#include "runtime/write_file.h"
#include "tests/runtime/test_folder.h"

namespace hsa {
namespace {

TEST(TraceTest, ScopesOfManyThreadsBecomeCompleteEvents) {
  Trace trace;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) const TraceScope scope(&trace, "near \"field\"", "tile");
    });
  for (std::thread& thread : threads) thread.join();
  const auto json = nlohmann::json::parse(trace.ToJson());
  ASSERT_EQ(json["traceEvents"].size(), 400u);
  EXPECT_EQ(json["otherData"]["dropped"], 0);
  const auto& event = json["traceEvents"][0];
  EXPECT_EQ(event["name"], "near \"field\"");
  EXPECT_EQ(event["cat"], "tile");
  EXPECT_EQ(event["ph"], "X");
  EXPECT_GE(event["ts"].get<double>(), 0);
  EXPECT_GE(event["dur"].get<double>(), 0);
}

TEST(TraceTest, TimesAreMicroseconds) {
  Trace trace;
  const auto now = Trace::Clock::now();
  trace.Add("a", "b", now, now + std::chrono::milliseconds(3));
  EXPECT_EQ(nlohmann::json::parse(trace.ToJson())["traceEvents"][0]["dur"], 3000);
}

TEST(TraceTest, NoTraceIsNoWork) { const TraceScope scope(nullptr, "near"); }

TEST(TraceTest, KeepsAMillionEventsAndCountsTheOthers) {
  Trace trace;
  const auto now = Trace::Clock::now();
  for (int i = 0; i < 1'000'003; ++i) trace.Add("a", "b", now, now);
  EXPECT_NE(trace.ToJson().find("\"dropped\":3"), std::string::npos);
}

TEST(TraceTest, WritesAFile) {
  const TestFolder folder;
  const Trace trace;
  ASSERT_TRUE(trace.Write(folder / "trace.json").ok());
  EXPECT_TRUE(nlohmann::json::parse(ReadText(folder / "trace.json"))["traceEvents"].empty());
  EXPECT_FALSE(trace.Write(folder / "no/such").ok());
}

TEST(WriteFileTest, ReplacesFilesAndWritesToDevices) {
  const TestFolder folder;
  WriteText(folder / "a", "a long text that was there");
  ASSERT_TRUE(WriteFile(folder / "a", "short").ok());
  EXPECT_EQ(ReadText(folder / "a"), "short");
  EXPECT_EQ(folder.Files().size(), 1u);
  std::filesystem::create_symlink("a", folder / "link");
  ASSERT_TRUE(WriteFile(folder / "link", "through the link").ok());
  EXPECT_EQ(ReadText(folder / "a"), "through the link");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_TRUE(WriteFile("/dev/null", "text").ok());
  EXPECT_EQ(WriteFile("/dev/full", "text").message(), "/dev/full: cannot write: No space left on device");
  EXPECT_EQ(WriteFile(folder / ".", "text").code(), absl::StatusCode::kFailedPrecondition);
}

TEST(MemoryTest, SamplerKeepsThePeak) {
  constexpr std::size_t kBytes = 64 << 20;
  MemorySampler sampler(std::chrono::milliseconds(1));
  const int64_t before = CurrentMemoryUsage().anon_bytes;
  EXPECT_GT(before, 0);
  void* block = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(block, MAP_FAILED);
  std::memset(block, 1, kBytes);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  munmap(block, kBytes);
  EXPECT_GE(sampler.Peak().anon_bytes, before + static_cast<int64_t>(kBytes) / 2);
  EXPECT_GT(sampler.Peak().mapped_bytes, 0);  // this program itself is a mapped file
}

}  // namespace
}  // namespace hsa
