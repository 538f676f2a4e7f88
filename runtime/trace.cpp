#include "runtime/trace.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "runtime/write_file.h"

namespace hsa {
namespace {

constexpr std::size_t kEventsMax = 1'000'000;

std::string Quoted(const char* text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

int64_t Nanoseconds(Trace::Clock::duration duration) { return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count(); }

}  // namespace

void Trace::Add(const char* name, const char* category, Clock::time_point begin, Clock::time_point end) {
  thread_local const int thread = gettid();
  const Event event{name, category, Nanoseconds(begin - start_), Nanoseconds(end - begin), thread};
  const std::lock_guard lock(mutex_);
  if (events_.size() < kEventsMax) {
    events_.push_back(event);
  } else {
    ++dropped_;
  }
}

std::string Trace::ToJson() const {
  const std::lock_guard lock(mutex_);
  const int process = getpid();
  std::string json = absl::StrCat("{\"displayTimeUnit\":\"ms\",\"otherData\":{\"dropped\":", dropped_, "},\"traceEvents\":[");
  const char* separator = "\n";
  for (const Event& event : events_) {
    absl::StrAppendFormat(&json, "%s{\"name\":%s,\"cat\":%s,\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":%d}", separator,
                          Quoted(event.name), Quoted(event.category), static_cast<double>(event.begin_ns) / 1e3,
                          static_cast<double>(event.duration_ns) / 1e3, process, event.thread);
    separator = ",\n";
  }
  return json + "\n]}\n";
}

absl::Status Trace::Write(const std::string& path) const { return WriteFile(path, ToJson()); }

}  // namespace hsa
