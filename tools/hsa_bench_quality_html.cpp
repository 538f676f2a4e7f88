// The curves of hsa-bench quality on one page.
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/hsa_bench_chart.h"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {
namespace {

constexpr char kStyle[] =
    ".full { stroke: #1b6ca8; fill: #1b6ca8; } .order0_position { stroke: #c8553d; fill: #c8553d; }\n"
    ".oracle { stroke: #777; fill: #777; } .blocks { stroke: #b8860b; fill: #b8860b; } .kmeans { stroke: #8e5ea2; fill: #8e5ea2; } "
    ".bisection_order0 { stroke: #c8553d; fill: #c8553d; } .bisection_order2 { stroke: #3d9970; fill: #3d9970; }\n"
    ".value_error { stroke: #c8553d; fill: #c8553d; } .mass_error { stroke: #3d9970; fill: #3d9970; } .error { stroke: #1b6ca8; fill: "
    "#1b6ca8; }\n"
    "path.oracle { stroke-dasharray: 2 4; } path.order0_position { stroke-dasharray: 7 3; }\n";

constexpr std::array<std::pair<double Quantiles::*, const char*>, 3> kQuantiles = {
    {{&Quantiles::median, "median"}, {&Quantiles::p90, "p90"}, {&Quantiles::p95, "p95"}}};

std::string HeadName(int64_t head) { return head == kPooled ? "all heads" : absl::StrCat("head ", head); }

// Keys read for an error; `head` counts from kPooled.
Chart KeysForError(const QualityCommand& command, const FileQuality& file, int64_t head) {
  Chart chart{HeadName(head), "relative L2 error ε", "keys read, %", {}};
  for (size_t m = 0; m < kMethods.size(); ++m) {
    Curve curve{std::string(kMethods[m].name), {}};
    for (size_t e = 0; e < command.errors.size(); ++e) {
      const MethodQuality& method = file.by_error[e][m];
      curve.points.push_back({command.errors[e], 100 * (head == kPooled ? method.pooled : method.heads[head]).read.total});
    }
    chart.curves.push_back(curve);
  }
  Curve oracle{"oracle", {}};
  for (size_t e = 0; e < command.errors.size(); ++e)
    oracle.points.push_back({command.errors[e], 100 * (head == kPooled ? file.oracle.pooled : file.oracle.heads[head]).shares[e]});
  chart.curves.push_back(oracle);
  return chart;
}

// Error of all heads for a budget, at one quantile.
Chart ErrorForBudget(const QualityCommand& command, const FileQuality& file, double Quantiles::* quantile, const std::string& name) {
  Chart chart{name, "keys read, %", "relative L2", {}};
  for (size_t m = 0; m < kMethods.size(); ++m) {
    Curve curve{std::string(kMethods[m].name), {}};
    for (const auto& methods : file.by_budget)
      if (methods[m].refused.empty()) curve.points.push_back({100 * methods[m].pooled.read.total, methods[m].pooled.error.*quantile});
    chart.curves.push_back(curve);
  }
  Curve oracle{"oracle", {}};
  for (size_t b = 0; b < command.budgets.size(); ++b)
    oracle.points.push_back({100 * command.budgets[b], file.oracle.pooled.error[b].*quantile});
  chart.curves.push_back(oracle);
  return chart;
}

// Error of single queries for a budget, at one quantile.
Chart DecodeError(const QualityCommand& command, const DecodeHead& head, double Quantiles::* quantile, const std::string& name) {
  Chart chart{absl::StrCat(name, ", ", HeadName(head.head)), "budget, %", "relative L2", {}};
  for (size_t m = 0; m < kDecodeMethods.size(); ++m) {
    Curve curve{std::string(kDecodeMethods[m].name), {}};
    for (size_t b = 0; b < command.decode_budgets.size(); ++b)
      curve.points.push_back({100 * command.decode_budgets[b], head.error[b][m].*quantile});
    chart.curves.push_back(curve);
  }
  return chart;
}

struct Part {
  std::string_view name, words;
  double AnatomyLevel::* error;
};
constexpr std::array<Part, 3> kParts = {{{"value_error", "their values, with true masses", &AnatomyLevel::value_error},
                                         {"mass_error", "their masses, with true values", &AnatomyLevel::mass_error},
                                         {"error", "both", &AnatomyLevel::error}}};

// What closed nodes add to the error, by level.
Chart ErrorOfLevels(const AnatomyHead& head) {
  Chart chart{HeadName(head.head), "keys of a node", "relative L2", {}};
  for (const Part& part : kParts) {
    Curve curve{std::string(part.name), {}};
    for (const AnatomyLevel& level : head.levels) curve.points.push_back({static_cast<double>(level.tokens), level.*part.error});
    chart.curves.push_back(curve);
  }
  return chart;
}

std::string Runs(const QualityCommand& command, const FileQuality& file) {
  std::string html = absl::StrCat("<h3>Keys read for an error, at ", kConfidence, "</h3>\n<p class=\"key\">");
  for (const Method& method : kMethods) html += Key(method.name, method.words);
  html += Key("oracle", "oracle: the true top keys, as many for every query") + "</p>\n<div>\n";
  for (int64_t head = kPooled; head < static_cast<int64_t>(file.oracle.heads.size()); ++head)
    html += Draw(KeysForError(command, file, head));
  html += "</div>\n<h3>Error for a budget</h3>\n<div>\n";
  for (const auto& [quantile, name] : kQuantiles) html += Draw(ErrorForBudget(command, file, quantile, name));
  return html + "</div>\n";
}

std::string SingleQueries(const QualityCommand& command, const DecodeView& decode) {
  std::string html =
      absl::StrCat("<h3>Single late queries: near = ", kDecodeSinks, " sinks and the last ", kDecodeLast, " keys</h3>\n<p class=\"key\">");
  for (const DecodeName& method : kDecodeMethods) html += Key(method.name, method.words);
  html += "</p>\n<div>\n";
  for (const auto& [quantile, name] : kQuantiles) html += Draw(DecodeError(command, decode.pooled, quantile, name));
  for (const DecodeHead& head : decode.heads) html += Draw(DecodeError(command, head, &Quantiles::p90, "p90"));
  html += absl::StrCat("</div>\n<h3>What closed nodes add to the error of the full method at ", 100 * kAnatomyBudget,
                       " %, root mean square</h3>\n<p class=\"key\">");
  for (const Part& part : kParts) html += Key(part.name, part.words);
  html += "</p>\n<div>\n" + Draw(ErrorOfLevels(decode.anatomy));
  for (const AnatomyHead& head : decode.anatomy_heads) html += Draw(ErrorOfLevels(head));
  return html + "</div>\n";
}

std::string Section(const QualityCommand& command, const FileQuality& file) {
  return absl::StrCat("<h2>", Escaped(file.path), "</h2>\n", Runs(command, file), SingleQueries(command, file.decode), "<pre>",
                      Escaped(QualityText(command, file)), "</pre>\n");
}

}  // namespace

std::string QualityHtml(const QualityCommand& command, const QualityReport& report) {
  std::string html =
      PageStart("hsa-bench quality", kStyle) + absl::StrCat("<h1>Keys read for an error</h1>\n<p><code>", Escaped(command.line),
                                                            "</code><br/>", Escaped(report.cpu), ", ", report.date, "</p>\n");
  for (const FileQuality& file : report.files) html += Section(command, file);
  return html + kPageEnd;
}

}  // namespace hsa::bench
