// Runs a plan over an oracle's problem, its tensors in any element type and layout.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/run.h"
#include "tests/oracle/attention_oracle.h"

namespace hsa::end_to_end {

enum class Layout {
  kHeadsFirst,   // [head, token, dim]
  kTokensFirst,  // [token, head, dim], as models hold it
  kGaps,         // [head, token, dim] with elements between rows and heads that nobody may read as data or write
};

struct Storage {
  DType input = DType::kF32;
  DType output = DType::kF32;
  Layout layout = Layout::kHeadsFirst;
};

// A [heads, tokens, dim] tensor of its own.
class OwnedTensor {
 public:
  OwnedTensor(int64_t heads, int64_t tokens, int64_t dim, DType dtype, Layout layout);

  void Fill(const std::vector<float>& values);  // contiguous [heads, tokens, dim], rounded to the element type
  std::vector<float> Values() const;            // the same, widened
  bool GapsUntouched() const;                   // every byte that belongs to no element is as it was made

  TensorView view() const { return {bytes_.data(), dtype_, shape_, strides_}; }
  MutableTensorView mutable_view() { return {bytes_.data(), dtype_, shape_, strides_}; }

 private:
  std::byte* Element(int64_t head, int64_t token, int64_t d) const;

  DType dtype_;
  std::array<int64_t, 3> shape_, strides_;
  mutable std::vector<std::byte> bytes_;
};

// Every value rounded to `dtype` and widened again: what the oracle is given.
oracle::Problem Rounded(oracle::Problem problem, DType dtype);

struct Attended {
  std::vector<float> o, lse;  // [H, N, Dv], [H, N]
  RunReport report;

  bool SameBits(const Attended& other) const;
  // Only the queries `rows`: o [H, rows, Dv], lse [H, rows].
  Attended Rows(const oracle::Problem& problem, std::span<const int64_t> rows) const;
};

// hsa::Run; the status is its own.
absl::StatusOr<Attended> TryAttend(const Plan& plan, const oracle::Problem& problem, const RunOptions& options,
                                   const Storage& storage = {});

// The same, where anything but success ends the test.
Attended Attend(const Plan& plan, const oracle::Problem& problem, const RunOptions& options, const Storage& storage = {});

// Largest difference; infinities agree with themselves, a NaN with nothing.
double MaxAbsDifference(std::span<const float> a, std::span<const double> b);

// Relative L2 of o and the largest difference of lse stay within their bounds; both are recorded as properties of the test.
void ExpectClose(const Attended& is, const oracle::Result& wanted, double rel_l2, double lse);

}  // namespace hsa::end_to_end
