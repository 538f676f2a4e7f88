// What the benchmarks of a run came to: collected while they run, read from the file of an earlier run, and as Markdown, HTML and a comparison.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hsa::bench {

struct Measured {
  std::string name;                        // "ExactRun/d:64/n:8192/causal:1/threads:2"
  std::vector<double> seconds;             // of an iteration, by the clock that the benchmark is told by; one for each repetition
  std::map<std::string, double> counters;  // of the last repetition

  double MedianSeconds() const;
  // Half of the distance between the fastest and the slowest repetition over the median; 0.1 of a single one, and never less than 0.05.
  double Noise() const;
};

// Where and when a run was.
struct BenchRun {
  std::string line;       // the command as it was typed
  std::string cpu, date;  // UTC, ISO 8601
  std::vector<Measured> benchmarks;
};

// Shows what Google Benchmark would show (--benchmark_format) and keeps the numbers. Benchmarks that failed are not kept.
class Collector : public benchmark::BenchmarkReporter {
 public:
  Collector() : shown_(benchmark::CreateDefaultDisplayReporter()) {}
  bool ReportContext(const Context& context) override { return shown_->ReportContext(context); }
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override { shown_->Finalize(); }
  std::vector<Measured> Take() { return std::move(measured_); }

 private:
  std::unique_ptr<benchmark::BenchmarkReporter> shown_;
  std::vector<Measured> measured_;
};

// What --benchmark_out=FILE.json --benchmark_out_format=json wrote.
// NOT_FOUND, DATA_LOSS  the file and what is wrong with it
absl::StatusOr<std::vector<Measured>> ReadResults(const std::string& path);

// A table for each family of benchmarks (the name up to the first '/'), times in ms and every counter.
std::string ResultsMarkdown(const BenchRun& run);

// The same on one page that needs nothing else, with charts over n.
std::string ResultsHtml(const BenchRun& run);

struct Comparison {
  std::string text;    // a line for each benchmark that both have: old and new time, their ratio, what it is beside the noise
  int64_t slower = 0;  // benchmarks
};

// New over old medians. Slower or faster: by more than the noise of both together.
Comparison Compare(const std::vector<Measured>& old_run, const std::vector<Measured>& new_run);

}  // namespace hsa::bench
