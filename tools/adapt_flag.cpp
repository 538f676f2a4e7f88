#include "tools/adapt_flag.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hsa {
namespace {

template <typename T>
bool Parse(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

absl::Status SetLimit(const std::string& item, AdaptLimits& limits) {
  const std::map<std::string_view, int64_t*> counts = {{"segment_tokens", &limits.segment_tokens},
                                                       {"most_events", &limits.most_events},
                                                       {"least_splats", &limits.least_splats},
                                                       {"history", &limits.history},
                                                       {"asleep", &limits.asleep},
                                                       {"level_tokens", &limits.level_tokens}};
  const std::map<std::string_view, double*> numbers = {{"memory", &limits.memory},
                                                       {"cover", &limits.cover},
                                                       {"uncovered_share", &limits.uncovered_share},
                                                       {"idle", &limits.idle},
                                                       {"gain", &limits.gain},
                                                       {"level_residual", &limits.level_residual},
                                                       {"level_gain", &limits.level_gain},
                                                       {"weight_bound", &limits.weight_bound}};
  const size_t equals = item.find('=');
  const std::string_view name = std::string_view(item).substr(0, equals),
                         value = std::string_view(item).substr(std::min(equals, item.size() - 1) + 1);
  const auto count = counts.find(name);
  const auto number = numbers.find(name);
  if (equals != std::string::npos && count != counts.end() && Parse(value, *count->second)) return absl::OkStatus();
  if (equals != std::string::npos && number != numbers.end() && Parse(value, *number->second)) return absl::OkStatus();
  const auto first = [](std::string* out, const auto& entry) { out->append(entry.first); };
  return absl::InvalidArgumentError(absl::StrCat("--adapt has '", item, "', wanted off, on, observe, or limits such as memory=0.5 of ",
                                                 absl::StrJoin(counts, ", ", first), ", ", absl::StrJoin(numbers, ", ", first),
                                                 "; hsa-run --help lists the flags"));
}

}  // namespace

absl::StatusOr<AdaptLimits> ParseAdapt(const std::string& text) {
  AdaptLimits limits;
  if (text == "on") return limits;
  if (text == "off") return AdaptLimits{.what = Adapt::kOff};
  for (const std::string& item : std::vector<std::string>(absl::StrSplit(text, ','))) {
    if (item == "observe") {
      limits.what = Adapt::kObserve;
      continue;
    }
    if (absl::Status set = SetLimit(item, limits); !set.ok()) return set;
  }
  return limits;
}

}  // namespace hsa
