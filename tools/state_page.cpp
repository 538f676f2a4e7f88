#include "tools/state_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/hsa_bench_chart.h"

namespace hsa {
namespace {

constexpr double kWidth = 330, kHeight = 240, kLeft = 52, kRight = 12, kTop = 26, kBottom = 30;
constexpr char kStyle[] =
    ".l0 { stroke: #1b6ca8; fill: #1b6ca8; } .l1 { stroke: #c8553d; fill: #c8553d; } .l2 { stroke: #3d9970; fill: #3d9970; } "
    ".l3 { stroke: #8e5ea2; fill: #8e5ea2; } .l4 { stroke: #b8860b; fill: #b8860b; } .l5 { stroke: #777777; fill: #777777; }\n"
    "svg.lives { width: 100%; height: auto; } .lives line { stroke-width: 2; } .lives circle { stroke: none; }\n";
// Of a drawing that stands by itself.
constexpr char kDrawingStyle[] =
    "svg { background: #ffffff; font: 11px sans-serif; } text { fill: #333333; } .title { font-weight: bold; } "
    ".grid { stroke: #dddddd; } path { stroke-width: 1.8; }\n";

std::string Class(uint32_t level) { return absl::StrCat("l", level % 6); }

using Series = std::map<uint32_t, std::vector<bench::Point>>;  // of each level

struct Axis {
  double least, most, from, to;
  double At(double value) const { return from + (to - from) * (value - least) / std::max(most - least, 1e-300); }
};

std::string Words(double x, double y, const char* anchor, const std::string& text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, bench::Escaped(text));
}

// Lines over segments, from 0 up: what an <svg> of kWidth × kHeight holds.
std::string Lines(const char* title, const Series& series) {
  double first = 1e300, last = 0, most = 0;
  for (const auto& [level, points] : series)
    for (const bench::Point& p : points) first = std::min(first, p.x), last = std::max(last, p.x), most = std::max(most, p.y);
  const Axis x{first, last, kLeft, kWidth - kRight}, y{0, most, kHeight - kBottom, kTop};
  std::string svg = absl::StrFormat("<text class=\"title\" x=\"%g\" y=\"14\">%s</text>\n", kLeft, bench::Escaped(title));
  for (const double share : {0.0, 0.5, 1.0}) {
    absl::StrAppendFormat(&svg, "<line class=\"grid\" x1=\"%g\" y1=\"%.1f\" x2=\"%g\" y2=\"%.1f\"/>\n", kLeft, y.At(share * most),
                          kWidth - kRight, y.At(share * most));
    svg += Words(kLeft - 5, y.At(share * most) + 4, "end", absl::StrFormat("%.3g", share * most));
  }
  svg += Words(kLeft, kHeight - kBottom + 16, "start", absl::StrFormat("segment %g", first));
  svg += Words(kWidth - kRight, kHeight - kBottom + 16, "end", absl::StrFormat("%g", last));
  for (const auto& [level, points] : series) {
    std::string path;
    for (const bench::Point& p : points) absl::StrAppendFormat(&path, "%s%.1f %.1f", path.empty() ? "M" : " L", x.At(p.x), y.At(p.y));
    absl::StrAppendFormat(&svg, "<path class=\"%s\" d=\"%s\" style=\"fill: none\"/>\n", Class(level), path);
  }
  return svg;
}

// A line for each slot from where its splat came to where it went; a dot where one came, with the reason.
class Lives {
 public:
  Lives(const format::StateHeader& header, const format::AdaptedSplats& adapted)
      : adapted_(adapted), levels_(header.levels()), end_(static_cast<double>(adapted.segment())) {
    for (const format::SplatLevel& level : header.levels()) slots_ += level.splats();
    if (adapted.events_size() > 0) first_ = static_cast<double>(adapted.events(0).segment());
  }

  std::string Html() {
    svg_ = absl::StrFormat("<svg class=\"lives\" viewBox=\"0 0 1000 %d\">\n", slots_ * kRow + 20);
    std::map<int32_t, Life> lives;
    for (const format::SplatEvent& event : adapted_.events()) {
      if (event.what() >= format::SplatEvent::WOKE_BY_LENGTH) continue;  // of a level, which the first chart shows
      const auto at = static_cast<double>(event.segment());
      const bool made = event.what() == format::SplatEvent::BORN || event.what() == format::SplatEvent::SPLIT;
      const int32_t slot =
          event.what() == format::SplatEvent::BORN || event.what() == format::SplatEvent::DIED ? event.splat() : event.other();
      Life& life = lives.try_emplace(slot, Life{first_, event.level(), !made}).first->second;
      if (!made) Close(slot, life, at);
      life = {at, event.level(), made};
      if (made) Dot(slot, event, at);
    }
    for (const auto& [slot, life] : lives)
      if (life.live) Close(slot, life, end_);
    return svg_ + "</svg>\n";
  }

 private:
  static constexpr int kRow = 4;
  struct Life {
    double from;
    uint32_t level;
    bool live;
  };

  double X(double segment) const { return 10 + 980 * (segment - first_) / std::max(end_ - first_, 1.0); }
  void Close(int32_t slot, const Life& life, double to) {
    absl::StrAppendFormat(&svg_, "<line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", Class(life.level), X(life.from),
                          slot * kRow + 4, X(to), slot * kRow + 4);
  }
  void Dot(int32_t slot, const format::SplatEvent& event, double at) {
    absl::StrAppendFormat(&svg_, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%d\" r=\"2.5\"><title>%s</title></circle>\n", Class(event.level()),
                          X(at), slot * kRow + 4, bench::Escaped(EventText(event, levels_)));
  }

  const format::AdaptedSplats& adapted_;
  const format::SplatLevels& levels_;
  double first_ = 0, end_;
  uint32_t slots_ = 0;
  std::string svg_;
};

// Splats, residual and mass of each level over time.
class Segments {
 public:
  explicit Segments(const format::AdaptedSplats& adapted) {
    for (const format::LevelSegment& segment : adapted.segments()) {
      const auto at = static_cast<double>(segment.segment());
      live_[segment.level()].push_back({at, static_cast<double>(segment.live())});
      residual_[segment.level()].push_back({at, segment.residual()}), mass_[segment.level()].push_back({at, segment.mass()});
    }
  }
  const Series& live() const { return live_; }
  std::array<std::string, 3> Charts() const { return {Lines("splats", live_), Lines("residual", residual_), Lines("mass", mass_)}; }

 private:
  Series live_, residual_, mass_;
};

std::string AdaptedPart(const StateDescription& d, int head) {
  const format::AdaptedSplats& adapted = d.state.header.adapted(head);
  if (adapted.segments().empty()) return "<p>No segment has ended yet.</p>\n";
  const Segments segments(adapted);
  std::string html = "<p class=\"key\">";
  for (const auto& [level, points] : segments.live())
    html += bench::Key(Class(level), bench::Escaped(format::LevelName(d.state.header.levels(), level)));
  html += "</p>\n<div>\n";
  for (const std::string& chart : segments.Charts())
    absl::StrAppendFormat(&html, "<svg viewBox=\"0 0 %g %g\">%s</svg>\n", kWidth, kHeight, chart);
  return absl::StrCat(html, "</div>\n<p>Splats that came or went, a line each; a dot says why.</p>\n",
                      Lives(d.state.header, adapted).Html());
}

}  // namespace

absl::StatusOr<std::string> StateDrawing(const StateDescription& d) {
  if (d.state.header.adapted().empty() || d.state.header.adapted(0).segments().empty())
    return absl::InvalidArgumentError(
        absl::StrCat(d.path, ": no segment has ended while its splats adapted, wanted one to draw; leave --svg out"));
  const Segments segments(d.state.header.adapted(0));
  std::string svg = absl::StrFormat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\">\n<style>%s%s</style>\n", 3 * kWidth,
                                    kHeight + 24, kDrawingStyle, kStyle);
  double x = 0;
  for (const std::string& chart : segments.Charts())
    absl::StrAppendFormat(&svg, "<g transform=\"translate(%g 0)\">\n%s</g>\n", std::exchange(x, x + kWidth), chart);
  x = kLeft;
  for (const auto& [level, points] : segments.live()) {
    absl::StrAppendFormat(&svg, "<path class=\"%s\" d=\"M%g %g h24\"/>\n", Class(level), x, kHeight + 8);
    svg += Words(x + 30, kHeight + 12, "start", format::LevelName(d.state.header.levels(), level));
    x += 110;
  }
  return svg + "</svg>\n";
}

std::string StatePage(const StateDescription& d) {
  std::ostringstream text;
  PrintState(text, d);
  std::string html = bench::PageStart(d.path, kStyle) + absl::StrCat("<h1>", bench::Escaped(d.path), "</h1>\n");
  for (int head = 0; head < d.state.header.adapted_size(); ++head)
    absl::StrAppend(&html, "<h2>kv_head ", head, "</h2>\n", AdaptedPart(d, head));
  return absl::StrCat(html, "<h2>Numbers</h2>\n<pre>", bench::Escaped(text.str()), "</pre>\n", std::string(bench::kPageEnd));
}

}  // namespace hsa
