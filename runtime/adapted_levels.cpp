#include "runtime/adapted_levels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hsa {
namespace {

constexpr double kNever = 0x1p60;    // tokens: no stream is so long
constexpr double kMoreLeft = 1.25;   // than when it fell asleep has to be left for a level to wake, or it would do so again and again
constexpr double kNearest = 1e-100;  // ‖x − μ‖² of a token at a center
constexpr double kUnseen = std::numeric_limits<double>::infinity();

}  // namespace

AdaptedLevels::AdaptedLevels(const AdaptLimits& limits, std::span<const int64_t> slots)
    : limits_(limits), numbers_(slots.size() * kNumbers), residuals_(slots.size(), kUnseen) {
  double finer = 0;
  for (int64_t level = 0; level < levels(); ++level) {
    at(level, kAwake) = level < levels() - limits.asleep ? 1 : 0;
    at(level, kDue) = limits.level_tokens > 0 ? static_cast<double>(limits.level_tokens) * finer : kNever;
    at(level, kWorth) = 1;
    finer += static_cast<double>(slots[level]);
  }
}

double AdaptedLevels::weight_factor(int64_t level) const {
  return std::clamp(at(level, kWorth), 1 / limits_.weight_bound, limits_.weight_bound);
}

void AdaptedLevels::AddToken() {
  double least = kUnseen, second = kUnseen, all = 0;
  int64_t best = -1;
  for (int64_t level = 0; level < levels(); ++level) {
    double& residual = residuals_[level];
    residual = std::max(residual, kNearest);
    if (residual < least)
      second = least, least = residual, best = level;
    else
      second = std::min(second, residual);
  }
  if (best < 0) return;
  at(best, kGain) += std::min(1.0, 0.5 * std::log(second / least));
  for (const double residual : residuals_) all += std::sqrt(least / residual);
  for (int64_t level = 0; level < levels(); ++level) {
    at(level, kTokens) += 1, at(level, kLeast) += least;
    at(level, kShares) += std::sqrt(least / residuals_[level]) / all;
  }
  std::ranges::fill(residuals_, kUnseen);
}

double AdaptedLevels::Gain(int64_t level) const { return at(level, kGain) / std::max(1.0, at(level, kTokens)); }

double AdaptedLevels::LeastResidual() const { return at(0, kLeast) / std::max(1.0, at(0, kTokens)); }

int64_t AdaptedLevels::Awake() const {
  int64_t count = 0;
  for (int64_t level = 0; level < levels(); ++level) count += awake(level) ? 1 : 0;
  return count;
}

int64_t AdaptedLevels::NextAwake(int64_t level) const {
  for (int64_t finer = level - 1; finer >= 0; --finer)
    if (awake(finer)) return finer;
  while (!awake(++level)) continue;
  return level;
}

AdaptedLevels::Change AdaptedLevels::EndSegment(double tokens, std::span<const double> shares) {
  const int64_t awake_levels = Awake();
  Change change;
  for (int64_t level = 0; level < levels(); ++level) {
    if (!awake(level) || at(level, kTokens) == 0) continue;
    if (limits_.weight_bound > 1) {
      const double share = at(level, kShares) / at(level, kTokens);
      at(level, kWorth) = limits_.memory * at(level, kWorth) + (1 - limits_.memory) * static_cast<double>(awake_levels) * share;
    }
    at(level, kLow) = Gain(level) < limits_.level_gain ? at(level, kLow) + 1 : 0;
    if (at(level, kLow) < static_cast<double>(limits_.history) || awake_levels < 2) continue;
    if (change.level < 0 || Gain(level) <= change.measure) change = {level, -1, SplatEvent::kSlept, Gain(level), limits_.level_gain};
  }
  if (change.level < 0) return change;
  at(change.level, kAwake) = 0;
  at(change.level, kLeft) = std::max(0.0, shares[NextAwake(change.level)]);
  at(change.level, kDue) = limits_.level_tokens > 0 ? 2 * tokens : kNever;
  for (int64_t level = 0; level < levels(); ++level) at(level, kLow) = 0;  // what the others save is another matter now
  return change;
}

AdaptedLevels::Change AdaptedLevels::Wake(int64_t level, double tokens, std::span<const double> shares) {
  Change change{level, NextAwake(level)};
  const double most_left = std::max(limits_.level_residual, kMoreLeft * at(level, kLeft));
  if (tokens >= at(level, kDue))
    change.why = SplatEvent::kWokeByLength, change.measure = tokens, change.limit = at(level, kDue);
  else if (shares[change.like] > most_left)
    change.why = SplatEvent::kWokeByResidual, change.measure = shares[change.like], change.limit = most_left;
  else
    return {};
  at(level, kAwake) = at(level, kWorth) = 1;
  at(level, kLow) = 0;
  return change;
}

void AdaptedLevels::StartSegment() {
  for (int64_t level = 0; level < levels(); ++level)
    for (const Number sum : {kTokens, kGain, kShares, kLeast}) at(level, sum) = 0;
}

bool AdaptedLevels::AllAwake() {
  for (int64_t level = 0; level < levels(); ++level) at(level, kAwake) = 1;
  return true;
}

bool AdaptedLevels::Take(std::span<const double> numbers) {
  if (numbers.size() != numbers_.size()) return false;
  std::ranges::copy(numbers, numbers_.begin());
  for (int64_t level = 0; level < levels(); ++level)
    for (int which = 0; which < kNumbers; ++which)
      if (const double number = at(level, static_cast<Number>(which)); !(number >= 0) || (which == kAwake && number > 1)) return false;
  return Awake() > 0;
}

}  // namespace hsa
