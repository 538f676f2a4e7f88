// States of scheme routed in a file (*.hsastate): where one run ends and another goes on (docs/state_format.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/adapted_head.h"
#include "runtime/format/state_file.h"
#include "runtime/mapped_file.h"
#include "runtime/plan.h"
#include "runtime/routed_state.h"
#include "runtime/run.h"

namespace hsa {

// A checked state file, mapped. What it gives lies in the mapping and is valid as long as it lives, also when it is moved.
class RoutedSnapshot {
 public:
  // NOT_FOUND            no such file
  // DATA_LOSS            truncated, damaged or of another version: names what is wrong
  // FAILED_PRECONDITION  belongs to another graph than `graph`: names both
  static absl::StatusOr<RoutedSnapshot> Open(const std::string& path, const format::Graph& graph);

  // The splats that the tokens were sent to: center, covariance and amplitude; links and gate are not in the file.
  SplatTensors splats() const;
  // FAILED_PRECONDITION  `splats`, those of a run or of another file, differ from those of this file: names array and splat; or their links do
  absl::Status CheckSameSplats(const SplatTensors& splats) const;

  // Whether its splats adapted. Then the stream goes on with them alone …
  bool adapted() const { return state_.header.adapted_size() > 0; }
  // … from here. FAILED_PRECONDITION  of other limits than those of `head`
  absl::Status GoOn(int64_t kv_head, AdaptedHead& head) const;

  int64_t tokens() const { return static_cast<int64_t>(state_.header.tokens()); }
  // Adds what the tokens of this file sent to the splats of a kv_head; `scratch` has the shape of `state`.
  void MergeInto(int64_t kv_head, RoutedState& state, RoutedState& scratch) const;

 private:
  RoutedSnapshot(std::string path, MappedFile file, format::StateFile state)
      : path_(std::move(path)), file_(std::move(file)), state_(std::move(state)) {}

  std::string path_;
  MappedFile file_;
  format::StateFile state_;
};

// Opens the files of the states that a run begins with: of one set of splats, which becomes that of the run where it has none of its own, or has
// them beside links and a gate and they have adapted since.
absl::StatusOr<std::vector<RoutedSnapshot>> OpenSnapshots(const std::vector<std::string>& paths, const format::Graph& graph,
                                                          SplatTensors& splats);
// Tokens of each kv_head in all of them.
int64_t TokensOf(const std::vector<RoutedSnapshot>& snapshots);

// What a run knows at its end.
struct RoutedResult {
  const format::Graph& graph;
  const SplatTensors& splats;
  std::vector<const RoutedState*> states;        // of each kv_head
  int64_t tokens = 0;                            // of each kv_head, of the states it began with, too
  std::vector<const AdaptedHead*> adapted = {};  // of each kv_head, whose splats then take the place of `splats`; or none
};

// Writes it to a new file that takes the name `path` when it is whole.
// FAILED_PRECONDITION  names the system's reason, or a header that no reader would take; nothing is left behind
absl::Status SaveSnapshot(const std::string& path, const RoutedResult& result);

}  // namespace hsa
