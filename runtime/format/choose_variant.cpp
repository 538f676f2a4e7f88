#include "runtime/format/choose_variant.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/machine.h"
#include "kernels/tile_permission.h"
#include "kernels/tile_shape.h"

namespace hsa::format {
namespace {

bool SameSystem(const Variant& v) {
  return v.triple().starts_with(absl::StrCat(std::string(ThisArchitecture()), "-")) && v.triple().find("linux") != std::string::npos;
}

const Isa& IsaOf(const Variant& v) {  // the checker has found it
  return *std::find_if(std::begin(kIsas), std::end(kIsas), [&](const Isa& isa) { return isa.name == v.isa(); });
}

// The features that the variant needs and this processor lacks. An isa needs its own, listed or not.
std::vector<std::string> Missing(const Variant& v) {
  std::vector<std::string> needs(v.features().begin(), v.features().end());
  needs.emplace_back(IsaOf(v).feature);
  std::sort(needs.begin(), needs.end());
  needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
  std::erase_if(needs, [](const std::string& feature) { return ThisMachine().Has(feature); });
  return needs;
}

bool MayUse(const std::string& feature) { return ThisMachine().Has(feature) && (feature != "amx-tile" || MayUseTiles()); }

// Whether it has an entry for a stage that needs features beside those of its variant, all of which this process may use. A variant that lists avx512bf16 has
// written stages for AMX for that instead.
bool HasSpecialCode(const PlanHeader& header, const Variant& v) {
  if (std::ranges::find(v.features(), kDotFeatures) != v.features().end()) return false;
  return std::ranges::any_of(header.stages(), [&](const Stage& stage) {
    return stage.features_size() > 0 && std::ranges::all_of(stage.features(), MayUse) &&
           std::ranges::any_of(v.entries(), [&](const Entry& entry) { return entry.name() == stage.entry(); });
  });
}

}  // namespace

const Variant* BestVariant(const PlanHeader& header) {
  const auto rank = [&](const Variant& v) {
    return std::tuple(&IsaOf(v) - std::begin(kIsas), !HasSpecialCode(header, v), -v.features_size());
  };
  const Variant* best = nullptr;
  for (const Variant& v : header.variants())
    if (WhyNot(v).empty() && (!best || rank(v) < rank(*best))) best = &v;
  return best;
}

std::string WhyNot(const Variant& v) {
  if (!SameSystem(v)) return absl::StrCat("'", v.name(), "' is for ", v.triple());
  const std::vector<std::string> missing = Missing(v);
  return missing.empty() ? "" : absl::StrCat("'", v.name(), "' needs ", absl::StrJoin(missing, " "));
}

std::string MachineName() { return absl::StrCat(ThisMachine().model, " (", std::string(ThisArchitecture()), "-linux)"); }

}  // namespace hsa::format
