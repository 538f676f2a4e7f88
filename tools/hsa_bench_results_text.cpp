// Tables of the benchmarks of a run: Markdown, and one run beside another.
#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/hsa_bench_results.h"

namespace hsa::bench {
namespace {

std::string Number(double value) { return std::isfinite(value) ? absl::StrFormat("%.4g", value) : ""; }

std::string FamilyOf(const Measured& measured) { return measured.name.substr(0, measured.name.find('/')); }

// Of the benchmarks [begin, end), which are of one family.
std::string Table(std::vector<Measured>::const_iterator begin, std::vector<Measured>::const_iterator end) {
  std::set<std::string> counters;
  for (auto measured = begin; measured != end; ++measured)
    for (const auto& [name, value] : measured->counters) counters.insert(name);
  std::string text = "| benchmark | ms |", rule = "|---|---|";
  for (const std::string& name : counters) absl::StrAppend(&text, " ", name, " |"), rule += "---|";
  absl::StrAppend(&text, "\n", rule, "\n");
  for (auto measured = begin; measured != end; ++measured) {
    absl::StrAppend(&text, "| ", measured->name, " | ", Number(measured->MedianSeconds() * 1e3), " |");
    for (const std::string& name : counters) {
      const auto counter = measured->counters.find(name);
      absl::StrAppend(&text, " ", counter == measured->counters.end() ? "" : Number(counter->second), " |");
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string ResultsMarkdown(const BenchRun& run) {
  std::string text = absl::StrCat("# hsa-bench\n\n`", run.line, "`  \n", run.cpu, ", ", run.date, "\n");
  for (auto begin = run.benchmarks.begin(); begin != run.benchmarks.end();) {
    const std::string family = FamilyOf(*begin);
    const auto end = std::find_if(begin, run.benchmarks.end(), [&](const Measured& measured) { return FamilyOf(measured) != family; });
    absl::StrAppend(&text, "\n## ", family, "\n", Table(begin, end));
    begin = end;
  }
  return text;
}

Comparison Compare(const std::vector<Measured>& old_run, const std::vector<Measured>& new_run) {
  Comparison comparison{"new / old  noise            old ms      new ms  benchmark\n"};
  int64_t alone = 0;
  for (const Measured& is : new_run) {
    const auto was = std::ranges::find(old_run, is.name, &Measured::name);
    if (was == old_run.end() || was->MedianSeconds() <= 0) {
      ++alone;
      continue;
    }
    const double ratio = is.MedianSeconds() / was->MedianSeconds(), noise = was->Noise() + is.Noise();
    const bool slower = ratio > 1 + noise, faster = ratio < 1 / (1 + noise);
    comparison.slower += slower;
    absl::StrAppendFormat(&comparison.text, "%9.3f  %4.2f  %-6s %11.4g %11.4g  %s\n", ratio, noise,
                          slower   ? "SLOWER"
                          : faster ? "faster"
                                   : "",
                          was->MedianSeconds() * 1e3, is.MedianSeconds() * 1e3, is.name);
  }
  absl::StrAppend(&comparison.text, comparison.slower, " slower by more than the noise");
  if (alone > 0) absl::StrAppend(&comparison.text, ", ", alone, " without an old measurement");
  comparison.text += "\n";
  return comparison;
}

}  // namespace hsa::bench
