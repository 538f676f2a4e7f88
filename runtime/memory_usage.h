// Resident memory of this process, now and at its highest.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace hsa {

struct MemoryUsage {
  int64_t anon_bytes = 0;    // RssAnon: what cannot be dropped
  int64_t mapped_bytes = 0;  // RssFile + RssShmem: pages of mapped files
};

// From /proc/self/status; zeros where there is none.
MemoryUsage CurrentMemoryUsage();

// Looks every `period`, from construction to destruction, and keeps the highest of each number. A peak between two looks is missed.
class MemorySampler {
 public:
  explicit MemorySampler(std::chrono::milliseconds period = std::chrono::milliseconds(10));
  ~MemorySampler();
  MemorySampler(const MemorySampler&) = delete;
  MemorySampler& operator=(const MemorySampler&) = delete;

  // The highest so far, this moment included.
  MemoryUsage Peak();

 private:
  void Look();

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // under mutex_
  MemoryUsage peak_;   // under mutex_
  std::thread thread_;
};

}  // namespace hsa
