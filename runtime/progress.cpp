#include "runtime/progress.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace hsa {
namespace {

constexpr std::chrono::milliseconds kPeriod(100);
constexpr int kWidth = 32;

void Put(int file, const std::string& text) {
  // A bar that cannot be drawn is no reason to stop.
  [[maybe_unused]] const ssize_t written = write(file, text.data(), text.size());
}

std::string Remaining(double done, double elapsed_s) {
  if (done < 0.02 || elapsed_s < 1) return "";
  const auto left = static_cast<long>(elapsed_s * (1 - done) / done + 0.5);
  return left < 60 ? absl::StrFormat(", %d s left", left) : absl::StrFormat(", %d:%02d min left", left / 60, left % 60);
}

}  // namespace

ProgressBar::ProgressBar(std::string label, int file)
    : label_(std::move(label)), file_(file), shown_(isatty(file) == 1), start_(std::chrono::steady_clock::now()), next_(start_ + kPeriod) {}

ProgressBar::~ProgressBar() {
  if (drawn_) Put(file_, "\r\x1b[K");
}

void ProgressBar::Update(double done) {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  const std::unique_lock lock(mutex_, std::try_to_lock);  // another thread draws: leave it to it
  if (!lock || now < next_) return;
  next_ = now + kPeriod;
  done = std::clamp(done, 0.0, 1.0);
  const int filled = static_cast<int>(done * kWidth);
  Put(file_, absl::StrFormat("\r%s [%s%s] %3.0f %%%s\x1b[K", label_, std::string(filled, '#'), std::string(kWidth - filled, '.'),
                             100 * done, Remaining(done, std::chrono::duration<double>(now - start_).count())));
  drawn_ = true;
}

}  // namespace hsa
