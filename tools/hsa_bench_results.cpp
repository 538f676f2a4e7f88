#include "tools/hsa_bench_results.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace hsa::bench {
namespace {

constexpr double kNoiseOfOne = 0.1, kLeastNoise = 0.05;

Measured& EntryOf(std::vector<Measured>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &Measured::name);
  if (found != all.end()) return *found;
  return all.emplace_back(Measured{name, {}, {}});
}

// Seconds of a time unit of Google Benchmark, as its JSON spells it.
std::optional<double> UnitSeconds(std::string_view unit) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
  for (const auto& [name, seconds] : kUnits)
    if (name == unit) return seconds;
  return std::nullopt;
}

// Keys of a benchmark in that JSON that are no counters.
bool IsCounter(const std::string& key) {
  constexpr std::string_view kOwn[] = {
      "family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations", "real_time", "cpu_time"};
  return std::ranges::find(kOwn, key) == std::end(kOwn);
}

// False when an entry is no measurement.
bool Add(const nlohmann::json& entry, std::vector<Measured>& all) {
  if (!entry.is_object() || !entry.contains("run_name") || !entry["run_name"].is_string()) return false;
  if (entry.value("run_type", "iteration") != "iteration" || entry.value("error_occurred", false)) return true;
  const std::optional<double> unit = UnitSeconds(entry.value("time_unit", "ns"));
  if (!unit.has_value() || !entry.contains("real_time") || !entry["real_time"].is_number()) return false;
  Measured& measured = EntryOf(all, entry["run_name"].get<std::string>());
  measured.seconds.push_back(entry["real_time"].get<double>() * *unit);
  for (const auto& [key, value] : entry.items())
    if (value.is_number() && IsCounter(key)) measured.counters[key] = value.get<double>();
  return true;
}

}  // namespace

double Measured::MedianSeconds() const {
  if (seconds.empty()) return 0;
  std::vector<double> sorted = seconds;
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<int64_t>(sorted.size() / 2));
  return sorted[sorted.size() / 2];
}

double Measured::Noise() const {
  if (seconds.size() < 2) return kNoiseOfOne;
  const auto [least, most] = std::ranges::minmax_element(seconds);
  return std::max(kLeastNoise, (*most - *least) / 2 / MedianSeconds());
}

void Collector::ReportRuns(const std::vector<Run>& runs) {
  shown_->ReportRuns(runs);
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration || run.error_occurred || run.report_big_o || run.report_rms) continue;
    Measured& measured = EntryOf(measured_, run.run_name.str());
    measured.seconds.push_back(run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit));
    for (const auto& [name, counter] : run.counters) measured.counters[name] = counter.value;
  }
}

absl::StatusOr<std::vector<Measured>> ReadResults(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened, wanted what --benchmark_out=FILE.json wrote"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const absl::Status unwanted =
      absl::DataLossError(absl::StrCat(path, ": is not a result of Google Benchmark, wanted what --benchmark_out=FILE.json wrote"));
  if (!json.is_object() || !json.contains("benchmarks") || !json["benchmarks"].is_array()) return unwanted;
  std::vector<Measured> all;
  for (const nlohmann::json& entry : json["benchmarks"])
    if (!Add(entry, all)) return unwanted;
  return all;
}

}  // namespace hsa::bench
