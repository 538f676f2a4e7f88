#include "tools/describe_machine.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "kernels/bandwidth.h"
#include "nlohmann/json.hpp"
#include "runtime/format/choose_variant.h"

namespace hsa {
namespace {

using Json = nlohmann::ordered_json;  // names in the order in which they are written here

std::string CacheSize(int64_t bytes) {
  if (bytes == 0) return "unknown";
  return bytes % (1 << 20) == 0 ? absl::StrCat(bytes >> 20, " MiB") : absl::StrCat(bytes >> 10, " KiB");
}

std::string PeakText(const Peak& peak) {
  return peak.gflops > 0 ? absl::StrFormat("%.0f GFLOP/s (%s)", peak.gflops, std::string(peak.isa)) : "none";
}

Json PeakJson(const Peak& peak) { return peak.gflops > 0 ? Json(peak.gflops) : Json(nullptr); }

void PrintProfile(std::ostream& out, const MachineProfile& profile) {
  if (!profile.problem().empty()) out << "\n" << profile.problem() << "; the next run that needs it measures again\n";
  if (profile.plans().empty()) {
    out << "\nNo plan was measured here yet: the first run of one whose way depends on it does so.\n";
    return;
  }
  out << "\nmeasured of plans (" << profile.path()
      << ")\n  graph/checksum/variant/precision: 10⁶ keys/s exact, by splats, which pay from so many "
      << "visible keys on\n";
  for (const auto& [name, rates] : profile.plans())
    out << absl::StrFormat("  %s: %.0f, %.0f, %d\n", name, rates.exact_keys_per_s * 1e-6, rates.splat_keys_per_s * 1e-6,
                           std::llround(CrossoverOf(rates)));
}

Json PlansJson(const MachineProfile& profile) {
  Json plans = Json::array();
  for (const auto& [name, rates] : profile.plans())
    plans.push_back({{"plan", name},
                     {"exact_keys_per_s", rates.exact_keys_per_s},
                     {"splat_keys_per_s", rates.splat_keys_per_s},
                     {"crossover_keys", CrossoverOf(rates)}});
  return plans;
}

}  // namespace

MachineDescription MeasureMachine() {
  const std::vector<uint64_t> words(kBandwidthBytes / sizeof(uint64_t), 1);
  return {
      ThisMachine(), MeasurePeak(), MeasureTilePeak(), MeasureDotPeak(), MeasureReadBandwidth(words), MachineProfile(DefaultProfilePath())};
}

void PrintMachine(std::ostream& out, const MachineDescription& d) {
  const Machine& m = d.machine;
  out << format::MachineName() << ", " << m.vendor << "\n  cores     " << m.cores << "\n  L1d       " << CacheSize(m.l1d_bytes)
      << "\n  L2        " << CacheSize(m.l2_bytes) << "\n  L3        " << CacheSize(m.l3_bytes) << "\n  features  "
      << absl::StrJoin(m.features, " ") << "\n\none core, measured now\n  f32       " << PeakText(d.peak) << "\n  bf16      "
      << PeakText(d.tile_peak) << "\n            " << PeakText(d.dot_peak)
      << absl::StrFormat("\n  memory    %.1f GB/s read, of %d MiB\n", d.read_gbytes_per_s, kBandwidthBytes >> 20);
  PrintProfile(out, d.profile);
}

void PrintMachineJson(std::ostream& out, const MachineDescription& d) {
  const Machine& m = d.machine;
  const Json json = {{"vendor", m.vendor},
                     {"model", m.model},
                     {"architecture", std::string(ThisArchitecture())},
                     {"cores", m.cores},
                     {"l1d_bytes", m.l1d_bytes},
                     {"l2_bytes", m.l2_bytes},
                     {"l3_bytes", m.l3_bytes},
                     {"features", m.features},
                     {"f32_peak_gflops", PeakJson(d.peak)},
                     {"tile_peak_gflops", PeakJson(d.tile_peak)},
                     {"dot_peak_gflops", PeakJson(d.dot_peak)},
                     {"read_gbytes_per_s", d.read_gbytes_per_s},
                     {"profile", d.profile.path()},
                     {"plans", PlansJson(d.profile)}};
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace hsa
