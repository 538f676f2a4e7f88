// What the two ways of running a plan share: the job, its threads' workers, its clock and its progress.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "oneapi/tbb/enumerable_thread_specific.h"
#include "runtime/geometry.h"
#include "runtime/run.h"
#include "runtime/trace.h"
#include "runtime/worker.h"

namespace hsa {

struct Job {
  const Plan& plan;
  const Inputs& inputs;
  const Outputs& outputs;
  const RunOptions& options;
  Geometry geometry;
  Program program;
  int threads = 1;
};

using Workers = oneapi::tbb::enumerable_thread_specific<Worker>;

inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Adds seconds from several threads.
class Stopwatch {
 public:
  void Add(double seconds) { nanoseconds_ += static_cast<int64_t>(seconds * 1e9); }
  double seconds() const { return static_cast<double>(nanoseconds_.load()) * 1e-9; }

 private:
  std::atomic<int64_t> nanoseconds_{0};
};

// Work done so far, told to the caller from one thread at a time; remembers when the caller wants to stop.
class ProgressMeter {
 public:
  ProgressMeter(const std::function<bool(double)>& callback, double total) : callback_(callback), total_(total > 0 ? total : 1) {}

  // False once the run is cancelled.
  bool Advance(double work) {
    if (!callback_) return true;
    const std::lock_guard lock(mutex_);
    done_ += work;
    if (!cancelled_ && !callback_(done_ / total_)) cancelled_ = true;
    return !cancelled_;
  }
  bool cancelled() const { return cancelled_; }

 private:
  const std::function<bool(double)>& callback_;
  const double total_;
  std::mutex mutex_;
  double done_ = 0;  // under mutex_
  std::atomic<bool> cancelled_{false};
};

absl::Status RunExact(const Job& job, RunReport& report);
absl::Status RunSplats(const Job& job, RunReport& report);
absl::Status RunRouted(const Job& job, RunReport& report);
absl::Status RunSparse(const Job& job, RunReport& report);  // of scheme routed
absl::Status RunDecode(const Job& job, RunReport& report);

}  // namespace hsa
