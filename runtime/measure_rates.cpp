#include "runtime/measure_rates.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "oneapi/tbb/task_arena.h"
#include "runtime/run_state.h"

namespace hsa {

namespace {

constexpr int64_t kKeys = 4096, kQueries = 1024;
constexpr int kTurns = 3;

// One head of N(0, 1), and room for its output.
class Sample {
 public:
  Sample(const Geometry& g, DType dtype)
      : dtype_(dtype == DType::kBF16 ? DType::kBF16 : DType::kF32),  // f16 is widened as it is read, and takes as long as f32
        query_(Random(kQueries * g.head_dim, 1)),
        key_(Random(kKeys * g.head_dim, 2)),
        value_(Random(kKeys * g.value_dim, 3)),
        output_(kQueries * g.value_dim),
        inputs_{View(query_, kQueries, g.head_dim), View(key_, kKeys, g.head_dim), View(value_, kKeys, g.value_dim)} {
    outputs_.o = {reinterpret_cast<std::byte*>(output_.data()), DType::kF32, {1, kQueries, g.value_dim}, {0, g.value_dim, 1}};
  }
  const Inputs& inputs() const { return inputs_; }
  const Outputs& outputs() const { return outputs_; }

 private:
  // The upper bytes of each float: all of them, or those that are its bf16, cut.
  std::vector<std::byte> Random(int64_t count, uint32_t seed) const {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    const size_t size = DTypeBytes(dtype_);
    std::vector<std::byte> numbers(count * size);
    for (int64_t i = 0; i < count; ++i) {
      const float x = normal(engine);
      std::memcpy(&numbers[i * size], reinterpret_cast<const std::byte*>(&x) + sizeof(x) - size, size);
    }
    return numbers;
  }
  TensorView View(const std::vector<std::byte>& rows, int64_t tokens, int64_t dim) const {
    return {rows.data(), dtype_, {1, tokens, dim}, {0, dim, 1}};
  }

  DType dtype_;
  std::vector<std::byte> query_, key_, value_;
  std::vector<float> output_;
  Inputs inputs_;
  Outputs outputs_;
};

// The plan for one head, on one thread, whatever lengths its graph fixes.
Geometry OneHead(const Plan& plan) {
  Geometry geometry = Geometry::Of(plan.graph(), kQueries, kKeys);
  geometry.heads = geometry.kv_heads = 1;
  return geometry;
}

// CPU time of this thread, which does all the work of an arena of one: other processes' turns on the core do not count.
double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Keys per second of one run; 0 when it fails.
double Rate(const Plan& plan, const Sample& sample, const RunOptions& options) {
  Job job{plan, sample.inputs(), sample.outputs(), options, OneHead(plan), Program(plan), 1};
  RunReport report;
  report.read.total = 1;
  oneapi::tbb::task_arena arena(1);
  const double start = ThreadSeconds();
  const absl::Status done = arena.execute([&] { return options.mode == Mode::kTheta ? RunSplats(job, report) : RunExact(job, report); });
  const double seconds = ThreadSeconds() - start;
  return done.ok() && seconds > 0 ? report.read.total * job.geometry.AllVisibleKeys() / seconds : 0;
}

}  // namespace

RunOptions CalibratedLike(const RunOptions& options) {
  RunOptions calibrated;
  calibrated.mode = Mode::kTolerance, calibrated.tolerance = options.tolerance, calibrated.products = options.products;
  return calibrated;
}

std::optional<PlanRates> MeasureRates(const Plan& plan, const RunOptions& options, DType inputs,
                                      const std::function<void(double)>& progress) {
  const Geometry geometry = OneHead(plan);
  if (geometry.mini * 2 > kKeys) return std::nullopt;
  const Sample sample(geometry, inputs);
  const RunOptions exact = CalibratedLike(options);
  RunOptions splats = exact;
  splats.mode = Mode::kTheta, splats.theta = 0;
  PlanRates best;
  for (int turn = 0; turn < kTurns; ++turn) {
    best.exact_keys_per_s = std::max(best.exact_keys_per_s, Rate(plan, sample, exact));
    best.splat_keys_per_s = std::max(best.splat_keys_per_s, Rate(plan, sample, splats));
    if (progress) progress((turn + 1.0) / kTurns);
  }
  if (best.exact_keys_per_s <= 0 || best.splat_keys_per_s <= 0) return std::nullopt;
  return best;
}

}  // namespace hsa
