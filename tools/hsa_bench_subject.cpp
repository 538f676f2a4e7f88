// What is measured, and with what.
#include <time.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <random>
#include <tuple>

#include "frontend/graph_builder.h"
#include "frontend/jit.h"
#include "kernels/peak.h"
#include "tools/fail.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

double ProcessSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::nth_element(values, values.begin() + values.size() / 2);
  return values[values.size() / 2];
}

template <typename T>
T ValueOrExit(absl::StatusOr<T> result) {
  if (!result.ok()) std::exit(Fail(1, "hsa-bench", result.status()));
  return *std::move(result);
}

// The same on every machine and in every standard library: Box and Muller by hand.
std::vector<std::byte> Normal(int64_t count, uint64_t seed, DType dtype) {
  std::mt19937_64 bits(seed);
  std::vector<std::byte> numbers(count * DTypeBytes(dtype));
  for (int64_t i = 0; i < count; ++i) {
    const double u = (static_cast<double>(bits() >> 11) + 1) * 0x1p-53, v = static_cast<double>(bits() >> 11) * 0x1p-53;
    const auto number = static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v));
    const auto bf16 = static_cast<uint16_t>((std::bit_cast<uint32_t>(number) + 0x8000) >> 16);
    if (dtype == DType::kF32)
      std::memcpy(&numbers[4 * i], &number, 4);
    else
      std::memcpy(&numbers[2 * i], &bf16, 2);
  }
  return numbers;
}

}  // namespace

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

frontend::Graph GraphOf(const Shape& shape) {
  const auto dim = static_cast<uint32_t>(shape.dim);
  frontend::GraphBuilder builder("bench");
  for (const char* name : {"q", "k", "v"}) builder.Input(name, {.heads = 1, .dim = dim});
  builder.Attention({.query = "q", .key = "k", .value = "v", .output = "o"});
  if (shape.causal) builder.Causal();
  return ValueOrExit(builder.Build());
}

const Plan& PlanOf(const Shape& shape) {
  static std::map<std::tuple<int64_t, bool, frontend::Precision>, Plan> plans;
  const std::tuple key(shape.dim, shape.causal, shape.precision);
  auto found = plans.find(key);
  if (found == plans.end())
    found = plans.emplace(key, ValueOrExit(frontend::CompilePlan(GraphOf(shape), {.precision = shape.precision, .cache_dir = {}}))).first;
  return found->second;
}

RandomTensors::RandomTensors(int64_t tokens, int64_t dim, DType dtype)
    : tokens_(tokens),
      dim_(dim),
      dtype_(dtype),
      query_(Normal(tokens * dim, 1, dtype)),
      key_(Normal(tokens * dim, 2, dtype)),
      value_(Normal(tokens * dim, 3, dtype)),
      output_(tokens * dim * DTypeBytes(dtype)) {}

TensorView RandomTensors::View(const std::vector<std::byte>& rows) const {
  return {rows.data(), dtype_, {1, tokens_, dim_}, {tokens_ * dim_, dim_, 1}};
}

Outputs RandomTensors::outputs() {
  return {.o = {output_.data(), dtype_, {1, tokens_, dim_}, {tokens_ * dim_, dim_, 1}}, .lse = {}, .rows_ready = {}};
}

SpeedGauge::SpeedGauge(frontend::Precision precision) : precision_(precision), peak_before_(MeasurePeakGflops()) {}

double SpeedGauge::MeasurePeakGflops() const {
  const double tiles = precision_ == frontend::Precision::kBf16 ? MeasureTilePeak().gflops : 0;
  return tiles > 0 ? tiles : MeasurePeak().gflops;
}

void SpeedGauge::Start() {
  wall_start_ = std::chrono::steady_clock::now();
  cpu_start_ = ProcessSeconds();
}

void SpeedGauge::Stop() {
  cpu_.push_back(ProcessSeconds() - cpu_start_);
  wall_.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start_).count());
}

double SpeedGauge::median_seconds() const { return Median(wall_); }

void SpeedGauge::Report(benchmark::State& state, double flop, int threads) {
  const double peak = std::max(peak_before_, MeasurePeakGflops());
  const double wall = Median(wall_), cpu = Median(cpu_);
  state.counters["peak_gflops"] = peak;
  if (wall > 0) state.counters["gflops"] = flop / wall * 1e-9;
  if (wall > 0) state.counters["of_peak"] = flop / wall * 1e-9 / (peak * threads);
  if (cpu > 0) state.counters["cpu_of_peak"] = flop / cpu * 1e-9 / peak;
}

void SpeedGauge::ReportBytes(benchmark::State& state, double bytes) {
  if (median_seconds() > 0) state.counters["bytes_per_s"] = bytes / median_seconds();
}

double AttentionFlop(const Shape& shape, int64_t tokens) {
  const double n = static_cast<double>(tokens), pairs = shape.causal ? n * n / 2 : n * n;
  return 4 * pairs * static_cast<double>(shape.dim);
}

}  // namespace hsa::bench
