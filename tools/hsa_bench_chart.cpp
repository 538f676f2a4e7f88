#include "tools/hsa_bench_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace hsa::bench {
namespace {

constexpr double kWidth = 330, kHeight = 240, kLeft = 52, kRight = 12, kTop = 26, kBottom = 40;
constexpr char kStyle[] =
    "body { font: 15px/1.45 system-ui, sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }\n"
    "svg { width: 330px; height: 240px; margin: 0 8px 8px 0; } text { font-size: 11px; fill: #444; } .title { font-size: 12px; "
    "font-weight: 600; fill: #222; }\n"
    ".grid { stroke: #e4e4e4; } path { stroke-width: 2; }\n"
    ".key svg { width: 34px; height: 10px; margin: 0 4px 0 0; } .key span { margin-right: 2em; } pre { overflow-x: auto; font-size: 12px; "
    "line-height: 1.35; }\n";

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

}  // namespace

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

std::string Key(std::string_view name, std::string_view words) {
  return absl::StrFormat("<span><svg viewBox=\"0 0 34 10\"><path class=\"%s\" d=\"M0 5 L34 5\"/></svg>%s</span>\n", std::string(name),
                         Escaped(words));
}

std::string Escaped(std::string_view text) {
  return absl::StrReplaceAll(std::string(text), {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string PageStart(std::string_view title, std::string_view style) {
  return absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/><title>", Escaped(title), "</title><style>\n",
                      std::string(kStyle), std::string(style), "</style></head>\n<body>\n");
}

}  // namespace hsa::bench
