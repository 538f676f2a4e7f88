#include <algorithm>
#include <bit>
#include <limits>

#include "tests/passes/cpu/kernel_test.h"

namespace hsa::ir {
namespace {

using RowsTest = KernelTest;
INSTANTIATE_TEST_SUITE_P(All, RowsTest, ::testing::ValuesIn(AllKernelCases()), KernelCaseName);

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

float FromBf16(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
float FromF16(uint16_t x) { return static_cast<float>(std::bit_cast<_Float16>(x)); }
float FromF32(float x) { return x; }

// Value of a bf16 as a double; the pattern of infinity counts as 2^128, where the next finite number would stand.
double Place(uint16_t x) { return (x & 0x7fff) == 0x7f80 ? std::copysign(0x1p128, FromBf16(x)) : FromBf16(x); }

uint16_t NearestBf16(float x) {
  const auto below = static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16);
  if (std::isinf(x)) return below;
  const auto above = static_cast<uint16_t>(below + 1);
  const double to_below = std::abs(Place(below) - x), to_above = std::abs(Place(above) - x);
  if (to_below != to_above) return to_below < to_above ? below : above;
  return below % 2 == 0 ? below : above;
}

template <class T>
void ExpectWidened(const CompiledKernels& kernels, const std::string& entry, const Array<T>& raw, int64_t padded, float (*widen)(T)) {
  const int64_t rows = raw.shape()[0], width = raw.shape()[1];
  Array<float> widened({rows, padded});
  Array<int32_t> bad({rows});
  kernels.Call(entry, {&raw, &widened, &bad});
  for (int64_t r = 0; r < rows; ++r) {
    bool finite = true;
    for (int64_t c = 0; c < padded; ++c) {
      const float wanted = c < width ? widen(raw(r, c)) : 0;
      finite = finite && std::isfinite(wanted);
      if (std::isnan(wanted))
        EXPECT_TRUE(std::isnan(widened(r, c))) << entry << " " << r << " " << c;
      else
        EXPECT_EQ(widened(r, c), wanted) << entry << " " << r << " " << c;
    }
    EXPECT_EQ(bad(r), finite ? 0 : 1) << entry << " row " << r;
  }
}

TEST_P(RowsTest, WidenEveryTypeAndWidth) {
  for (int64_t width : {d_, int64_t{1}, int64_t{7}, dp_}) {
    Array<float> raw({6, width}, width + 3);
    for (int64_t r = 0; r < 6; ++r)
      for (int64_t c = 0; c < width; ++c) raw(r, c) = Normal();
    raw(1, width - 1) = kNan;
    raw(2, 0) = -kInf;
    raw(3, width / 2) = 1e-42f;
    ExpectWidened<float>(kernels_, "widen_rows.f32", raw, dp_, FromF32);
    // Every bit pattern is some number; 64 rows of them hold zeros, denormals, infinities and NaNs.
    Array<uint16_t> bits({64, width}, width + 5);
    for (int64_t r = 0; r < 64; ++r)
      for (int64_t c = 0; c < width; ++c) bits(r, c) = static_cast<uint16_t>(r % 2 ? random_() : random_() & 0x3fff);
    const uint16_t special[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x7f80, 0xff80, 0x7fc0};
    for (size_t i = 0; i < std::size(special); ++i) bits(2 * static_cast<int64_t>(i), width - 1) = special[i];
    ExpectWidened<uint16_t>(kernels_, "widen_rows.bf16", bits, dp_, FromBf16);
    ExpectWidened<uint16_t>(kernels_, "widen_rows.f16", bits, dp_, FromF16);
  }
}

TEST_P(RowsTest, StoreRoundsToNearestEven) {
  const float hard[] = {0.0f, -0.0f, 1 + 0x1p-8f, 1 + 0x1.8p-7f, 1 + 0x1p-8f + 0x1p-20f, -3.4e38f, 3.3961775e38f, kInf, -kInf, 1e-42f};
  Array<float> rows({kTileQueries, dvp_});
  for (int64_t r = 0; r < kTileQueries; ++r)
    for (int64_t c = 0; c < dvp_; ++c) rows(r, c) = std::bit_cast<float>(static_cast<uint32_t>(random_()) & 0xbfffffff);
  for (size_t i = 0; i < std::size(hard); ++i) rows(0, static_cast<int64_t>(i)) = hard[i];
  rows(1, 0) = kNan;
  rows(1, dv_ - 1) = std::bit_cast<float>(0x7f800001u);  // a NaN whose upper half is infinity
  for (int64_t count : {int64_t{0}, int64_t{5}, kTileQueries}) {
    Array<float> f32({count, dv_}, dv_ + 2);
    Array<uint16_t> bf16({count, dv_}, dv_ + 2);
    kernels_.Call("store_rows.f32", {&rows, &f32});
    kernels_.Call("store_rows.bf16", {&rows, &bf16});
    for (int64_t r = 0; r < count; ++r)
      for (int64_t c = 0; c < dv_ + (r + 1 < count ? 2 : 0); ++c) {
        if (c >= dv_) {
          EXPECT_EQ(bf16(r, c), 0xffff) << "written between rows";
        } else if (std::isnan(rows(r, c))) {
          EXPECT_TRUE(std::isnan(f32(r, c)) && std::isnan(FromBf16(bf16(r, c))));
        } else {
          EXPECT_EQ(f32(r, c), rows(r, c));
          EXPECT_EQ(bf16(r, c), NearestBf16(rows(r, c))) << rows(r, c);
        }
      }
  }
}

template <class T>
void ExpectPacked(const KernelCase& test, const std::string& entry, const Array<T>& keys, const Array<T>& values,
                  const Array<int32_t>& order) {
  const int64_t panels = order.shape()[0] / 16, width = keys.shape()[1], value_width = values.shape()[1];
  Array<T> panel_k({panels, test.padded_head_dim(), 16}), panel_v({panels, 16, test.padded_value_dim()});
  CompiledKernels::Of(test).Call(entry, {&keys, &values, &order, &panel_k, &panel_v});
  for (int64_t s = 0; s < panels * 16; ++s) {
    for (int64_t d = 0; d < test.padded_head_dim(); ++d)
      ASSERT_EQ(panel_k(s / 16, d, s % 16), order(s) >= 0 && d < width ? keys(order(s), d) : T{0}) << entry << " slot " << s << " d " << d;
    for (int64_t c = 0; c < test.padded_value_dim(); ++c)
      ASSERT_EQ(panel_v(s / 16, s % 16, c), order(s) >= 0 && c < value_width ? values(order(s), c) : T{0}) << entry << " slot " << s;
  }
}

TEST_P(RowsTest, PackInAnyOrder) {
  Array<int32_t> order = RandomOrder(kLeaves), empty({32});
  std::swap(order(1), order(15));  // empty slots may stand anywhere
  std::swap(order(32), order(47));
  const int64_t rows = std::accumulate(kLeaves.begin(), kLeaves.end(), int64_t{0});
  ExpectPacked(GetParam(), "pack_panels", RandomRows(rows, d_, dp_), RandomRows(rows, dv_, dvp_), order);
  ExpectPacked(GetParam(), "pack_panels", Array<float>({0, dp_}), Array<float>({0, dvp_}), empty);
}

TEST_P(RowsTest, PackLeavesMovesBits) {
  Array<int32_t> order = RandomOrder(kLeaves), empty({32});
  const int64_t rows = std::accumulate(kLeaves.begin(), kLeaves.end(), int64_t{0});
  Array<float> k32({rows, d_}, d_ + 1), v32({rows, dv_}, dv_ + 3);
  Array<uint16_t> k16({rows, d_}, d_ + 1), v16({rows, dv_}, dv_ + 3);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < d_; ++c) k32(r, c) = Normal(), k16(r, c) = static_cast<uint16_t>(random_());
    for (int64_t c = 0; c < dv_; ++c) v32(r, c) = Normal(), v16(r, c) = static_cast<uint16_t>(random_());
  }
  ExpectPacked(GetParam(), "pack_leaves.f32", k32, v32, order);
  ExpectPacked(GetParam(), "pack_leaves.bf16", k16, v16, order);
  ExpectPacked(GetParam(), "pack_leaves.f16", k16, v16, order);
  ExpectPacked(GetParam(), "pack_leaves.bf16", Array<uint16_t>({0, d_}), Array<uint16_t>({0, dv_}), empty);
}

}  // namespace
}  // namespace hsa::ir
