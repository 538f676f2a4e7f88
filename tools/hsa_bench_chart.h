// Charts on a page of HTML: inline SVG, no script, nothing fetched. Well-formed XML, so that any parser reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hsa::bench {

struct Point {
  double x, y;
};
struct Curve {
  std::string name;  // class of the page's style, which gives its colour
  std::vector<Point> points;
};

// Both axes logarithmic; points that are not finite and above 0 are left out.
struct Chart {
  std::string title, x_label, y_label;
  std::vector<Curve> curves;
};

// Empty when there is nothing to draw.
std::string Draw(const Chart& chart);

// A line of its colour and the words for it, for a legend: <p class="key">…</p>.
std::string Key(std::string_view name, std::string_view words);

// &, <, > and quotes as entities.
std::string Escaped(std::string_view text);

// Everything up to the body's content. `style` has what the charts' curves look like.
std::string PageStart(std::string_view title, std::string_view style);
inline constexpr char kPageEnd[] = "</body>\n</html>\n";

}  // namespace hsa::bench
