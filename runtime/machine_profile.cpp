#include "runtime/machine_profile.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "kernels/machine.h"
#include "nlohmann/json.hpp"
#include "runtime/cache_directory.h"
#include "runtime/write_file.h"

namespace hsa {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr char kProducer[] = "hsa " HSA_VERSION;
constexpr size_t kMaxBytes = size_t{1} << 20;

// What a profile is of; the first difference is told.
Json Self() {
  const Machine& machine = ThisMachine();
  return {{"schema", kSchema}, {"producer", kProducer}, {"cpu", machine.model}, {"features", machine.features}};
}

std::string Shown(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// Empty, or whose profile it is.
std::string Stranger(const Json& json) {
  const Json self = Self();
  for (const auto& [name, mine] : self.items()) {
    const Json theirs = json.value(name, Json());
    if (theirs == mine) continue;
    if (name == "features") return "is of a processor with other features";
    return absl::StrCat("has ", name, " '", Shown(theirs), "', this is '", Shown(mine), "'");
  }
  return "";
}

bool IsRate(const Json& json, const char* name) {
  const auto rate = json.find(name);
  return rate != json.end() && rate->is_number() && std::isfinite(rate->get<double>()) && rate->get<double>() > 0;
}

std::optional<std::string> ReadSmallFile(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

}  // namespace

std::string DefaultProfilePath() {
  const std::string directory = DefaultCacheDirectory();
  return directory.empty() ? "" : directory + "/machine.json";
}

MachineProfile::MachineProfile(std::string path) : path_(std::move(path)) {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return;
  if (const std::optional<std::string> text = ReadSmallFile(path_); text.has_value())
    Parse(*text);
  else
    problem_ = "cannot be read";
  if (problem_.empty()) return;
  problem_ = absl::StrCat(path_, ": ", problem_);
  plans_.clear();
}

void MachineProfile::Parse(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    problem_ = "is damaged: no JSON object";
    return;
  }
  problem_ = Stranger(json);
  if (!problem_.empty()) return;
  const Json plans = json.value("plans", Json());
  if (!plans.is_object()) problem_ = "is damaged: has no plans";
  for (const auto& [name, rates] : plans.items()) {
    if (!rates.is_object() || !IsRate(rates, "exact_keys_per_s") || !IsRate(rates, "splat_keys_per_s")) {
      problem_ = "is damaged: a plan has no rates";
      return;
    }
    plans_.push_back({name, {rates["exact_keys_per_s"], rates["splat_keys_per_s"]}});
  }
}

std::optional<PlanRates> MachineProfile::Find(const std::string& plan) const {
  for (const auto& [name, rates] : plans_)
    if (name == plan) return rates;
  return std::nullopt;
}

absl::Status MachineProfile::Keep(const std::string& plan, const PlanRates& rates) {
  std::erase_if(plans_, [&](const auto& known) { return known.first == plan; });
  plans_.push_back({plan, rates});
  if (plans_.size() > kMostPlans) plans_.erase(plans_.begin(), plans_.end() - kMostPlans);
  Json json = Self();
  json["plans"] = Json::object();
  for (const auto& [name, known] : plans_)
    json["plans"][name] = {{"exact_keys_per_s", known.exact_keys_per_s}, {"splat_keys_per_s", known.splat_keys_per_s}};
  const std::string directory = std::filesystem::path(path_).parent_path().string();
  if (directory == DefaultCacheDirectory())
    if (const std::string reason = MakeCacheDirectory(directory); !reason.empty())
      return absl::FailedPreconditionError(absl::StrCat(directory.empty() ? "cache" : directory, ": ", reason));
  return WriteFile(path_, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace hsa
