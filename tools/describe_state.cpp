#include "tools/describe_state.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/format/plan_file.h"
#include "tools/splat_overlap.h"

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

constexpr int kShown = 20;  // of the last events

void PrintAdapted(std::ostream& out, int head, const format::StateHeader& h) {
  const format::AdaptedSplats& adapted = h.adapted(head);
  out << absl::StrFormat("\nkv_head %d adapts in segments of %d tokens, %d have ended; the last one:\n%8s%12s%10s%12s%12s%12s%12s%10s\n",
                         head, adapted.segment_tokens(), adapted.segment(), "level", "name", "splats", "mass", "residual", "spread", "gain",
                         "weight");
  for (int i = std::max(0, adapted.segments_size() - h.levels_size()); i < adapted.segments_size(); ++i) {
    const format::LevelSegment& segment = adapted.segments(i);
    const std::string live = segment.live() == 0 ? "asleep" : absl::StrCat(segment.live());
    const double factor = segment.weight_factor() == 0 ? 1 : segment.weight_factor();  // 0: of a file of version 1
    out << absl::StrFormat("%8d%12s%10s%12.4g%12.4g%12.4g%12.4g%10.3g\n", segment.level(), format::LevelName(h.levels(), segment.level()),
                           live, segment.mass(), segment.residual(), segment.spread(), segment.gain(),
                           factor * h.levels(static_cast<int>(segment.level())).weight());
  }
  out << absl::StrFormat("%d events%s\n", adapted.events_size(), adapted.events_size() > kShown ? ", of which the last are" : "");
  for (int i = std::max(0, adapted.events_size() - kShown); i < adapted.events_size(); ++i)
    out << "  " << EventText(adapted.events(i), h.levels()) << '\n';
}

void PrintShared(std::ostream& out, int64_t head, const StateDescription& d) {
  const std::vector<std::vector<double>> shared = SharedSplats(d, head);
  const format::SplatLevels& levels = d.state.header.levels();
  if (shared.empty()) return;
  out << absl::StrFormat("\nkv_head %d: by how many splats of each level the tokens of one splat are shared\n%20s", head, "");
  for (size_t b = 0; b < shared.size(); ++b) out << absl::StrFormat("%12s", format::LevelName(levels, static_cast<int64_t>(b)));
  for (size_t a = 0; a < shared.size(); ++a) {
    out << absl::StrFormat("\n%8d%12s", a, format::LevelName(levels, static_cast<int64_t>(a)));
    for (const double splats : shared[a]) out << absl::StrFormat("%12.1f", splats);
  }
  out << '\n';
}

}  // namespace

std::string EventText(const format::SplatEvent& event, const format::SplatLevels& levels) {
  const std::string level = absl::StrFormat("segment %d, %s", event.segment(), format::LevelText(levels, event.level()));
  const std::string where = absl::StrFormat("%s: splat %d ", level, event.splat());
  switch (event.what()) {
    case format::SplatEvent::WOKE_BY_LENGTH:
      return level + absl::StrFormat(" woke with %d splats: %.0f tokens, from %.0f on", event.splat(), event.measure(), event.limit());
    case format::SplatEvent::WOKE_BY_RESIDUAL:
      return level + absl::StrFormat(" woke with %d splats: level %d leaves %.3g of the spread, at most %.3g", event.splat(), event.other(),
                                     event.measure(), event.limit());
    case format::SplatEvent::SLEPT:
      return level + absl::StrFormat(" fell asleep with %d splats: its gain is %.3g, at least %.3g stays", event.splat(), event.measure(),
                                     event.limit());
    case format::SplatEvent::BORN:
      return where + absl::StrFormat("was born: %.3g of the tokens were covered by none, from %.3g on", event.measure(), event.limit());
    case format::SplatEvent::SPLIT:
      return where + absl::StrFormat("was split, %d is new: saves %.4g, the mean is %.4g", event.other(), event.measure(), event.limit());
    case format::SplatEvent::MERGED:
      return where + absl::StrFormat("took in %d: costs %.4g, at most %.4g", event.other(), event.measure(), event.limit());
    default:
      return where + absl::StrFormat("died into %d: %.4g activations, at least %.4g stay", event.other(), event.measure(), event.limit());
  }
}

void PrintState(std::ostream& out, const StateDescription& d) {
  const format::StateHeader& h = d.state.header;
  out << absl::StrFormat("%s: state of scheme routed, %d bytes, version %d\n", d.path, d.bytes.size(), format::ReadPrefix(d.bytes).version)
      << absl::StrFormat("%d tokens sent; %d kv_heads, %d dims, values of %d; %s covariances%s%s%s\n\n", h.tokens(), h.kv_heads(),
                         h.head_dim(), h.value_dim(), format::CovarianceText(format::CovarianceOf(d.state, d.bytes), h.head_dim()),
                         d.state.Find(d.bytes, "amplitude").values.empty() ? "" : ", amplitudes",
                         h.links_checksum() == 0 ? "" : ", passed on along links",
                         h.has_sparse() ? absl::StrCat("; a token keeps ", h.sparse().top(), " of a level") : "")
      << absl::StrFormat("%8s%8s%12s%10s%10s%16s%18s\n", "kv_head", "level", "name", "weight", "splats", "log2 mass", "effective splats");
  for (int64_t head = 0; head < h.kv_heads(); ++head)
    for (int64_t level = 0, first = 0; level < h.levels_size(); first += h.levels(static_cast<int>(level++)).splats()) {
      const format::SplatLevel& l = h.levels(static_cast<int>(level));
      const LevelMass mass(LogMasses(d, head, first, l.splats()));
      out << absl::StrFormat("%8d%8d%12s%10g%10d%16.3f%18.1f\n", head, level, format::LevelName(h.levels(), level), l.weight(), l.splats(),
                             mass.log_total, mass.effective);
    }
  for (int64_t head = 0; head < h.kv_heads(); ++head) PrintShared(out, head, d);
  for (int head = 0; head < h.adapted_size(); ++head) PrintAdapted(out, head, h);
}

}  // namespace hsa
