// All numbers, for programs. Field names are a contract (docs/accuracy.md).
#include <cmath>

#include "nlohmann/json.hpp"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no NaN and no infinity: both are null.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json Errors(const Quantiles& error) { return {{"median", Number(error.median)}, {"p90", Number(error.p90)}, {"p95", Number(error.p95)}}; }

Json OfHead(const HeadQuality& head) {
  return {{"read",
           {{"near_fraction", Number(head.read.near)},
            {"nodes_fraction", Number(head.read.nodes)},
            {"leaves_fraction", Number(head.read.leaves)},
            {"total_fraction", Number(head.read.total)}}},
          {"dense_blocks", head.dense_blocks},
          {"rows", head.rows},
          {"coverage", Number(head.coverage)},
          {"rel_l2", Errors(head.error)}};
}

// What `tell` says of all heads and of each: {"all": …, "heads": [{"head": 0, …}, …]}.
template <typename Head, typename Tell>
Json AllAndHeads(const Head& pooled, const std::vector<Head>& heads, const Tell& tell) {
  Json list = Json::array();
  for (const Head& head : heads) {
    list.push_back({{"head", head.head}});
    list.back().update(tell(head));
  }
  return {{"all", tell(pooled)}, {"heads", list}};
}

Json OfMethod(const MethodQuality& method) {
  if (!method.refused.empty()) return {{"refused", method.refused}};
  Json json = {{"mode", method.mode}, {"seconds", Number(method.seconds)}};
  json.update(AllAndHeads(method.pooled, method.heads, OfHead));
  return json;
}

Json Methods(const std::array<MethodQuality, kMethods.size()>& methods) {
  Json json;
  for (size_t m = 0; m < kMethods.size(); ++m) json[std::string(kMethods[m].name)] = OfMethod(methods[m]);
  return json;
}

// Budgets as they are given to single late queries.
Json DecodePoints(const std::vector<double>& budgets, const DecodeView& decode) {
  Json points = Json::array();
  for (size_t b = 0; b < budgets.size(); ++b) {
    Json point = {{"budget", budgets[b]}, {"group_keys", decode.group_keys[b]}};
    for (size_t m = 0; m < kDecodeMethods.size(); ++m)
      point[std::string(kDecodeMethods[m].name)] = AllAndHeads(decode.pooled, decode.heads, [&](const DecodeHead& head) {
        return Json{{"rows", head.rows}, {"rel_l2", Errors(head.error[b][m])}};
      });
    points.push_back(point);
  }
  return points;
}

Json OfLevel(const AnatomyLevel& level) {
  return {{"level_tokens", level.tokens == 0 ? Json("all") : Json(level.tokens)},
          {"scored", level.scored},
          {"opened", level.opened},
          {"closed_mass", Number(level.mass)},
          {"value_error", Number(level.value_error)},
          {"mass_error", Number(level.mass_error)},
          {"error", Number(level.error)},
          {"log_mass_mean", Number(level.log_mass_mean)},
          {"log_mass_rms", Number(level.log_mass_rms)}};
}

Json OfAnatomy(const AnatomyHead& head) {
  if (head.rows == 0) return {{"rows", 0}};
  Json levels = Json::array({OfLevel(head.all)});
  for (const AnatomyLevel& level : head.levels) levels.push_back(OfLevel(level));
  return {{"rows", head.rows}, {"levels", levels}, {"worst_tenth", Number(head.worst_tenth)}, {"thirds", head.thirds}};
}

Json OfDecode(const QualityCommand& command, const DecodeView& decode) {
  Json anatomy = {{"budget", kAnatomyBudget}};
  anatomy.update(AllAndHeads(decode.anatomy, decode.anatomy_heads, OfAnatomy));
  return {{"near_sinks", kDecodeSinks},
          {"near_last", kDecodeLast},
          {"budgets", DecodePoints(command.decode_budgets, decode)},
          {"anatomy", anatomy}};
}

Json OfFile(const QualityCommand& command, const FileQuality& file) {
  Json errors = Json::array(), budgets = Json::array();
  const Oracle& oracle = file.oracle;
  for (size_t e = 0; e < command.errors.size(); ++e) {
    Json point = {{"error", command.errors[e]}};
    point.update(Methods(file.by_error[e]));
    point["oracle"] = AllAndHeads(oracle.pooled, oracle.heads, [&](const OracleHead& head) {
      return Json{{"rows", head.rows}, {"keys", head.keys[e]}, {"share", Number(head.shares[e])}};
    });
    point["oracle"]["share_by_head"] = Number(oracle.shares_by_head[e]);
    for (size_t m = 0; m < kMethods.size(); ++m) point["ratio_to_oracle"][std::string(kMethods[m].name)] = Number(file.RatioToOracle(e, m));
    errors.push_back(point);
  }
  for (size_t b = 0; b < command.budgets.size(); ++b) {
    Json point = {{"budget", command.budgets[b]}};
    point.update(Methods(file.by_budget[b]));
    point["oracle"] = AllAndHeads(oracle.pooled, oracle.heads,
                                  [&](const OracleHead& head) { return Json{{"rows", head.rows}, {"rel_l2", Errors(head.error[b])}}; });
    budgets.push_back(point);
  }
  return {{"path", file.path},
          {"q", file.query.shape},
          {"k", file.key.shape},
          {"v", file.value.shape},
          {"dtype", std::string(DTypeName(file.query.dtype))},
          {"variant", file.by_error.front()[0].variant},
          {"errors", errors},
          {"budgets", budgets},
          {"decode", OfDecode(command, file.decode)}};
}

}  // namespace

std::string QualityJson(const QualityCommand& command, const QualityReport& report) {
  Json files = Json::array();
  for (const FileQuality& file : report.files) files.push_back(OfFile(command, file));
  const Json json = {{"schema", 1},
                     {"command", command.line},
                     {"cpu", report.cpu},
                     {"date", report.date},
                     {"confidence", kConfidence},
                     {"verify", command.verify},
                     {"last", command.last},
                     {"oracle_queries", command.oracle_queries},
                     {"seed", command.seed},
                     {"files", files}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hsa::bench
