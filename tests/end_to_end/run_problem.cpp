#include "tests/end_to_end/run_problem.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/element.h"

namespace hsa::end_to_end {

namespace {

constexpr std::byte kGap{0x5a};
constexpr int64_t kRowGap = 3, kHeadGap = 37;  // elements; odd, so that rows are aligned to nothing

void StoreElement(float value, DType dtype, std::byte* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, &value, sizeof value);
    return;
  }
  uint16_t bits = 0;
  if (dtype == DType::kF16) {
    bits = std::bit_cast<uint16_t>(static_cast<_Float16>(value));
  } else {
    const auto wide = std::bit_cast<uint32_t>(value);
    bits = static_cast<uint16_t>(std::isnan(value) ? wide >> 16 | 0x40 : (wide + 0x7fff + (wide >> 16 & 1)) >> 16);  // to nearest even
  }
  std::memcpy(out, &bits, sizeof bits);
}

}  // namespace

OwnedTensor::OwnedTensor(int64_t heads, int64_t tokens, int64_t dim, DType dtype, Layout layout)
    : dtype_(dtype), shape_{heads, tokens, dim} {
  switch (layout) {
    case Layout::kHeadsFirst:
      strides_ = {tokens * dim, dim, 1};
      break;
    case Layout::kTokensFirst:
      strides_ = {dim, heads * dim, 1};
      break;
    case Layout::kGaps:
      strides_ = {tokens * (dim + kRowGap) + kHeadGap, dim + kRowGap, 1};
      break;
  }
  bytes_.assign((heads * tokens * (dim + kRowGap) + heads * kHeadGap) * DTypeBytes(dtype), kGap);
}

std::byte* OwnedTensor::Element(int64_t head, int64_t token, int64_t d) const {
  return bytes_.data() + (head * strides_[0] + token * strides_[1] + d) * DTypeBytes(dtype_);
}

void OwnedTensor::Fill(const std::vector<float>& values) {
  const float* value = values.data();
  for (int64_t h = 0; h < shape_[0]; ++h)
    for (int64_t t = 0; t < shape_[1]; ++t)
      for (int64_t d = 0; d < shape_[2]; ++d) StoreElement(*value++, dtype_, Element(h, t, d));
}

std::vector<float> OwnedTensor::Values() const {
  std::vector<float> values;
  values.reserve(shape_[0] * shape_[1] * shape_[2]);
  for (int64_t h = 0; h < shape_[0]; ++h)
    for (int64_t t = 0; t < shape_[1]; ++t)
      for (int64_t d = 0; d < shape_[2]; ++d) values.push_back(LoadElement(Element(h, t, d), dtype_));
  return values;
}

bool OwnedTensor::GapsUntouched() const {
  std::vector<std::byte> left = bytes_;
  for (int64_t h = 0; h < shape_[0]; ++h)
    for (int64_t t = 0; t < shape_[1]; ++t)
      std::fill_n(left.begin() + (Element(h, t, 0) - bytes_.data()), shape_[2] * DTypeBytes(dtype_), kGap);
  return std::all_of(left.begin(), left.end(), [](std::byte b) { return b == kGap; });
}

oracle::Problem Rounded(oracle::Problem problem, DType dtype) {
  for (std::vector<float>* values : {&problem.q, &problem.k, &problem.v})
    for (float& value : *values) {
      std::byte element[4];
      StoreElement(value, dtype, element);
      value = LoadElement(element, dtype);
    }
  return problem;
}

bool Attended::SameBits(const Attended& other) const {
  const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  };
  return same(o, other.o) && same(lse, other.lse);
}

Attended Attended::Rows(const oracle::Problem& p, std::span<const int64_t> rows) const {
  Attended some;
  for (int64_t h = 0; h < p.H; ++h)
    for (int64_t row : rows) {
      some.o.insert(some.o.end(), o.begin() + (h * p.N + row) * p.Dv, o.begin() + (h * p.N + row + 1) * p.Dv);
      some.lse.push_back(lse[h * p.N + row]);
    }
  return some;
}

absl::StatusOr<Attended> TryAttend(const Plan& plan, const oracle::Problem& p, const RunOptions& options, const Storage& storage) {
  OwnedTensor q(p.H, p.N, p.D, storage.input, storage.layout), k(p.Hkv, p.M, p.D, storage.input, storage.layout);
  OwnedTensor v(p.Hkv, p.M, p.Dv, storage.input, storage.layout), o(p.H, p.N, p.Dv, storage.output, storage.layout);
  OwnedTensor lse(1, p.H, p.N, DType::kF32, Layout::kHeadsFirst);
  q.Fill(p.q), k.Fill(p.k), v.Fill(p.v);
  absl::StatusOr<RunReport> report = Run(plan, {q.view(), k.view(), v.view()}, {.o = o.mutable_view(), .lse = lse.mutable_view()}, options);
  if (!report.ok()) return report.status();
  if (!o.GapsUntouched() || !lse.GapsUntouched()) ADD_FAILURE() << "the run wrote between the rows of its output, or behind them";
  return Attended{o.Values(), lse.Values(), *report};
}

Attended Attend(const Plan& plan, const oracle::Problem& problem, const RunOptions& options, const Storage& storage) {
  absl::StatusOr<Attended> attended = TryAttend(plan, problem, options, storage);
  if (!attended.ok()) throw std::runtime_error(attended.status().ToString());  // gtest fails the test with it
  return *std::move(attended);
}

double MaxAbsDifference(std::span<const float> a, std::span<const double> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (static_cast<double>(a[i]) == b[i]) continue;
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = difference <= largest ? largest : difference;  // a NaN stays
    if (std::isnan(largest)) break;
  }
  return largest;
}

void ExpectClose(const Attended& is, const oracle::Result& wanted, double rel_l2, double lse) {
  const double o_error = oracle::RelL2(std::span<const float>(is.o), std::span<const double>(wanted.o)),
               lse_error = MaxAbsDifference(is.lse, wanted.lse);
  EXPECT_LE(o_error, rel_l2);
  EXPECT_LE(lse_error, lse);
  testing::Test::RecordProperty("rel_l2", absl::StrCat(o_error));
  testing::Test::RecordProperty("lse_difference", absl::StrCat(lse_error));
}

}  // namespace hsa::end_to_end
