#include "kernels/peak.h"

#include <time.h>

#include <algorithm>
#include <cstdint>

#include "kernels/machine.h"
#include "kernels/tile_permission.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hsa {
namespace {

// Two units with a latency of 4 (Zen, Golden Cove) need 8 sums in flight, four with 4 (Neoverse V) 16; x and y want registers too.
// sum ← sum·x + y stays near y/(1-x) = 1: no overflow, no denormals.
constexpr float kFactor = 0.5f, kAddend = 0.5f;

struct Loop {
  std::string_view isa, feature;
  double (*run)(int64_t rounds);  // returns the floating-point operations done
};

#if defined(__x86_64__)

[[gnu::target("avx512f")]] double RunAvx512(int64_t rounds) {
  const __m512 x = _mm512_set1_ps(kFactor), y = _mm512_set1_ps(kAddend);
  __m512 sums[24];
  for (__m512& sum : sums) sum = y;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (__m512& sum : sums) {
      sum = _mm512_fmadd_ps(sum, x, y);
      asm volatile("" : "+v"(sum));
    }
  }
  return static_cast<double>(rounds) * 24 * 16 * 2;
}

[[gnu::target("avx2,fma")]] double RunAvx2(int64_t rounds) {
  const __m256 x = _mm256_set1_ps(kFactor), y = _mm256_set1_ps(kAddend);
  __m256 sums[12];
  for (__m256& sum : sums) sum = y;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m256& sum : sums) {
      sum = _mm256_fmadd_ps(sum, x, y);
      asm volatile("" : "+x"(sum));
    }
  }
  return static_cast<double>(rounds) * 12 * 8 * 2;
}

// No fused operation here: six products and six sums, which do not wait for each other.
double RunSse2(int64_t rounds) {
  __m128 one = _mm_set1_ps(1), zero = _mm_setzero_ps(), products[6], sums[6];
  asm volatile("" : "+x"(one), "+x"(zero));  // else the compiler knows better than to compute
  for (__m128& product : products) product = one;
  for (__m128& sum : sums) sum = one;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      products[j] = _mm_mul_ps(products[j], one);
      sums[j] = _mm_add_ps(sums[j], zero);
      asm volatile("" : "+x"(products[j]), "+x"(sums[j]));
    }
  }
  return static_cast<double>(rounds) * 12 * 4;
}

// Four tiles of sums are started before the first is wanted again; 16 x 16 sums of 32 products each.
[[gnu::target("amx-tile,amx-bf16")]] double RunAmx(int64_t rounds) {
  struct alignas(64) {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } shapes;
  for (int tile = 0; tile < 6; ++tile) shapes.row_bytes[tile] = 64, shapes.rows[tile] = 16;
  _tile_loadconfig(&shapes);
  _tile_zero(0);  // statements in GCC, not expressions
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_release();
  return static_cast<double>(rounds) * 4 * 16 * 16 * 32 * 2;
}

// 16 sums, each of two products more.
[[gnu::target("avx512f,avx512bf16")]] double RunDot(int64_t rounds) {
  const __m512bh x = _mm512_cvtne2ps_pbh(_mm512_setzero_ps(), _mm512_setzero_ps());
  __m512 sums[24];
  for (__m512& sum : sums) sum = _mm512_set1_ps(kAddend);
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (__m512& sum : sums) {
      sum = _mm512_dpbf16_ps(sum, x, x);
      asm volatile("" : "+v"(sum));
    }
  }
  return static_cast<double>(rounds) * 24 * 16 * 4;
}

constexpr Loop kLoops[] = {{"avx512", "avx512f", RunAvx512}, {"avx2", "fma", RunAvx2}, {"sse2", "sse2", RunSse2}};

#elif defined(__aarch64__)

double RunNeon(int64_t rounds) {
  const float32x4_t x = vdupq_n_f32(kFactor), y = vdupq_n_f32(kAddend);
  float32x4_t sums[24];  // fmla has the sum as its addend: sum ← sum + x·y, which is slow to grow
  for (float32x4_t& sum : sums) sum = y;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (float32x4_t& sum : sums) {
      sum = vfmaq_f32(sum, x, y);
      asm volatile("" : "+w"(sum));
    }
  }
  return static_cast<double>(rounds) * 24 * 4 * 2;
}

constexpr Loop kLoops[] = {{"neon", "neon", RunNeon}};

#else

double RunScalar(int64_t rounds) {
  float sums[8] = {};
  for (int64_t i = 0; i < rounds; ++i)
    for (float& sum : sums) {
      sum = sum * kFactor + kAddend;
      asm volatile("" : "+r"(sum));
    }
  return static_cast<double>(rounds) * 8 * 2;
}

constexpr Loop kLoops[] = {{"scalar", "", RunScalar}};

#endif

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Floating-point operations per second of one loop.
double Rate(const Loop& loop, int64_t rounds) {
  const double start = ThreadSeconds();
  const double flop = loop.run(rounds);
  const double seconds = ThreadSeconds() - start;
  return seconds > 0 ? flop / seconds : 0;
}

Peak BestOf(const Loop& loop, int repetitions) {
  constexpr double kSeconds = 2e-3;
  constexpr int64_t kTrialRounds = 10000;  // some 20 to 200 µs, which also wakes the wide units
  const double flop_per_round = loop.run(kTrialRounds) / kTrialRounds;
  const auto rounds = static_cast<int64_t>(std::max(1.0, kSeconds * Rate(loop, kTrialRounds) / flop_per_round));
  double best = 0;
  for (int i = 0; i < repetitions; ++i) best = std::max(best, Rate(loop, rounds));
  return {loop.isa, best * 1e-9};
}

}  // namespace

Peak MeasurePeak(int repetitions) {
  const Loop* loop = std::ranges::find_if(kLoops, [](const Loop& l) { return l.feature.empty() || ThisMachine().Has(l.feature); });
  return loop == std::end(kLoops) ? Peak{} : BestOf(*loop, repetitions);
}

Peak MeasureTilePeak(int repetitions) {
#if defined(__x86_64__)
  if (ThisMachine().Has("amx-bf16") && MayUseTiles()) return BestOf({"amx", "amx-bf16", RunAmx}, repetitions);
#endif
  return {};
}

Peak MeasureDotPeak(int repetitions) {
#if defined(__x86_64__)
  if (ThisMachine().Has("avx512bf16")) return BestOf({"avx512bf16", "avx512bf16", RunDot}, repetitions);
#endif
  return {};
}

}  // namespace hsa
