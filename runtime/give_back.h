// Rows that a stream has gone past are given back to whoever holds them, so that what a run keeps in memory does not grow with its length.
#pragma once

#include <cstdint>

#include "runtime/run.h"

namespace hsa {

// Tells the inputs and outputs of a run which of their rows are done with, in runs of kRows: where a run is shared by several threads, the one that reaches its
// end speaks for all. Rows that another of them still reads come back from where they are kept.
class GiveBack {
 public:
  static constexpr int64_t kRows = 4096;

  GiveBack(const Inputs& inputs, const Outputs& outputs) : inputs_(inputs), outputs_(outputs) {}

  // Rows [begin, end) of one head of query, key or value have been read, or of the output written.
  void Read(const TensorView& tensor, int64_t head, int64_t begin, int64_t end) const {
    const Run run(begin, end);
    if (run.empty() || !inputs_.rows_read) return;
    TensorView one = tensor;
    one.data = tensor.Row(head, 0), one.shape[0] = 1;
    inputs_.rows_read(one, run.begin, run.end);
  }
  void Written(int64_t head, int64_t begin, int64_t end) const {
    const Run run(begin, end);
    if (!run.empty() && outputs_.rows_written) outputs_.rows_written(head, run.begin, run.end);
  }

 private:
  // The whole runs that end in (begin, end].
  struct Run {
    Run(int64_t first, int64_t last) : begin(first / kRows * kRows), end(last / kRows * kRows) {}
    bool empty() const { return begin >= end; }
    int64_t begin, end;
  };

  const Inputs& inputs_;
  const Outputs& outputs_;
};

}  // namespace hsa
