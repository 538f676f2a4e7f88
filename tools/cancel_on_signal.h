// Ctrl-C, asked for politely.
#pragma once

#include <csignal>

namespace hsa {

// While it lives, the first SIGINT or SIGTERM is noted and the work stops at its next look; the second one ends the process as usual. Writing
// past the limit of ulimit -f is an error of the write instead of a signal. One at a time in a process.
class CancelOnSignal {
 public:
  CancelOnSignal();
  ~CancelOnSignal();
  CancelOnSignal(const CancelOnSignal&) = delete;
  CancelOnSignal& operator=(const CancelOnSignal&) = delete;

  bool requested() const;

 private:
  struct sigaction interrupt_, terminate_, file_size_;  // what was there before
};

}  // namespace hsa
