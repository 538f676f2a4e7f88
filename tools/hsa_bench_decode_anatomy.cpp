#include "tools/hsa_bench_decode_anatomy.h"

#include <algorithm>
#include <cmath>

namespace hsa::bench {
namespace {

// The exact sum over all keys, with what closed nodes get wrong added to it.
struct Wrong {
  explicit Wrong(const WeightedSum& all) : value(all), mass(all), both(all) {}

  // `truth` and `estimate` over the keys of a node.
  void Add(const WeightedSum& truth, const WeightedSum& estimate) {
    for (WeightedSum* sum : {&value, &mass, &both}) sum->Add(-1, truth);
    both.Add(1, estimate);
    if (estimate.mass > 0) value.Add(truth.mass / estimate.mass, estimate);
    if (truth.mass > 0)
      mass.Add(estimate.mass / truth.mass, truth);
    else
      mass.Add(1, estimate);  // so little that its values are not known
  }

  WeightedSum value, mass, both;
};

AnatomyLevel LevelOf(int64_t tokens, const std::vector<AnatomyRow>& rows, size_t level) {
  AnatomyLevel result{.tokens = tokens};
  double log_mass = 0, squares = 0;
  for (const AnatomyRow& row : rows) {
    const AnatomyRow::Level& part = row.levels[level];
    result.scored += part.scored, result.opened += part.opened, result.mass += part.mass;
    result.value_error += part.value_error * part.value_error;
    result.mass_error += part.mass_error * part.mass_error;
    result.error += part.error * part.error;
    log_mass += part.log_mass, squares += part.log_mass_squares;
  }
  if (result.mass > 0) result.log_mass_mean = log_mass / result.mass, result.log_mass_rms = std::sqrt(squares / result.mass);
  const auto count = static_cast<double>(rows.size());
  for (double* mean : {&result.scored, &result.opened, &result.mass}) *mean /= count;
  for (double* square : {&result.value_error, &result.mass_error, &result.error}) *square = std::sqrt(*square / count);
  return result;
}

double SquaredError(const AnatomyRow& row) { return row.levels.back().error * row.levels.back().error; }

}  // namespace

AnatomyRow Dissect(const DecodeQuery& query, const Estimator& estimator, const Cut& cut, size_t levels) {
  AnatomyRow row{.position = query.visible - 1, .levels = std::vector<AnatomyRow::Level>(levels + 1)};
  std::vector<Wrong> wrong(levels + 1, Wrong(query.all));
  for (size_t level = 0; level < cut.scored.size(); ++level)
    for (AnatomyRow::Level* part : {&row.levels[level], &row.levels.back()})
      part->scored += static_cast<double>(cut.scored[level]), part->opened += static_cast<double>(cut.opened[level]);
  for (const ScoredNode& node : cut.closed) {
    const WeightedSum truth = query.Sum(node.keys()), estimate = estimator.Estimated(node);
    const double share = truth.mass / query.all.mass, log_mass = share > 0 ? std::log(estimate.mass / truth.mass) : 0;
    for (size_t level : {node.get().level, levels}) {
      wrong[level].Add(truth, estimate);
      AnatomyRow::Level& part = row.levels[level];
      part.mass += share, part.log_mass += share * log_mass, part.log_mass_squares += share * log_mass * log_mass;
    }
  }
  for (size_t level = 0; level <= levels; ++level) {
    row.levels[level].value_error = query.Error(wrong[level].value);
    row.levels[level].mass_error = query.Error(wrong[level].mass);
    row.levels[level].error = query.Error(wrong[level].both);
  }
  return row;
}

AnatomyHead AnatomyOf(int64_t head, std::vector<AnatomyRow> rows, const std::vector<int64_t>& level_tokens) {
  AnatomyHead anatomy;
  anatomy.head = head, anatomy.rows = static_cast<int64_t>(rows.size());
  if (rows.empty()) return anatomy;
  for (size_t level = 0; level < level_tokens.size(); ++level) anatomy.levels.push_back(LevelOf(level_tokens[level], rows, level));
  anatomy.all = LevelOf(0, rows, level_tokens.size());

  const auto [least, most] =
      std::minmax_element(rows.begin(), rows.end(), [](const AnatomyRow& a, const AnatomyRow& b) { return a.position < b.position; });
  const int64_t first = least->position, span = most->position - first + 1;
  std::sort(rows.begin(), rows.end(), [](const AnatomyRow& a, const AnatomyRow& b) { return SquaredError(a) > SquaredError(b); });
  const size_t tenth = (rows.size() + 9) / 10;
  double total = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    total += SquaredError(rows[r]);
    if (r < tenth) anatomy.worst_tenth += SquaredError(rows[r]);
    anatomy.thirds[(rows[r].position - first) * 3 / span] += SquaredError(rows[r]);
  }
  if (!(total > 0)) return anatomy;
  anatomy.worst_tenth /= total;
  for (double& third : anatomy.thirds) third /= total;
  return anatomy;
}

}  // namespace hsa::bench
