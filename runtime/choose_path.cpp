#include "runtime/choose_path.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/audit.h"
#include "runtime/pairs.h"
#include "runtime/plan_rates.h"
#include "runtime/stage_features.h"

namespace hsa {

namespace {

// Where nothing was measured: 4,096 causal tokens take 1.35 times as long as exact, 8,192 take 0.83 of it (hsa-bench SplatsRun, Zen 3, one thread).
constexpr double kDefaultCrossover = 3072;

// The same where keys are read in bf16 on AMX: exact attention gains more by it than the splats' fixed costs do. At 32,768 causal tokens both take as
// long (tolerance 0.05, docs/performance.md, "AMX").
constexpr double kDefaultCrossoverPairs = 5 * kDefaultCrossover;

double MeanVisibleKeys(const Geometry& g) { return g.queries > 0 ? g.AllVisibleKeys() / static_cast<double>(g.queries) : 0; }

// Whether an index that is given answers a few queries as it stands: they are too few to calibrate anything.
bool IsDecode(const Job& job) {
  return !job.options.load_index.empty() && job.geometry.queries <= std::max(kLeastAudits, AuditSample(job));
}

// Too few keys to save any?
Choice ByCrossover(const Job& job) {
  const bool measured = job.options.crossover_keys.has_value();
  Choice choice;
  choice.visible_keys = MeanVisibleKeys(job.geometry);
  choice.crossover_keys = job.options.crossover_keys.value_or(
      ReadsPairs(job) && PairUnitOf(job.plan.variant()) == PairUnit::kTiles ? kDefaultCrossoverPairs : kDefaultCrossover);
  choice.path = choice.visible_keys < choice.crossover_keys ? Path::kExact : Path::kSplats;
  choice.because = absl::StrCat(std::llround(choice.visible_keys), " visible keys for the mean query, splats pay from ",
                                std::llround(choice.crossover_keys), " on (", measured ? "measured" : "default", ")");
  return choice;
}

}  // namespace

Choice ChoosePath(const Job& job) {
  const RunOptions& options = job.options;
  const Geometry& g = job.geometry;
  if (job.plan.graph().has_routed()) return {.path = Path::kRouted, .because = "the scheme of the plan"};
  Choice choice{.because = "asked for", .visible_keys = MeanVisibleKeys(g)};
  if (options.mode == Mode::kExact) return choice;
  choice.path = Path::kSplats;
  if (IsDecode(job)) {
    choice.path = Path::kDecode;
    choice.because = absl::StrCat(g.queries, " queries at the end of an index");
  } else if (options.mode == Mode::kTolerance) {
    if (!options.load_index.empty() || !options.save_index.empty()) {
      choice.because = options.load_index.empty() ? "an index is asked for" : "an index is given";
    } else if (g.queries <= AuditSample(job)) {
      choice.path = Path::kExact;
      choice.because = absl::StrCat(g.queries, " queries are too few to certify a tolerance");
    } else {
      return ByCrossover(job);
    }
  }
  return choice;
}

std::string PathName(Path path) {
  switch (path) {
    case Path::kExact:
      return "exact";
    case Path::kSplats:
      return "splats";
    case Path::kDecode:
      return "decode";
    case Path::kRouted:
      return "routed";
  }
}

bool TurnsOnCrossover(const Plan& plan, const Inputs& inputs, const RunOptions& asked) {
  const RunOptions options = WithDefaults(plan, asked);
  const int64_t queries = inputs.query.tokens(), keys = inputs.key.tokens();
  if (queries > keys) return false;  // which Run refuses
  const Outputs outputs;
  const Choice choice = ChoosePath({plan, inputs, outputs, options, Geometry::Of(plan.graph(), queries, keys), Program(plan)});
  return choice.crossover_keys > 0 && choice.visible_keys >= kLeastCrossover && choice.visible_keys < kMostCrossover;
}

RunOptions WithDefaults(const Plan& plan, RunOptions options) {
  if (plan.graph().has_routed() && !options.mode) options.mode = Mode::kExact;
  if (!options.adapt && plan.graph().routed().has_adapt()) options.adapt = AdaptLimitsOf(plan.graph().routed().adapt());
  if (options.adapt && options.adapt->what == Adapt::kOff) options.adapt.reset();
  if (!options.window_tokens && plan.graph().routed().window() > 0)
    options.window_tokens = static_cast<int64_t>(plan.graph().routed().window());
  if (options.window_tokens == 0) options.window_tokens.reset();
  const format::Splats& splats = plan.graph().splats();
  if (options.mode) return options;
  options.mode = splats.tolerance() > 0 && !options.theta ? Mode::kTolerance : Mode::kTheta;
  if (splats.tolerance() > 0) options.tolerance = {splats.tolerance(), splats.confidence()};
  return options;
}

}  // namespace hsa
