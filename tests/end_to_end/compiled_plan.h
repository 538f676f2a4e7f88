// Plans of small graphs, compiled when a test first asks for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/graph.pb.h"
#include "frontend/precision.h"
#include "runtime/plan.h"
#include "tests/oracle/attention_oracle.h"

namespace hsa::end_to_end {

// Sizes of the splat index: docs/spec.md, "Units, near field and index". The defaults are those of graph.proto.
struct Units {
  int64_t segment = 8192, mini = 1024, window = 1024, tile = 64, near_sinks = 4, bands = 8, order = 2;
  bool content_tiles = false;
};

// So small that some thousand keys have several segments, mini-segments behind them and windows that see both.
inline constexpr Units kSmallUnits = {.segment = 1024, .mini = 256, .window = 256};

// What a plan depends on. Lengths and element types are free at run time.
struct GraphSpec {
  int64_t H = 1, Hkv = 1, D = 64, Dv = 64;
  oracle::Mask mask = {};
  double scale = 0;  // 0: 1/√D
  Units units = {};
  std::vector<std::string> cpus = {"native"};
  frontend::Precision precision = frontend::Precision::kF32;
};

// Random data for `graph`, N queries at the end of M keys.
oracle::Problem RandomProblem(const GraphSpec& graph, int64_t N, int64_t M, uint64_t seed);

frontend::Graph BuildGraph(const GraphSpec& graph);

// The plan of `graph`; compiled once in a process, and once in all processes of a build. `cpu` selects one of graph.cpus.
const Plan& PlanOf(const GraphSpec& graph, const std::string& cpu = "");

// Does the code that was compiled for `cpu` run here?
bool RunsHere(const GraphSpec& graph, const std::string& cpu);

}  // namespace hsa::end_to_end
