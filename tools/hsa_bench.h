// The benchmarks of hsa-bench: seeded tensors in memory, one plan per shape through the frontend, and speeds as a share of this core's peak.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "frontend/graph.pb.h"
#include "frontend/precision.h"
#include "runtime/geometry.h"
#include "runtime/plan.h"
#include "runtime/run.h"

namespace hsa::bench {

struct Shape {
  int64_t dim = 64;  // of query, key and value
  bool causal = true;
  frontend::Precision precision = frontend::Precision::kF32;
};

// One head, any length.
frontend::Graph GraphOf(const Shape& shape);

// Compiled once per process, through the default cache. A failure ends the process with its message: without a plan there is nothing to measure.
const Plan& PlanOf(const Shape& shape);

// One head of N(0, 1) queries, keys and values and room for the output, of one element type, the same numbers in every process.
class RandomTensors {
 public:
  RandomTensors(int64_t tokens, int64_t dim, DType dtype = DType::kF32);
  Inputs inputs() const { return {View(query_), View(key_), View(value_)}; }
  Outputs outputs();

 private:
  TensorView View(const std::vector<std::byte>& rows) const;

  int64_t tokens_, dim_;
  DType dtype_;
  std::vector<std::byte> query_, key_, value_, output_;
};

struct Capture;  // hsa_bench_capture.h

// UTC, ISO 8601.
std::string Now();

// Times the iterations of one benchmark on two clocks and tells their speed beside the peak of the core, measured right before and after.
class SpeedGauge {
 public:
  // `precision`: of the products. The peak of bf16 is that of AMX tiles, and where there are none that of f32, which then does the work.
  explicit SpeedGauge(frontend::Precision precision = frontend::Precision::kF32);

  // Around the body of every iteration.
  void Start();
  void Stop();

  // Counters of the median iteration: gflops and, of `threads` cores, of_peak, by the wall; cpu_of_peak by the CPU time of all threads,
  // which other processes disturb less; peak_gflops, of one core.
  void Report(benchmark::State& state, double flop, int threads = 1);
  // bytes_per_s of the median iteration.
  void ReportBytes(benchmark::State& state, double bytes);

  double median_seconds() const;

 private:
  double MeasurePeakGflops() const;

  frontend::Precision precision_;
  double peak_before_;
  std::chrono::steady_clock::time_point wall_start_;
  double cpu_start_ = 0;
  std::vector<double> wall_, cpu_;
};

// FLOP of exact attention as it is told everywhere: 2 (score and value product) · 2 · pairs · dim, causal pairs being n²/2.
double AttentionFlop(const Shape& shape, int64_t tokens);

void RegisterExact();
void RegisterStages();
void RegisterRouted();
void RegisterSplats(const Capture& capture);
void RegisterIndex(const Capture& capture, int64_t longest);
void RegisterStream(const Capture& capture, int64_t longest);  // none of more than `longest` tokens
void RegisterScaling(const Capture& capture);
void RegisterCompile();

}  // namespace hsa::bench
