#include "runtime/memory_usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace hsa {
namespace {

// "RssAnon:\t    1234 kB" → 1,263,616
int64_t Field(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return 0;
  const std::size_t digits = status.find_first_not_of(": \t", at + name.size());
  int64_t kilobytes = 0;
  if (digits != std::string_view::npos) std::from_chars(status.data() + digits, status.data() + status.size(), kilobytes);
  return kilobytes * 1024;
}

}  // namespace

MemoryUsage CurrentMemoryUsage() {
  char buffer[4096];  // on the stack: measuring must not allocate
  const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t size = read(file, buffer, sizeof buffer);
  close(file);
  const std::string_view status(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
  return {Field(status, "\nRssAnon"), Field(status, "\nRssFile") + Field(status, "\nRssShmem")};
}

MemorySampler::MemorySampler(std::chrono::milliseconds period) {
  thread_ = std::thread([this, period] {
    std::unique_lock lock(mutex_);
    do Look();
    while (!wake_.wait_for(lock, period, [this] { return stop_; }));
  });
}

MemorySampler::~MemorySampler() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

MemoryUsage MemorySampler::Peak() {
  const std::lock_guard lock(mutex_);
  Look();
  return peak_;
}

void MemorySampler::Look() {
  const MemoryUsage now = CurrentMemoryUsage();
  peak_.anon_bytes = std::max(peak_.anon_bytes, now.anon_bytes);
  peak_.mapped_bytes = std::max(peak_.mapped_bytes, now.mapped_bytes);
}

}  // namespace hsa
