#include "runtime/adapted_links.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "kernels/affinity.h"

namespace hsa {

AdaptedLinks::AdaptedLinks(const format::Routed& routed, FlowTables& tables) : tables_(tables) {
  std::vector<int64_t> first = {0};
  for (const format::SplatLevel& level : routed.levels()) first.push_back(first.back() + level.splats());
  side_ = (first.back() + kSplatTile - 1) / kSplatTile;
  splats_ = side_ * kSplatTile;
  std::set<std::pair<uint32_t, uint32_t>> pairs;
  for (const format::Link& link : routed.links()) pairs.emplace(link.to(), link.from());
  for (const auto& [to, from] : pairs) {
    blocks_.push_back(
        {first[to], first[from], first[to + 1] - first[to], first[from + 1] - first[from], static_cast<int64_t>(numbers_.size())});
    numbers_.resize(numbers_.size() + blocks_.back().rows * blocks_.back().columns);
  }
  place_.assign(side_ * side_, -1);
  for (int64_t tile = 0; tile < tables_.count(); ++tile)
    place_[tables_.index[2 * tile] * side_ + tables_.index[2 * tile + 1]] = static_cast<int32_t>(tile);
  for (const Block& block : blocks_)
    for (int64_t s = block.to; s < block.to + block.rows; ++s)
      for (int64_t t = block.from; t < block.from + block.columns; ++t) At(block, s, t) = WeightOf(s, t);
  // Every tile of a block, in order.
  std::set<std::pair<int64_t, int64_t>> tiles;
  for (int64_t i = 0; i < side_; ++i) tiles.emplace(i, i);
  for (const Block& block : blocks_)
    for (int64_t row = block.to / kSplatTile; row <= (block.to + block.rows - 1) / kSplatTile; ++row)
      for (int64_t column = block.from / kSplatTile; column <= (block.from + block.columns - 1) / kSplatTile; ++column)
        tiles.emplace(row, column);
  tables_.index.clear();
  for (const auto& [row, column] : tiles) AddTile(row, column);
  tables_.tiles.assign(tables_.count() * kSplatTile * kSplatTile, static_cast<float>(kNoLink));
  changed_.assign(splats_, 1);
  Write([&](int64_t s) { return s < first.back(); });
}

void AdaptedLinks::AddTile(int64_t row, int64_t column) {
  place_[row * side_ + column] = static_cast<int32_t>(tables_.count());
  tables_.index.push_back(static_cast<int32_t>(row)), tables_.index.push_back(static_cast<int32_t>(column));
}

double AdaptedLinks::WeightOf(int64_t to, int64_t from) const {
  const int32_t tile = place_[to / kSplatTile * side_ + from / kSplatTile];
  if (tile < 0) return 0;
  return std::exp2(double{tables_.tiles[(tile * int64_t{kSplatTile} + to % kSplatTile) * kSplatTile + from % kSplatTile]});
}

void AdaptedLinks::Set(int64_t to, int64_t from, double weight) {
  const int64_t tile = place_[to / kSplatTile * side_ + from / kSplatTile];
  tables_.tiles[(tile * kSplatTile + to % kSplatTile) * kSplatTile + from % kSplatTile] =
      static_cast<float>(weight > 0 ? std::log2(weight) : kNoLink);
}

void AdaptedLinks::Write(const std::function<bool(int64_t splat)>& live) {
  for (int64_t s = 0; s < splats_; ++s) Set(s, s, live(s) ? 1 : 0);
  for (const Block& block : blocks_)
    for (int64_t s = block.to; s < block.to + block.rows; ++s)
      for (int64_t t = block.from; t < block.from + block.columns; ++t)
        if (changed_[s] || changed_[t]) Set(s, t, live(s) && live(t) ? At(block, s, t) : 0);
  std::ranges::fill(changed_, 0);
}

void AdaptedLinks::Take(std::span<const double> numbers) {
  std::ranges::copy(numbers, numbers_.begin());
  std::ranges::fill(changed_, 1);
}

// row(block, t): what `splat` gets from t; column(block, s): what it passes on to s.
template <typename Row, typename Column>
void AdaptedLinks::ForEach(int64_t splat, const Row& row, const Column& column) {
  for (const Block& block : blocks_) {
    if (splat >= block.to && splat < block.to + block.rows)
      for (int64_t t = block.from; t < block.from + block.columns; ++t) row(block, t);
    if (splat >= block.from && splat < block.from + block.columns)
      for (int64_t s = block.to; s < block.to + block.rows; ++s) column(block, s);
  }
}

void AdaptedLinks::Halve(int64_t splat, int64_t child) {
  changed_[splat] = changed_[child] = 1;
  ForEach(
      splat, [&](const Block& block, int64_t t) { At(block, child, t) = At(block, splat, t) /= 2; },
      [&](const Block& block, int64_t s) { At(block, s, child) = At(block, s, splat); });
}

void AdaptedLinks::Join(int64_t splat, int64_t other, double share) {
  changed_[splat] = 1;
  ForEach(
      splat, [&](const Block& block, int64_t t) { At(block, splat, t) += At(block, other, t); },
      [&](const Block& block, int64_t s) { At(block, s, splat) = share * At(block, s, splat) + (1 - share) * At(block, s, other); });
  Remove(other);
}

void AdaptedLinks::Remove(int64_t splat) {
  changed_[splat] = 1;
  ForEach(
      splat, [&](const Block& block, int64_t t) { At(block, splat, t) = 0; },
      [&](const Block& block, int64_t s) { At(block, s, splat) = 0; });
}

}  // namespace hsa
