// Whether a run can have the window that it asks for, and what it then reads.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "runtime/format/plan.pb.h"
#include "runtime/geometry.h"
#include "runtime/run.h"

namespace hsa {

// Of a run with a window (RunOptions::window_tokens > 0).
// INVALID_ARGUMENT  its tokens are no multiple of 512, or too many; the graph is not causal or has a threshold; splats adapt; with states or a token error
absl::Status CheckWindow(const RunOptions& options, const format::Graph& graph);

// The first key that any query sees, 0 without a window: those before it are not read.
int64_t FirstKeyRead(const RunOptions& options, const Geometry& geometry);

// How many keys of a kv_head a dense run sends, those twice that go to the state of their queries and to that of their pane.
int64_t KeysSent(const RunOptions& options, const Geometry& geometry);

// ", window 4097 to 4608 tokens in 9 states of 5440 bytes", of a kv_head whose states have so many bytes; "" without one.
std::string WindowText(const RunOptions& options, int64_t state_bytes);

}  // namespace hsa
