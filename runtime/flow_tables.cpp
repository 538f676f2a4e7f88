#include "runtime/flow_tables.h"

#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kernels/affinity.h"
#include "runtime/splat_parameter.h"

namespace hsa {
namespace {

// One factor of a link, every entry finite and ≥ 0, as float64.
struct Factor {
  int64_t rows, columns;
  std::vector<double> entries;

  double at(int64_t row, int64_t column) const { return entries[row * columns + column]; }
};

absl::StatusOr<Factor> ReadFactor(const std::string& name, const TensorView& tensor, int64_t heads, int64_t head, int64_t rows,
                                  int64_t columns) {
  if (absl::Status shape = CheckSplatParameter(name, tensor, heads, rows, columns); !shape.ok()) return shape;
  Factor factor{rows, columns, {}};
  factor.entries.reserve(rows * columns);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      const double entry = EntryOf(tensor, head, row, column);
      if (!std::isfinite(entry) || entry < 0)
        return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "': row ", row, ", column ", column, " of kv_head ", head, " is ",
                                                       entry, ", wanted a finite number >= 0: links only pass on"));
      factor.entries.push_back(entry);
    }
  return factor;
}

Factor Product(const Factor& expand, const Factor& compress) {
  Factor product{expand.rows, compress.columns, std::vector<double>(expand.rows * compress.columns)};
  for (int64_t row = 0; row < expand.rows; ++row)
    for (int64_t r = 0; r < expand.columns; ++r)
      for (int64_t column = 0; column < compress.columns; ++column)
        product.entries[row * compress.columns + column] += expand.at(row, r) * compress.at(r, column);
  return product;
}

// F, tile by tile.
class LinkMatrix {
 public:
  explicit LinkMatrix(int64_t splats) {
    for (int64_t s = 0; s < splats; ++s) At(s, s) = 1;
  }

  double& At(int64_t to, int64_t from) {
    std::vector<double>& tile = tiles_[{to / kSplatTile, from / kSplatTile}];
    tile.resize(int64_t{kSplatTile} * kSplatTile);
    return tile[to % kSplatTile * kSplatTile + from % kSplatTile];
  }

  FlowTables Logarithms() const {
    FlowTables tables;
    for (const auto& [place, tile] : tiles_) {
      tables.index.push_back(static_cast<int32_t>(place.first)), tables.index.push_back(static_cast<int32_t>(place.second));
      for (double entry : tile) tables.tiles.push_back(entry > 0 ? static_cast<float>(std::log2(entry)) : static_cast<float>(kNoLink));
    }
    return tables;
  }

 private:
  std::map<std::pair<int64_t, int64_t>, std::vector<double>> tiles_;
};

}  // namespace

void FlowTables::Bind(Worker& worker) const {
  worker.Bind("flow_tiles", tiles.data(), {count(), kSplatTile, kSplatTile});
  worker.Bind("flow_index", index.data(), {count(), 2});
}

absl::StatusOr<FlowTables> BuildFlowTables(const format::Routed& routed, const std::vector<TensorView>& links, int64_t heads,
                                           int64_t head) {
  if (routed.links().empty()) return FlowTables();
  std::vector<int64_t> first = {0};
  for (const format::SplatLevel& level : routed.levels()) first.push_back(first.back() + level.splats());
  LinkMatrix matrix((first.back() + kSplatTile - 1) / kSplatTile * kSplatTile);
  size_t next = 0;
  const auto read = [&](const std::string& name, int64_t rows, int64_t columns) {
    const TensorView tensor = next < links.size() ? links[next] : TensorView();
    ++next;
    return ReadFactor(name, tensor, heads, head, rows, columns);
  };
  for (const format::Link& link : routed.links()) {
    const int64_t to = routed.levels(static_cast<int>(link.to())).splats(), from = routed.levels(static_cast<int>(link.from())).splats();
    absl::StatusOr<Factor> weight = link.rank() == 0 ? read(link.weight(), to, from) : read(link.expand(), to, link.rank());
    if (!weight.ok()) return weight.status();
    if (link.rank() > 0) {
      const absl::StatusOr<Factor> compress = read(link.compress(), link.rank(), from);
      if (!compress.ok()) return compress.status();
      *weight = Product(*weight, *compress);
    }
    for (int64_t s = 0; s < to; ++s)
      for (int64_t t = 0; t < from; ++t)
        if (weight->at(s, t) > 0) matrix.At(first[link.to()] + s, first[link.from()] + t) += weight->at(s, t);
  }
  return matrix.Logarithms();
}

}  // namespace hsa
