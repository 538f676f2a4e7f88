// A progress bar for people: on a terminal only, at most ten times a second, gone when the work is.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace hsa {

class ProgressBar {
 public:
  // Writes to `file`, standard error, and not at all when that is no terminal.
  explicit ProgressBar(std::string label, int file = 2);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `done` in [0, 1]. Thread-safe and cheap.
  void Update(double done);

 private:
  const std::string label_;
  const int file_;
  const bool shown_;
  const std::chrono::steady_clock::time_point start_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_;  // under mutex_
  bool drawn_ = false;                          // under mutex_
};

}  // namespace hsa
