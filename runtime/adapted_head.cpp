#include "runtime/adapted_head.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "kernels/wide_clone.h"
#include "runtime/covariance.h"
#include "runtime/extent.h"

namespace hsa {
namespace {

PoolShape ShapeOf(const AdaptLimits& limits, const format::Graph& graph) {
  PoolShape shape{graph.head_dim(), {}, limits.history, VarianceDim(graph)};
  for (const format::SplatLevel& level : graph.routed().levels()) shape.levels.push_back(level.splats());
  return shape;
}

// What RoutedTables holds of a splat.
HSA_WIDE_CLONE void ScaleAndShift(int64_t dim, double width, const double* extent, const double* center, float* scale, float* shift) {
  for (int64_t d = 0; d < dim; ++d) {
    scale[d] = static_cast<float>(std::sqrt(0.5 * std::numbers::log2e / (width * extent[d])));
    shift[d] = static_cast<float>(-scale[d] * center[d]);
  }
}

float Entry(const TensorView& tensor, int64_t head, int64_t splat, int64_t d) {
  return reinterpret_cast<const float*>(tensor.Row(head, splat))[d];
}

// What a stream goes on from was made within its limits: of levels, when one that sleeps wakes and how far weights have gone.
absl::Status CheckSameLimits(const AdaptLimits& limits, const format::AdaptedSplats& adapted) {
  if (static_cast<int64_t>(adapted.segment_tokens()) != limits.segment_tokens || static_cast<int64_t>(adapted.history()) != limits.history)
    return absl::FailedPreconditionError(absl::StrCat("adapted in segments of ", adapted.segment_tokens(), " tokens with a history of ",
                                                      adapted.history(), ", the run has ", limits.segment_tokens, " and ", limits.history,
                                                      "; go on with the same --adapt"));
  // Levels stay as they are where splats are observed; 0: of such a run, or of a file that is older than the field.
  if (limits.what != Adapt::kSplats || adapted.weight_bound() == 0) return absl::OkStatus();
  if ((adapted.level_tokens() == 0) != (limits.level_tokens == 0) || adapted.weight_bound() != limits.weight_bound)
    return absl::FailedPreconditionError(absl::StrCat("adapted with level_tokens ", adapted.level_tokens(), " and weight_bound ",
                                                      adapted.weight_bound(), ", the run has ", limits.level_tokens, " and ",
                                                      limits.weight_bound, "; go on with the same --adapt"));
  return absl::OkStatus();
}

}  // namespace

AdaptedHead::AdaptedHead(const AdaptLimits& limits, const format::Graph& graph, const SplatTensors& splats, int64_t head,
                         RoutedState& state, RoutedTables& tables)
    : graph_(graph),
      state_(state),
      tables_(tables),
      adapter_(limits, ShapeOf(limits, graph)),
      sleeping_(adapter_.pool().shape().slots(), graph.value_dim()),
      log_weights_(graph.routed().levels_size()),
      offsets_(adapter_.pool().shape().slots()),
      apart_(graph.head_dim()),
      nearest_(graph.routed().levels_size()),
      splats_(graph.routed().levels_size()) {
  if (!tables.flow.empty()) links_.emplace(graph.routed(), tables.flow);
  const int64_t dim = graph.head_dim();
  std::vector<double> center(dim), extent(dim);
  for (int64_t s = 0; s < splats.center.tokens(); ++s) {
    for (int64_t d = 0; d < dim; ++d) {
      center[d] = Entry(splats.center, head, s, d);
      extent[d] = Entry(splats.variance, head, s, VarianceEntry(graph, d)) / ExtentWidth(dim);
    }
    adapter_.Create(s, center, extent, splats.amplitude.data == nullptr ? 0 : Entry(splats.amplitude, head, s, 0));
  }
  adapter_.Begin(*this);
  limits.asleep > 0 ? WriteTables() : WriteWeights();  // what is not written again keeps its bits
}

void AdaptedHead::Observe(const TokenPanels& tokens, int64_t position, int64_t count, std::span<const float> sent) {
  const auto observed = [&](int64_t i) { return IsObserved(position + i) && tokens.Key(i) != nullptr; };
  bool any = false;
  for (int64_t i = 0; i < count; ++i) any |= observed(i);
  if (!any) return;
  const auto width = static_cast<float>(ExtentWidth(graph_.head_dim()));
  for (size_t s = 0; s < offsets_.size(); ++s) offsets_[s] = width * state_.own_max()[s] + adapter_.log2_densities()[s];
  const SplatPool& pool = adapter_.pool();
  for (size_t level = 0; level < nearest_.size(); ++level)
    nearest_[level] = FindNearest(sent, offsets_, width, pool.LevelBegin(level), pool.LevelEnd(level));
  for (int64_t i = 0; i < count; ++i) {
    if (!observed(i)) continue;
    for (size_t level = 0; level < nearest_.size(); ++level) splats_[level] = nearest_[level][i];
    adapter_.Observe(splats_, tokens.Key(i));
  }
}

void AdaptedHead::ObserveKept(const NearLists& kept, const float* keys, int64_t position, int64_t count) {
  const auto width = static_cast<float>(ExtentWidth(graph_.head_dim()));
  for (int64_t i = 0; i < count; ++i) {
    if (!IsObserved(position + i)) continue;
    for (size_t level = 0; level < splats_.size(); ++level) {
      const std::span<const int32_t> splats = kept.splats(static_cast<int64_t>(level), i);
      const std::span<const float> scores = kept.scores(static_cast<int64_t>(level), i);
      splats_[level] = -1;
      float best = -std::numeric_limits<float>::infinity();
      for (size_t slot = 0; slot < splats.size(); ++slot) {
        const int32_t s = splats[slot];
        const float likelihood = width * (scores[slot] - tables_.amplitude[s]) + adapter_.log2_densities()[s];
        if (likelihood > best) best = likelihood, splats_[level] = s;
      }
    }
    adapter_.Observe(splats_, keys + i * tables_.depth);
  }
}

bool AdaptedHead::EndSegment() {
  adapter_.EndSegment(*this);
  if (adapter_.limits().what != Adapt::kSplats) return false;
  WriteTables();
  return true;
}

void AdaptedHead::GetSplats(std::span<float> center, std::span<float> variance, std::span<float> amplitude) const {
  const SplatPool& pool = adapter_.pool();
  const int64_t dim = graph_.head_dim(), widths = VarianceDim(graph_), width = (dim + widths - 1) / widths;
  for (int64_t s = 0; s < pool.shape().slots(); ++s) {
    for (int64_t d = 0; d < dim; ++d) center[s * dim + d] = static_cast<float>(pool.row(s, SplatPool::kCenter)[d]);
    for (int64_t d = 0; d < widths; ++d)
      variance[s * widths + d] = static_cast<float>(ExtentWidth(dim) * pool.row(s, SplatPool::kExtent)[d * width]);
    if (!amplitude.empty()) amplitude[s] = static_cast<float>(pool.at(s, SplatPool::kLogAmplitude));
  }
}

void AdaptedHead::Get(format::AdaptedSplats& adapted) const {
  const AdaptLog& log = adapter_.log();
  const AdaptLimits& limits = adapter_.limits();
  adapted.set_segment(static_cast<uint64_t>(adapter_.segment()));
  adapted.set_segment_tokens(static_cast<uint64_t>(limits.segment_tokens));
  adapted.set_history(static_cast<uint32_t>(limits.history));
  if (limits.what == Adapt::kSplats)
    adapted.set_level_tokens(static_cast<uint64_t>(limits.level_tokens)), adapted.set_weight_bound(limits.weight_bound);
  for (int64_t i = log.events.first(); i < log.events.added(); ++i) {
    const AdaptEvent& from = log.events[i];
    format::SplatEvent& event = *adapted.add_events();
    event.set_segment(static_cast<uint64_t>(from.segment)), event.set_level(static_cast<uint32_t>(from.level));
    event.set_what(static_cast<format::SplatEvent::What>(from.what)), event.set_splat(from.splat), event.set_other(from.other);
    event.set_measure(from.measure), event.set_limit(from.limit);
  }
  for (int64_t i = log.segments.first(); i < log.segments.added(); ++i) {
    const AdaptSegment& from = log.segments[i];
    format::LevelSegment& segment = *adapted.add_segments();
    segment.set_segment(static_cast<uint64_t>(from.segment)), segment.set_level(static_cast<uint32_t>(from.level));
    segment.set_live(static_cast<uint32_t>(from.live)), segment.set_mass(from.mass);
    segment.set_residual(from.residual), segment.set_spread(from.spread);
    segment.set_gain(from.gain), segment.set_weight_factor(from.weight_factor), segment.set_least(from.least);
  }
}

int64_t AdaptedHead::Numbers() const {
  return adapter_.Numbers() + (links_ ? adapter_.pool().shape().slots() + static_cast<int64_t>(links_->numbers().size()) : 0);
}

void AdaptedHead::GetNumbers(std::span<double> numbers) const {
  adapter_.GetNumbers(numbers.first(adapter_.Numbers()));
  if (!links_) return;
  const int64_t slots = adapter_.pool().shape().slots();
  std::ranges::copy(state_.own_max().first(slots), numbers.subspan(adapter_.Numbers()).begin());
  std::ranges::copy(links_->numbers(), numbers.subspan(adapter_.Numbers() + slots).begin());
}

// Maxima are finite, links finite and ≥ 0.
bool AdaptedHead::TakeLinks(std::span<const double> numbers) {
  const int64_t slots = adapter_.pool().shape().slots();
  const std::span<const double> maxima = numbers.first(slots), links = numbers.subspan(slots);
  if (!std::ranges::all_of(maxima, [](double max) { return std::abs(max) <= -kNothingSent * 1.001; })) return false;
  if (!std::ranges::all_of(links, [](double weight) { return weight >= 0 && weight < 1e30; })) return false;
  for (int64_t s = 0; s < slots; ++s) state_.PutOwnMax(s, static_cast<float>(maxima[s]));
  links_->Take(links);
  return true;
}

absl::Status AdaptedHead::GoOn(const format::AdaptedSplats& adapted, std::span<const double> numbers) {
  if (absl::Status same = CheckSameLimits(adapter_.limits(), adapted); !same.ok()) return same;
  ReturnSleeping();  // whoever slept when a stream begins: the file says who does now
  const bool first_version = static_cast<int64_t>(numbers.size()) == Numbers() - adapter_.NumbersOfLevels();
  const int64_t own = adapter_.Numbers() - (first_version ? adapter_.NumbersOfLevels() : 0);
  if (!(first_version || static_cast<int64_t>(numbers.size()) == Numbers()) ||
      !adapter_.GoOn(numbers.first(own), static_cast<int64_t>(adapted.segment())) || (links_ && !TakeLinks(numbers.subspan(own))))
    return absl::FailedPreconditionError("the numbers of 'adapt' are none that adaptation leaves; write it again with hsa-run --state-out");
  for (const format::SplatEvent& from : adapted.events())
    adapter_.log().events.Add({static_cast<int64_t>(from.segment()), static_cast<int32_t>(from.level()),
                               static_cast<SplatEvent>(from.what()), from.splat(), from.other(), from.measure(), from.limit()});
  for (const format::LevelSegment& from : adapted.segments())
    adapter_.log().segments.Add({static_cast<int64_t>(from.segment()), static_cast<int32_t>(from.level()),
                                 static_cast<int32_t>(from.live()), from.mass(), from.residual(), from.spread(), from.gain(),
                                 from.weight_factor(), from.least()});
  for (int64_t s = 0; s < adapter_.pool().shape().slots(); ++s)
    if (adapter_.pool().asleep(s)) Sleep(s);
  WriteTables();
  return absl::OkStatus();
}

void AdaptedHead::Halve(int64_t splat, int64_t child) {
  state_.Halve(splat, child);
  if (links_) links_->Halve(splat, child);
}

void AdaptedHead::Join(int64_t splat, int64_t other, double share) {
  state_.Join(splat, other);
  if (links_) links_->Join(splat, other, share);
}

void AdaptedHead::Bear(int64_t splat, int64_t nearest) {
  state_.Clear(splat);
  if (links_ && nearest >= 0) links_->Halve(nearest, splat);
}

void AdaptedHead::Sleep(int64_t splat) {
  sleeping_.Keep(splat, state_);
  if (links_) links_->Touch(splat);
}

void AdaptedHead::Wake(int64_t splat) {
  sleeping_.Return(splat, state_);
  if (links_) links_->Touch(splat);
}

void AdaptedHead::ReturnSleeping() {
  for (int64_t s = 0; s < adapter_.pool().shape().slots(); ++s)
    if (adapter_.pool().asleep(s)) sleeping_.Return(s, state_);
}

void AdaptedHead::EndRun() {
  ReturnSleeping();
  const SplatPool& pool = adapter_.pool();
  for (int64_t s = 0; s < pool.shape().slots(); ++s)
    if (!pool.live(s) && !pool.asleep(s)) state_.Clear(s);
}

void AdaptedHead::WriteTables() {
  const SplatPool& pool = adapter_.pool();
  const bool isotropic = !tables_.isotropic.center.empty();  // all are relative to their mean center, which moves
  for (int level = 0; level < graph_.routed().levels_size(); ++level)
    for (int64_t s = pool.LevelBegin(level); s < pool.LevelEnd(level); ++s)
      if (isotropic || adapter_.changed(s)) pool.live(s) ? WriteRow(s) : EmptyRow(s);
  WriteWeights();
  if (isotropic) WriteProducts();
  if (links_) links_->Write([&](int64_t s) { return s < pool.shape().slots() && pool.live(s); });
}

void AdaptedHead::WriteWeights() {
  const SplatPool& pool = adapter_.pool();
  for (int level = 0; level < graph_.routed().levels_size(); ++level) {
    const double log2_weight = std::log2(graph_.routed().levels(level).weight() * adapter_.of_levels().weight_factor(level));
    log_weights_[level] = static_cast<float>(log2_weight);
    for (int64_t s = pool.LevelBegin(level); s < pool.LevelEnd(level); ++s) {
      if (!pool.live(s)) continue;
      const double log2_amplitude = pool.at(s, SplatPool::kLogAmplitude) * std::numbers::log2e;
      tables_.weight[s] = static_cast<float>(log2_weight + log2_amplitude);
      tables_.amplitude[s] = static_cast<float>(log2_amplitude);
    }
  }
}

void AdaptedHead::WriteRow(int64_t s) {
  const int64_t dim = graph_.head_dim();
  const SplatPool& pool = adapter_.pool();
  float *scale = &tables_.scale[s * tables_.depth], *shift = &tables_.shift[s * tables_.depth];
  ScaleAndShift(dim, ExtentWidth(dim), pool.row(s, SplatPool::kExtent).data(), pool.row(s, SplatPool::kCenter).data(), scale, shift);
  tables_.CopyToPanels(s);
}

// As what fills up a tile.
void AdaptedHead::EmptyRow(int64_t s) {
  tables_.weight[s] = tables_.amplitude[s] = static_cast<float>(kNoSplat);
  for (int64_t d = 0; d < tables_.depth; ++d) tables_.Put(s, d, 0, 0);
}

// Isotropic splats: all of them relative to the mean of those that are there.
void AdaptedHead::WriteProducts() {
  const SplatPool& pool = adapter_.pool();
  const int64_t dim = graph_.head_dim(), slots = pool.shape().slots();
  IsotropicTables& products = tables_.isotropic;
  std::ranges::fill(apart_, 0.0);
  double live = 0;
  for (int64_t s = 0; s < slots; ++s) {
    if (!pool.live(s)) continue;
    for (int64_t d = 0; d < dim; ++d) apart_[d] += pool.row(s, SplatPool::kCenter)[d];
    ++live;
  }
  for (int64_t d = 0; d < dim; ++d) products.center[d] = static_cast<float>(apart_[d] / live);
  for (int64_t s = 0; s < slots; ++s) {
    if (!pool.live(s)) {
      products.Remove(s);
      continue;
    }
    for (int64_t d = 0; d < dim; ++d) apart_[d] = pool.row(s, SplatPool::kCenter)[d] - products.center[d];
    products.Put(s, apart_, ExtentWidth(dim) * pool.row(s, SplatPool::kExtent)[0]);
    // Tokens beyond the limit, whose differences are squared, come relative to c as well.
    for (int64_t d = 0; d < dim; ++d) {
      const float scale = tables_.scale[s * tables_.depth + d];
      tables_.Put(s, d, scale, static_cast<float>(-scale * apart_[d]));
    }
  }
  products.SetLimits();
}

}  // namespace hsa
