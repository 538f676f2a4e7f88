#include "tools/describe_state.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hsa {
namespace {

// log2 z of the splats [first, first + count) of a kv_head; −∞ where nothing was sent.
std::vector<double> LogMasses(const StateDescription& d, int64_t head, int64_t first, int64_t count) {
  const format::StateRows max = d.state.Find(d.bytes, "max"), sum = d.state.Find(d.bytes, "sum");
  std::vector<double> masses;
  for (int64_t s = first; s < first + count; ++s) masses.push_back(*max.Row(head, s) + std::log2(double{*sum.Row(head, s)}));
  return masses;
}

// What a level was sent: log2 Σ z, and the number of splats that would share it evenly, 2^entropy.
struct LevelMass {
  double log_total = -std::numeric_limits<double>::infinity(), effective = 0;

  explicit LevelMass(const std::vector<double>& masses) {
    const double top = *std::max_element(masses.begin(), masses.end());
    if (!std::isfinite(top)) return;
    double sum = 0, entropy = 0;
    for (const double mass : masses) sum += std::exp2(mass - top);
    for (const double mass : masses)
      if (const double share = std::exp2(mass - top) / sum; share > 0) entropy -= share * std::log2(share);
    log_total = top + std::log2(sum), effective = std::exp2(entropy);
  }
};

}  // namespace

void PrintState(std::ostream& out, const StateDescription& d) {
  const format::StateHeader& h = d.state.header;
  const format::StateRows variance = d.state.Find(d.bytes, "variance");
  out << absl::StrFormat("%s: state of scheme routed, %d bytes, version %d\n", d.path, d.bytes.size(), format::kStateVersion)
      << absl::StrFormat("%d tokens sent; %d kv_heads, %d dims, values of %d; %s covariances%s%s%s\n\n", h.tokens(), h.kv_heads(),
                         h.head_dim(), h.value_dim(), variance.dim == h.head_dim() ? "diagonal" : "isotropic",
                         d.state.Find(d.bytes, "amplitude").values.empty() ? "" : ", amplitudes",
                         h.links_checksum() == 0 ? "" : ", passed on along links",
                         h.has_sparse() ? absl::StrCat("; a token keeps ", h.sparse().top(), " of a level") : "")
      << absl::StrFormat("%8s%8s%10s%10s%16s%18s\n", "kv_head", "level", "weight", "splats", "log2 mass", "effective splats");
  for (int64_t head = 0; head < h.kv_heads(); ++head)
    for (int64_t level = 0, first = 0; level < h.levels_size(); first += h.levels(static_cast<int>(level++)).splats()) {
      const format::SplatLevel& l = h.levels(static_cast<int>(level));
      const LevelMass mass(LogMasses(d, head, first, l.splats()));
      out << absl::StrFormat("%8d%8d%10g%10d%16.3f%18.1f\n", head, level, l.weight(), l.splats(), mass.log_total, mass.effective);
    }
}

}  // namespace hsa
