// Charts and tables of the benchmarks of a run on one page.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/hsa_bench_chart.h"
#include "tools/hsa_bench_results.h"

namespace hsa::bench {
namespace {

constexpr std::array<std::string_view, 10> kColours = {"#1b6ca8", "#c8553d", "#3d9970", "#8e5ea2", "#b8860b",
                                                       "#777777", "#0f8b8d", "#d81b60", "#5d4037", "#7cb342"};

// "ExactRun/d:64/n:8192/causal:1/threads:2" is of the family ExactRun, at n = 8,192 on the curve "d:64 causal:1 threads:2".
struct Name {
  std::string family, curve;
  std::optional<double> n;
};

Name Parse(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Name name{parts.front(), "", std::nullopt};
  std::vector<std::string> rest;
  for (size_t i = 1; i < parts.size(); ++i) {
    double n = 0;
    const std::string& part = parts[i];
    if (part.starts_with("n:") && std::from_chars(part.data() + 2, part.data() + part.size(), n).ec == std::errc())
      name.n = n;
    else
      rest.push_back(part);
  }
  name.curve = rest.empty() ? parts.front() : absl::StrJoin(rest, " ");
  return name;
}

std::string Class(size_t curve) { return absl::StrCat("c", curve % kColours.size()); }

// One chart for time and one for each counter that is told over n, of one family.
class FamilyCharts {
 public:
  void Add(const Measured& measured, const Name& name) {
    AddPoint(" ms", name, measured.MedianSeconds() * 1e3);
    for (const auto& [counter, value] : measured.counters) AddPoint(counter, name, value);
  }
  std::string Html() const {
    std::string html = "<p class=\"key\">";
    for (size_t c = 0; c < curves_.size(); ++c) html += Key(Class(c), curves_[c]);
    html += "</p>\n<div>\n";
    for (const auto& [what, chart] : charts_)
      if (std::ranges::any_of(chart.curves, [](const Curve& curve) { return curve.points.size() > 1; })) html += Draw(chart);
    return html + "</div>\n";
  }

 private:
  void AddPoint(const std::string& what, const Name& name, double value) {
    const size_t index = std::ranges::find(curves_, name.curve) - curves_.begin();
    if (index == curves_.size()) curves_.push_back(name.curve);
    Chart& chart = charts_.try_emplace(what, Chart{name.family, "n", what == " ms" ? "ms" : what, {}}).first->second;
    while (chart.curves.size() <= index) chart.curves.push_back({Class(chart.curves.size()), {}});
    chart.curves[index].points.push_back({*name.n, value});
  }

  std::vector<std::string> curves_;
  std::map<std::string, Chart> charts_;  // " ms" sorts first
};

}  // namespace

std::string ResultsHtml(const BenchRun& run) {
  std::string style;
  for (size_t c = 0; c < kColours.size(); ++c)
    absl::StrAppend(&style, ".", Class(c), " { stroke: ", std::string(kColours[c]), "; fill: ", std::string(kColours[c]), "; }\n");
  std::vector<std::string> families;
  std::map<std::string, FamilyCharts> charts;
  for (const Measured& measured : run.benchmarks) {
    const Name name = Parse(measured.name);
    if (!name.n.has_value()) continue;
    if (!charts.contains(name.family)) families.push_back(name.family);
    charts[name.family].Add(measured, name);
  }
  std::string html = PageStart("hsa-bench", style) + absl::StrCat("<h1>hsa-bench</h1>\n<p><code>", Escaped(run.line), "</code><br/>",
                                                                  Escaped(run.cpu), ", ", run.date, "</p>\n");
  for (const std::string& family : families) absl::StrAppend(&html, "<h2>", Escaped(family), "</h2>\n", charts[family].Html());
  return absl::StrCat(html, "<h2>Numbers</h2>\n<pre>", Escaped(ResultsMarkdown(run)), "</pre>\n", std::string(kPageEnd));
}

}  // namespace hsa::bench
