// Which keys, trees and budgets each method of the decode view gets, and what its rows say together.
#include "tools/hsa_bench_decode.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "oneapi/tbb/parallel_for.h"
#include "runtime/element.h"
#include "runtime/run_state.h"
#include "runtime/splat_run.h"
#include "tools/hsa_bench_decode_anatomy.h"
#include "tools/hsa_bench_decode_cut.h"
#include "tools/hsa_bench_decode_groups.h"
#include "tools/hsa_bench_decode_order.h"
#include "tools/hsa_bench_decode_tree.h"

namespace hsa::bench {
namespace {

// Keys [begin, end) of a unit.
struct Span {
  int64_t begin = 0, end = 0;
  auto operator<=>(const Span&) const = default;
};

// Whole segments, then whole mini-segments, that end at or before `far_end`: the units of the index. A part of a mini-segment is left.
std::vector<Span> WholeUnits(const Geometry& g, int64_t far_end) {
  std::vector<Span> units;
  for (const int64_t size : {g.segment, g.mini})
    for (int64_t begin = units.empty() ? 0 : units.back().end; begin + size <= far_end; begin += size)
      units.push_back({begin, begin + size});
  return units;
}

using Trees = std::map<Span, KeyTree>;

// The far keys as the full method sees them for one head in one block.
struct HeadView {
  Reference reference;
  Trees trees;
  std::map<Span, std::vector<TiltSum>> tilts;  // of whole segments
};

struct Row {
  int64_t head = 0;
  std::vector<std::array<double, kDecodeMethods.size()>> errors;  // of each budget
  std::optional<AnatomyRow> anatomy;
};

// All rows of the query heads of one kv_head.
class KvHeadView {
 public:
  KvHeadView(const Plan& plan, const Inputs& inputs, const DecodeOptions& options, const std::vector<int64_t>& group_keys, int64_t kv_head)
      : inputs_(inputs),
        options_(options),
        group_keys_(group_keys),
        kv_head_(kv_head),
        g_(Geometry::Of(plan.graph(), inputs.query.tokens(), inputs.key.tokens())),
        scale_(plan.graph().scale()),
        levels_(plan.graph().splats().level_tokens().begin(), plan.graph().splats().level_tokens().end()),
        program_(plan),
        grams_(program_, g_, inputs.query),
        rows_(inputs.key, inputs.value, kv_head),
        zero_(Reference::Zero(rows_)) {}

  std::vector<Row> Measure() {
    Cluster();
    Order();
    See();
    std::vector<std::vector<Row>> of_query(options_.queries.size());
    tbb::parallel_for(size_t{0}, of_query.size(), [&](size_t i) {
      if (!Cancelled()) of_query[i] = Rows(options_.queries[i]);
    });
    std::vector<Row> rows;
    for (std::vector<Row>& part : of_query) std::move(part.begin(), part.end(), std::back_inserter(rows));
    return rows;
  }

 private:
  int64_t Visible(int64_t query) const { return g_.first_position() + query + 1; }
  int64_t FarEnd(int64_t query) const { return std::max(kDecodeSinks, Visible(query) - kDecodeLast); }
  bool Cancelled() const { return options_.cancelled && options_.cancelled(); }
  std::vector<int32_t> Slots(const Span& unit, int64_t known, Metric metric) {
    return Bisection(program_, g_, rows_, kv_head_, workers_.local(), grams_).Slots(unit.begin, unit.end, known, metric);
  }
  KeyTree Tree(const std::vector<int32_t>& slots, const Reference& reference) const {
    return TreeOf(slots, levels_, g_.bands, rows_, reference);
  }

  // The clusters of each number of keys that a budget asks for.
  void Cluster() {
    const int64_t end = FarEnd(options_.queries.front());
    for (int64_t keys : group_keys_)
      if (keys > 0 && !labels_.contains(keys) && !Cancelled()) labels_[keys] = KmeansLabels(rows_, kDecodeSinks, end, keys, options_.seed);
  }

  // The orders of all whole units, and the trees about the zero reference.
  void Order() {
    units_ = WholeUnits(g_, FarEnd(options_.queries.front()));
    for (int64_t query : options_.queries)
      for (const Span& unit : WholeUnits(g_, FarEnd(query)))
        if (std::find(units_.begin(), units_.end(), unit) == units_.end()) units_.push_back(unit);
    std::mutex lock;  // of both maps
    tbb::parallel_for(size_t{0}, units_.size(), [&](size_t u) {
      KeyTree tree = Tree(Slots(units_[u], units_[u].end, Metric::kPlain), zero_);
      std::vector<int32_t> slots = Slots(units_[u], units_[u].end, Metric::kOfQueries);
      const std::lock_guard held(lock);
      plain_[units_[u]] = std::move(tree);
      slots_[units_[u]] = std::move(slots);
    });
  }

  // The nodes of each head about its reference in each block that has a query.
  void See() {
    const std::vector<Block> blocks = BlocksOf(g_);
    for (int64_t query : options_.queries) {
      const int64_t position = Visible(query) - 1;
      for (const Block& block : blocks)
        if (position >= block.begin && position < block.end) block_of_[query] = &block - blocks.data();
      for (int64_t head = kv_head_ * g_.group(); head < (kv_head_ + 1) * g_.group(); ++head)
        if (const auto [view, first] = views_.try_emplace({head, block_of_[query]}); first)
          See(head, blocks[block_of_[query]], view->second);
    }
  }

  void See(int64_t head, const Block& block, HeadView& view) {
    view.reference = Reference::MeanQuery(inputs_.query, head, std::max<int64_t>(0, block.begin - g_.first_position()),
                                          std::min(g_.queries, block.end - g_.first_position()), rows_, scale_);
    std::mutex lock;  // of both maps of the view
    tbb::parallel_for(size_t{0}, units_.size(), [&](size_t u) {
      KeyTree tree = Tree(slots_.at(units_[u]), view.reference);
      std::vector<TiltSum> tilt;
      if (units_[u].end - units_[u].begin == g_.segment) tilt = TiltSumsOf(tree, levels_.size(), rows_, view.reference);
      const std::lock_guard held(lock);
      view.trees[units_[u]] = std::move(tree);
      if (!tilt.empty()) view.tilts[units_[u]] = std::move(tilt);
    });
  }

  // Whole units, and `rest` of a mini-segment where there is one.
  static std::vector<const KeyTree*> TreesOf(const Trees& trees, const std::vector<Span>& units, const KeyTree& rest) {
    std::vector<const KeyTree*> list;
    for (const Span& unit : units) list.push_back(&trees.at(unit));
    if (!rest.keys.empty()) list.push_back(&rest);
    return list;
  }

  // Of the query heads at one position.
  std::vector<Row> Rows(int64_t query) {
    const int64_t far_end = FarEnd(query);
    const std::vector<Span> units = WholeUnits(g_, far_end);
    const Span rest{units.empty() ? 0 : units.back().end, far_end};
    const KeyTree plain_rest = Tree(Slots(rest, rest.begin, Metric::kPlain), zero_);
    const std::vector<int32_t> rest_slots = Slots(rest, rest.begin, Metric::kOfQueries);
    std::vector<KeyTree> blocks, clusters;
    for (int64_t keys : group_keys_) {
      blocks.push_back(keys > 0 ? BlockTree(rows_, kDecodeSinks, far_end, keys, zero_) : KeyTree{});
      clusters.push_back(keys > 0 && labels_.contains(keys) ? ClusterTree(rows_, kDecodeSinks, far_end, labels_.at(keys), zero_)
                                                            : KeyTree{});
    }
    std::vector<Row> rows;
    for (int64_t head = kv_head_ * g_.group(); head < (kv_head_ + 1) * g_.group(); ++head) {
      const std::optional<DecodeQuery> exact = DecodeQuery::Of(QueryRow(head, query), Visible(query), rows_, scale_);
      if (!exact) continue;
      Row row{.head = head, .errors = std::vector(options_.budgets.size(), NoErrors()), .anatomy = {}};
      for (size_t b = 0; b < options_.budgets.size(); ++b) {
        row.errors[b][kOracle] = exact->ErrorOfTopKeys(std::max<int64_t>(1, Keys(options_.budgets[b], *exact)));
        if (group_keys_[b] == 0) continue;
        AddErrors(*exact, {.trees = {&blocks[b]}, .reference = &zero_}, kBlocks, b, b + 1, row);
        AddErrors(*exact, {.trees = {&clusters[b]}, .reference = &zero_}, kKmeans, b, b + 1, row);
      }
      const std::vector<const KeyTree*> plain = TreesOf(plain_, units, plain_rest);
      AddErrors(*exact, {.trees = plain, .reference = &zero_}, kBisection0, 0, options_.budgets.size(), row);
      AddErrors(*exact, {.trees = plain, .reference = &zero_, .order = 2}, kBisection2, 0, options_.budgets.size(), row);
      AddFull(*exact, head, query, units, rest_slots, row);
      rows.push_back(std::move(row));
    }
    return rows;
  }

  void AddFull(const DecodeQuery& exact, int64_t head, int64_t query, const std::vector<Span>& units,
               const std::vector<int32_t>& rest_slots, Row& row) {
    const HeadView& view = views_.at({head, block_of_.at(query)});
    const KeyTree rest = Tree(rest_slots, view.reference);
    std::vector<const std::vector<TiltSum>*> segments;
    for (const Span& unit : units)
      if (const auto sums = view.tilts.find(unit); sums != view.tilts.end()) segments.push_back(&sums->second);
    const std::vector<std::vector<double>> tilt = TiltOf(segments);
    const Summaries summaries{.trees = TreesOf(view.trees, units, rest), .reference = &view.reference, .order = 2, .tilt = &tilt};
    AddErrors(exact, summaries, kFull, 0, options_.budgets.size(), row);
    const Estimator estimator(exact, summaries);
    if (const std::optional<Cut> cut = estimator.OpenWithin(Keys(kAnatomyBudget, exact)))
      row.anatomy = Dissect(exact, estimator, *cut, levels_.size());
  }

  void AddErrors(const DecodeQuery& exact, const Summaries& summaries, DecodeMethod method, size_t first, size_t end, Row& row) const {
    const Estimator estimator(exact, summaries);
    for (size_t b = first; b < end; ++b)
      if (const std::optional<Cut> cut = estimator.OpenWithin(Keys(options_.budgets[b], exact)))
        row.errors[b][method] = exact.Error(estimator.Sum(*cut));
  }

  static std::array<double, kDecodeMethods.size()> NoErrors() {
    std::array<double, kDecodeMethods.size()> errors;
    errors.fill(std::nan(""));
    return errors;
  }

  static int64_t Keys(double budget, const DecodeQuery& query) { return std::llround(budget * static_cast<double>(query.visible)); }

  std::vector<float> QueryRow(int64_t head, int64_t query) const {
    const TensorView& q = inputs_.query;
    std::vector<float> row;
    for (int64_t c = 0; c < q.dim(); ++c) row.push_back(LoadElement(q.Row(head, query) + c * DTypeBytes(q.dtype), q.dtype));
    return row;
  }

  const Inputs& inputs_;
  const DecodeOptions& options_;
  const std::vector<int64_t>& group_keys_;
  const int64_t kv_head_;
  const Geometry g_;
  const double scale_;
  const std::vector<int64_t> levels_;
  Program program_;
  Workers workers_{[this] { return Worker(program_); }};
  QueryGrams grams_;
  const KeyRows rows_;
  const Reference zero_;
  std::map<int64_t, std::vector<int32_t>> labels_;  // by keys of a centroid
  std::vector<Span> units_;
  Trees plain_;
  std::map<Span, std::vector<int32_t>> slots_;
  std::map<int64_t, int64_t> block_of_;  // of each query
  std::map<std::pair<int64_t, int64_t>, HeadView> views_;
};

DecodeHead HeadOf(int64_t head, const std::vector<Row>& rows, size_t budgets) {
  DecodeHead result{.head = head, .rows = 0, .error = std::vector<std::array<Quantiles, kDecodeMethods.size()>>(budgets)};
  for (const Row& row : rows) result.rows += head == kPooled || row.head == head;
  for (size_t b = 0; b < budgets; ++b)
    for (size_t m = 0; m < kDecodeMethods.size(); ++m) {
      std::vector<double> errors;
      for (const Row& row : rows)
        if (head == kPooled || row.head == head) errors.push_back(row.errors[b][m]);
      result.error[b][m] = Quantiles::Of(std::move(errors));
    }
  return result;
}

AnatomyHead AnatomyOf(int64_t head, const std::vector<Row>& rows, const std::vector<int64_t>& level_tokens) {
  std::vector<AnatomyRow> dissected;
  for (const Row& row : rows)
    if (row.anatomy && (head == kPooled || row.head == head)) dissected.push_back(*row.anatomy);
  return AnatomyOf(head, std::move(dissected), level_tokens);
}

}  // namespace

absl::StatusOr<DecodeView> MeasureDecode(const Plan& plan, const Inputs& inputs, const DecodeOptions& options) {
  DecodeView view;
  view.group_keys = GroupKeys(options.budgets, inputs.key.tokens() - inputs.query.tokens() + options.queries.front() + 1);
  std::vector<Row> rows;
  for (int64_t kv_head = 0; kv_head < inputs.key.heads(); ++kv_head) {
    std::vector<Row> part = KvHeadView(plan, inputs, options, view.group_keys, kv_head).Measure();
    std::move(part.begin(), part.end(), std::back_inserter(rows));
    if (options.cancelled && options.cancelled()) return absl::CancelledError("cancelled, nothing was written");
  }
  const auto& levels = plan.graph().splats().level_tokens();
  const std::vector<int64_t> level_tokens(levels.begin(), levels.end());
  view.pooled = HeadOf(kPooled, rows, options.budgets.size());
  view.anatomy = AnatomyOf(kPooled, rows, level_tokens);
  for (int64_t head = 0; head < inputs.query.heads(); ++head) {
    view.heads.push_back(HeadOf(head, rows, options.budgets.size()));
    view.anatomy_heads.push_back(AnatomyOf(head, rows, level_tokens));
  }
  return view;
}

}  // namespace hsa::bench
