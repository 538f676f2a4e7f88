// What happened when, on which thread: complete events in the JSON that chrome://tracing and ui.perfetto.dev open.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace hsa {

// Thread-safe. Keeps at most 1,000,000 events (48 MB); later ones are counted, and the count is in the file.
class Trace {
 public:
  using Clock = std::chrono::steady_clock;

  Trace() : start_(Clock::now()) {}

  // Both names must outlive the trace: string literals.
  void Add(const char* name, const char* category, Clock::time_point begin, Clock::time_point end);

  // {"displayTimeUnit":"ms","otherData":{"dropped":0},"traceEvents":[{"name":…,"cat":…,"ph":"X","ts":µs,"dur":µs,"pid":…,"tid":…},…]}
  std::string ToJson() const;

  // FAILED_PRECONDITION  the file cannot be written: names the system's reason
  absl::Status Write(const std::string& path) const;

 private:
  struct Event {
    const char* name;
    const char* category;
    int64_t begin_ns, duration_ns;
    int thread;
  };

  const Clock::time_point start_;
  mutable std::mutex mutex_;
  std::vector<Event> events_;  // under mutex_
  int64_t dropped_ = 0;        // under mutex_
};

// An event from here to the end of the scope. Without a trace it costs one comparison.
class TraceScope {
 public:
  TraceScope(Trace* trace, const char* name, const char* category = "run") : trace_(trace), name_(name), category_(category) {
    if (trace_ != nullptr) begin_ = Trace::Clock::now();
  }
  ~TraceScope() {
    if (trace_ != nullptr) trace_->Add(name_, category_, begin_, Trace::Clock::now());
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  Trace* trace_;
  const char* name_;
  const char* category_;
  Trace::Clock::time_point begin_;
};

}  // namespace hsa
