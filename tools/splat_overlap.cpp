#include "tools/splat_overlap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace hsa {
namespace {

class Overlap {
 public:
  Overlap(const StateDescription& d, int64_t head)
      : head_(head),
        dims_(d.state.header.head_dim()),
        plain_(d.state.Find(d.bytes, "factor").values.empty()),
        extent_(1 / std::max(1.0, static_cast<double>(dims_) / 4)),
        center_(d.state.Find(d.bytes, "center")),
        variance_(d.state.Find(d.bytes, "variance")),
        amplitude_(d.state.Find(d.bytes, "amplitude")),
        max_(d.state.Find(d.bytes, "max")),
        sum_(d.state.Find(d.bytes, "sum")) {}

  bool IsPlain() const { return plain_ && !variance_.values.empty() && (variance_.dim == 1 || variance_.dim == dims_); }

  double LogMass(int64_t s) const { return *max_.Row(head_, s) + std::log2(double{*sum_.Row(head_, s)}); }

  // e^{H_s} of the splats [first, end) that were sent something: slots that adaptation has emptied hold what was there before.
  double Effective(int64_t s, int64_t first, int64_t end) const {
    std::vector<double> log;
    for (int64_t t = first; t < end; ++t)
      if (*sum_.Row(head_, t) > 0) log.push_back(LogExpected(s, t));
    if (log.empty()) return 0;
    const double top = *std::max_element(log.begin(), log.end());
    double sum = 0, entropy = 0;
    for (const double x : log) sum += std::exp(x - top);
    for (const double x : log)
      if (const double share = std::exp(x - top) / sum; share > 0) entropy -= share * std::log(share);
    return std::exp(entropy);
  }

 private:
  double Variance(int64_t s, int64_t d) const { return variance_.Row(head_, s)[variance_.dim == 1 ? 0 : d]; }

  double LogExpected(int64_t s, int64_t t) const {
    double log = amplitude_.values.empty() ? 0 : *amplitude_.Row(head_, t);
    double product = 1;  // of some dimensions, and its logarithm when it is about to leave the range of a double
    for (int64_t d = 0; d < dims_; ++d) {
      const double apart = double{center_.Row(head_, t)[d]} - center_.Row(head_, s)[d], width = Variance(t, d);
      const double both = width + extent_ * Variance(s, d);
      product *= width / both;
      if (product < 1e-200 || d + 1 == dims_) log += 0.5 * std::log(product), product = 1;
      log -= 0.5 * apart * apart / both;
    }
    return log;
  }

  int64_t head_, dims_;
  bool plain_;  // no factor beside the variances
  double extent_;
  format::StateRows center_, variance_, amplitude_, max_, sum_;
};

}  // namespace

std::vector<std::vector<double>> SharedSplats(const StateDescription& d, int64_t kv_head) {
  const Overlap overlap(d, kv_head);
  if (!overlap.IsPlain()) return {};
  std::vector<int64_t> first = {0};  // of each level, and the end
  for (const format::SplatLevel& level : d.state.header.levels()) first.push_back(first.back() + level.splats());
  const size_t levels = first.size() - 1;
  std::vector<std::vector<double>> shared(levels, std::vector<double>(levels, 0.0));
  for (size_t a = 0; a < levels; ++a) {
    std::vector<int64_t> heaviest(first[a + 1] - first[a]);
    std::iota(heaviest.begin(), heaviest.end(), first[a]);
    std::stable_sort(heaviest.begin(), heaviest.end(), [&](int64_t s, int64_t t) { return overlap.LogMass(s) > overlap.LogMass(t); });
    heaviest.resize(std::min<size_t>(heaviest.size(), kOverlapSplats));
    const double most = overlap.LogMass(heaviest[0]);
    double total = 0;
    for (const int64_t s : heaviest) {
      const double mass = std::isfinite(most) ? std::exp2(overlap.LogMass(s) - most) : 0;
      total += mass;
      for (size_t b = 0; b < levels && mass > 0; ++b) shared[a][b] += mass * overlap.Effective(s, first[b], first[b + 1]);
    }
    for (double& x : shared[a]) x = total > 0 ? x / total : 0;
  }
  return shared;
}

}  // namespace hsa
