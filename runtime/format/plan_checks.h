// The parts of CheckPlan, one per part of the header. Each one relies on those above it having passed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/format/plan.pb.h"

namespace hsa::format {

// Words a refusal: "path: what is, what was wanted (plan_cN); what to do".
class Refusal {
 public:
  explicit Refusal(std::string_view path) : path_(path) {}
  absl::Status operator()(int constraint, std::string_view what) const {
    return absl::DataLossError(path_ + ": " + std::string(what) + " (plan_c" + std::to_string(constraint) +
                               "); compile the graph again: hsa-compile GRAPH -o FILE");
  }

 private:
  std::string path_;
};

// Strings can be printed on one line (plan_c34), so every later message can quote them.
absl::Status CheckText(const google::protobuf::Message& message, const Refusal& refuse);

// Graph, mask and splats: plan_c4 to plan_c11, plan_c23 to plan_c26, plan_c35, plan_c39 to plan_c43, plan_c45 and plan_c46.
absl::Status CheckGraph(const Graph& graph, const Refusal& refuse);

// What a token keeps of its splats: plan_c45 and plan_c46. Of a graph that is sparse.
absl::Status CheckSparse(const Routed& routed, const Refusal& refuse);

// Names and value dims of levels, adaptation and the window: plan_c62 to plan_c64, plan_c90. Of a graph that is routed.
absl::Status CheckSplatLevels(const Graph& graph, const Refusal& refuse);

// Arena, buffers, stages and their arguments: plan_c1, plan_c12, plan_c14 to plan_c19, plan_c27 to plan_c32, plan_c38.
absl::Status CheckSchedule(const PlanHeader& header, const Refusal& refuse);

// Variants, their entries, and where sections lie: plan_c2, plan_c3, plan_c13, plan_c20 to plan_c22, plan_c28, plan_c33.
absl::Status CheckCode(const PlanHeader& header, uint64_t sections_begin, uint64_t file_bytes, const Refusal& refuse);

// Limits of plan_c28: far above what a compiler writes, low enough that no check takes noticeable time.
inline constexpr int kMaxStages = 256, kMaxArguments = 32, kMaxDimensions = 4, kMaxBuffers = 1024, kMaxVariants = 64, kMaxLevels = 16,
                     kMaxFeatures = 64;

}  // namespace hsa::format
