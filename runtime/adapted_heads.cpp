#include "runtime/adapted_heads.h"

#include "absl/strings/str_cat.h"
#include "runtime/report_adapted.h"

namespace hsa {

absl::Status CheckAdapted(const RunOptions& options, const std::vector<RoutedSnapshot>& before) {
  for (size_t i = 0; i < before.size(); ++i)
    if (before[i].adapted() && !options.adapt)
      return absl::FailedPreconditionError(
          absl::StrCat(options.load_states[i], ": its splats have adapted, of which some may be gone; go on with --adapt on"));
  if (options.adapt && before.size() > 1)
    return absl::InvalidArgumentError(
        absl::StrCat("--adapt: adaptation goes on from one state, ", before.size(), " are given; merge them first, with --adapt off"));
  return absl::OkStatus();
}

absl::Status AdaptedHeads::Start(const Job& job, const SplatTensors& splats, const std::vector<RoutedSnapshot>& before,
                                 std::vector<RoutedState>& states, std::vector<RoutedTables>& tables) {
  before_ = TokensOf(before);
  levels_ = job.plan.graph().routed().levels();
  for (int64_t kv_head = 0; kv_head < job.geometry.kv_heads; ++kv_head) {
    heads_.push_back(
        std::make_unique<AdaptedHead>(*job.options.adapt, job.plan.graph(), splats, kv_head, states[kv_head], tables[kv_head]));
    if (before.empty() || !before[0].adapted()) continue;
    if (absl::Status gone = before[0].GoOn(kv_head, *heads_.back()); !gone.ok()) return gone;
  }
  return absl::OkStatus();
}

std::vector<const AdaptedHead*> AdaptedHeads::all() const {
  std::vector<const AdaptedHead*> heads;
  for (const auto& head : heads_) heads.push_back(head.get());
  return heads;
}

void AdaptedHeads::AddTo(RunReport& report) const {
  for (const auto& head : heads_) ReportAdapted(head->adapter(), levels_, &head - heads_.data(), report);
  report.adapt_seconds = watch_.seconds();
}

}  // namespace hsa
