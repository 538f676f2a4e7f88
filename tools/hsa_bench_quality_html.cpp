// The curves on one page: inline SVG, no script, nothing fetched. Well-formed XML, so that any parser reads it.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {
namespace {

constexpr double kWidth = 330, kHeight = 240, kLeft = 52, kRight = 12, kTop = 26, kBottom = 40;
constexpr char kStyle[] =
    "body { font: 15px/1.45 system-ui, sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }\n"
    "svg { width: 330px; height: 240px; margin: 0 8px 8px 0; } text { font-size: 11px; fill: #444; } .title { font-size: 12px; "
    "font-weight: 600; fill: #222; }\n"
    ".grid { stroke: #e4e4e4; } .full { stroke: #1b6ca8; fill: #1b6ca8; } .order0_position { stroke: #c8553d; fill: #c8553d; }\n"
    ".oracle { stroke: #777; fill: #777; } .blocks { stroke: #b8860b; fill: #b8860b; } .kmeans { stroke: #8e5ea2; fill: #8e5ea2; } "
    ".bisection_order0 { stroke: #c8553d; fill: #c8553d; } .bisection_order2 { stroke: #3d9970; fill: #3d9970; }\n"
    ".value_error { stroke: #c8553d; fill: #c8553d; } .mass_error { stroke: #3d9970; fill: #3d9970; } .error { stroke: #1b6ca8; fill: "
    "#1b6ca8; }\n"
    "path { stroke-width: 2; } path.oracle { stroke-dasharray: 2 4; } path.order0_position { "
    "stroke-dasharray: 7 3; }\n"
    ".key svg { width: 34px; height: 10px; margin: 0 4px 0 0; } .key span { margin-right: 2em; } pre { overflow-x: auto; font-size: 12px; "
    "line-height: 1.35; }\n";

constexpr std::array<std::pair<double Quantiles::*, const char*>, 3> kQuantiles = {
    {{&Quantiles::median, "median"}, {&Quantiles::p90, "p90"}, {&Quantiles::p95, "p95"}}};

std::string Escaped(std::string_view text) {
  return absl::StrReplaceAll(std::string(text), {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

struct Point {
  double x, y;
};
struct Curve {
  std::string name;  // class of the style
  std::vector<Point> points;
};
struct Chart {
  std::string title, x_label, y_label;
  std::vector<Curve> curves;
};

bool Drawable(const Point& point) { return std::isfinite(point.x) && std::isfinite(point.y) && point.x > 0 && point.y > 0; }

// A logarithmic axis from one end of the drawing to the other.
struct Axis {
  Axis(double least, double most, double from, double to)
      : least(least), log_ratio(std::log(std::max(most / least, 1.01))), from(from), to(to) {}

  double At(double value) const { return from + (to - from) * std::log(value / least) / log_ratio; }

  // 1, 2 and 5 times the powers of ten on it; with more than three decades the powers alone.
  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    for (int power = -12; power <= 12; ++power)
      for (double digit : {1, 2, 5}) {
        const double tick = digit * std::pow(10.0, power), end = least * std::exp(log_ratio);
        if (tick >= least * 0.999 && tick <= end * 1.001 && (digit == 1 || log_ratio < std::log(1000.0))) ticks.push_back(tick);
      }
    return ticks;
  }

  double least, log_ratio, from, to;
};

std::string Text(double x, double y, std::string_view attributes, std::string_view text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, std::string(attributes), Escaped(text));
}

std::string Grid(const Axis& x, const Axis& y) {
  std::string svg;
  const auto line = [&](double x1, double y1, double x2, double y2) {
    absl::StrAppendFormat(&svg, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x1, y1, x2, y2);
  };
  for (double tick : x.Ticks()) {
    line(x.At(tick), kTop, x.At(tick), kHeight - kBottom);
    svg += Text(x.At(tick), kHeight - kBottom + 14, "text-anchor=\"middle\"", absl::StrCat(tick));
  }
  for (double tick : y.Ticks()) {
    line(kLeft, y.At(tick), kWidth - kRight, y.At(tick));
    svg += Text(kLeft - 5, y.At(tick) + 4, "text-anchor=\"end\"", absl::StrCat(tick));
  }
  return svg;
}

std::string Line(const Curve& curve, const Axis& x, const Axis& y) {
  std::string path, dots;
  for (const Point& point : curve.points) {
    if (!Drawable(point)) continue;
    absl::StrAppendFormat(&path, "%s%.1f %.1f", path.empty() ? "M" : " L", x.At(point.x), y.At(point.y));
    absl::StrAppendFormat(&dots, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>%.3g, %.3g</title></circle>\n", curve.name,
                          x.At(point.x), y.At(point.y), point.x, point.y);
  }
  return path.empty() ? ""
                      : absl::StrFormat("<path class=\"%s\" d=\"%s\" fill=\"none\" style=\"fill: none\"/>\n%s", curve.name, path, dots);
}

std::string Draw(const Chart& chart) {
  std::vector<double> xs, ys;
  for (const Curve& curve : chart.curves)
    for (const Point& point : curve.points)
      if (Drawable(point)) xs.push_back(point.x), ys.push_back(point.y);
  if (xs.empty()) return "";
  const auto [x_least, x_most] = std::minmax_element(xs.begin(), xs.end());
  const auto [y_least, y_most] = std::minmax_element(ys.begin(), ys.end());
  const Axis x(*x_least * 0.9, *x_most * 1.1, kLeft, kWidth - kRight), y(*y_least * 0.85, *y_most * 1.15, kHeight - kBottom, kTop);
  std::string svg = absl::StrFormat("<svg viewBox=\"0 0 %g %g\" role=\"img\">\n<title>%s</title>\n", kWidth, kHeight, Escaped(chart.title));
  svg += Text(kLeft, 14, "class=\"title\"", absl::StrCat(chart.y_label, ": ", chart.title));
  svg += Text((kLeft + kWidth - kRight) / 2, kHeight - 8, "text-anchor=\"middle\"", chart.x_label);
  svg += Grid(x, y);
  for (const Curve& curve : chart.curves) svg += Line(curve, x, y);
  return svg + "</svg>\n";
}

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

std::string Key(std::string_view name, std::string_view words) {
  return absl::StrFormat("<span><svg viewBox=\"0 0 34 10\"><path class=\"%s\" d=\"M0 5 L34 5\"/></svg>%s</span>\n", std::string(name),
                         Escaped(words));
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
      absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/><title>hsa-bench quality</title><style>\n", kStyle,
                   "</style></head>\n<body>\n<h1>Keys read for an error</h1>\n<p><code>", Escaped(command.line), "</code><br/>",
                   Escaped(report.cpu), ", ", report.date, "</p>\n");
  for (const FileQuality& file : report.files) html += Section(command, file);
  return html + "</body>\n</html>\n";
}

}  // namespace hsa::bench
