#include "tools/cancel_on_signal.h"

namespace hsa {
namespace {

volatile std::sig_atomic_t requested_flag = 0;

void Note(int) { requested_flag = 1; }

}  // namespace

CancelOnSignal::CancelOnSignal() {
  requested_flag = 0;
  struct sigaction note = {};
  note.sa_handler = Note;
  note.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigemptyset(&note.sa_mask);
  sigaction(SIGINT, &note, &interrupt_);
  sigaction(SIGTERM, &note, &terminate_);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &file_size_);
}

CancelOnSignal::~CancelOnSignal() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  sigaction(SIGXFSZ, &file_size_, nullptr);
}

bool CancelOnSignal::requested() const { return requested_flag != 0; }

}  // namespace hsa
