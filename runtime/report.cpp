#include "runtime/report.h"

#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string_view>

#include "nlohmann/json.hpp"
#include "runtime/adapt_json.h"

namespace hsa {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no NaN and no infinity: both are null.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json Fractions(const ReadFractions& read) {
  return {{"near_fraction", Number(read.near)},
          {"nodes_fraction", Number(read.nodes)},
          {"leaves_fraction", Number(read.leaves)},
          {"total_fraction", Number(read.total)}};
}

Json Heads(const std::vector<HeadReport>& heads) {
  Json list = Json::array();
  for (const HeadReport& head : heads)
    list.push_back(
        {{"head", head.head}, {"theta", Number(head.theta)}, {"dense_blocks", head.dense_blocks}, {"read", Fractions(head.read)}});
  return list;
}

Json Levels(const std::vector<LevelReport>& levels) {
  Json list = Json::array();
  for (const LevelReport& level : levels)
    list.push_back({{"tokens", level.tokens}, {"scored_fraction", Number(level.scored)}, {"opened_fraction", Number(level.opened)}});
  return list;
}

Json Search(const RunReport& report) {
  const bool sparse = !report.search.levels.empty();
  return {{"levels", report.search.levels},
          {"names", report.search.names},
          {"recall", sparse ? Number(report.search.recall) : Json()},
          {"mass", sparse ? Number(report.search.mass) : Json()},
          {"segments", report.search.segments},
          {"reused", report.search.reused}};
}

Json Refined(const RefineReport& refined) {
  Json levels = Json::array();
  for (const auto& [name, share] : refined.levels) levels.push_back({{"name", name}, {"queries", Number(share)}});
  return {{"asked", Number(refined.asked)}, {"error", Number(refined.error)}, {"audited", refined.audited}, {"levels", levels}};
}

Json Adapted(const RunReport& report) {
  Json list = Json::array();
  for (const AdaptReport& level : report.adapted)
    list.push_back({{"kv_head", level.kv_head},
                    {"level", level.level},
                    {"name", level.name},
                    {"live", level.live},
                    {"born", level.born},
                    {"split", level.split},
                    {"merged", level.merged},
                    {"died", level.died},
                    {"woke", level.woke},
                    {"slept", level.slept},
                    {"awake", Number(level.awake)},
                    {"residual", Number(level.residual)},
                    {"spread", Number(level.spread)},
                    {"least_residual", Number(level.least_residual)},
                    {"gain", Number(level.gain)},
                    {"weight_factor", Number(level.weight_factor)}});
  return {{"what", AdaptName(report.adapt.what)},
          {"asked_by", report.adapt_asked                 ? Json("run")
                       : report.adapt.what == Adapt::kOff ? Json(nullptr)
                                                          : Json("plan")},
          {"limits", report.adapt.what == Adapt::kOff ? Json(nullptr) : AdaptLimitsJson(report.adapt)},
          {"seconds", Number(report.adapt_seconds)},
          {"levels", std::move(list)}};
}

std::string Bytes(double bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1024;
  std::ostringstream text;
  text << std::fixed << std::setprecision(unit == 0 ? 0 : 1) << bytes << ' ' << kUnits[unit];
  return text.str();
}

std::string Percent(double share) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << 100 * share << " %";
  return text.str();
}

std::string Short(double value) {
  std::ostringstream text;
  if (std::abs(value) >= 1000 && std::abs(value) < 1e12)
    text << std::fixed << std::setprecision(0) << value;
  else
    text << std::setprecision(3) << value;
  return text.str();
}

std::string Seconds(const RunReport& report) {
  std::ostringstream text;
  text << Short(report.seconds.total) << " s";
  const std::pair<std::string_view, double> parts[] = {{"index", report.seconds.index},   {"calibrate", report.seconds.calibrate},
                                                       {"near", report.seconds.near},     {"score", report.seconds.score},
                                                       {"leaves", report.seconds.leaves}, {"write", report.seconds.write}};
  std::string_view separator = ": ";
  for (const auto& [name, seconds] : parts) {
    if (seconds <= 0) continue;
    text << separator << name << ' ' << Short(seconds);
    separator = ", ";
  }
  return text.str();
}

std::string Opened(const std::vector<LevelReport>& levels) {
  std::ostringstream text;
  std::string_view separator;
  for (const LevelReport& level : levels) {
    text << separator << Percent(level.opened) << " of the nodes of " << level.tokens;
    separator = ", ";
  }
  return text.str();
}

void Line(std::ostream& out, std::string_view label, const std::string& text) {
  // Built first, so that the flags of the caller's stream stay as they are.
  std::ostringstream line;
  line << std::left << std::setw(10) << label << text << '\n';
  out << line.str();
}

}  // namespace

std::string ToJson(const RunReport& report) {
  const auto& seconds = report.seconds;
  const auto& tolerance = report.tolerance;
  const auto& verified = report.verified;
  const Json json = {{"schema", report.schema},
                     {"variant", report.variant},
                     {"scheme", report.scheme},
                     {"mode", report.mode},
                     {"choice",
                      {{"path", report.choice.path},
                       {"because", report.choice.because},
                       {"visible_keys", Number(report.choice.visible_keys)},
                       {"crossover_keys", report.choice.crossover_keys > 0 ? Number(report.choice.crossover_keys) : Json(nullptr)}}},
                     {"seconds",
                      {{"index", Number(seconds.index)},
                       {"calibrate", Number(seconds.calibrate)},
                       {"near", Number(seconds.near)},
                       {"score", Number(seconds.score)},
                       {"leaves", Number(seconds.leaves)},
                       {"write", Number(seconds.write)},
                       {"total", Number(seconds.total)}}},
                     {"tokens_per_s", Number(report.tokens_per_s)},
                     {"flop", Number(report.flop)},
                     {"bytes_read", report.bytes_read},
                     {"peak_anon_bytes", report.peak_anon_bytes},
                     {"mapped_bytes", report.mapped_bytes},
                     {"read", Fractions(report.read)},
                     {"tolerance",
                      {{"asked", Number(tolerance.asked)},
                       {"confidence", Number(tolerance.confidence)},
                       {"audited", tolerance.audited},
                       {"median", Number(tolerance.median)},
                       {"p95", Number(tolerance.p95)},
                       {"max", Number(tolerance.max)},
                       {"carried", tolerance.carried}}},
                     {"verified",
                      {{"n", verified.n},
                       {"median", Number(verified.median)},
                       {"p90", Number(verified.p90)},
                       {"p95", Number(verified.p95)},
                       {"max", Number(verified.max)},
                       {"coverage", Number(verified.coverage)},
                       {"error_rank", Number(verified.error_rank)}}},
                     {"dense_blocks", report.dense_blocks},
                     {"levels", Levels(report.levels)},
                     {"heads", Heads(report.heads)},
                     {"search", Search(report)},
                     {"refined", Refined(report.refined)},
                     {"adapted", Adapted(report)},
                     {"warnings", report.warnings}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::ostream& operator<<(std::ostream& out, const RunReport& report) {
  Line(out, "scheme", report.scheme);
  Line(out, "mode", report.mode);
  if (report.choice.crossover_keys > 0) Line(out, "path", report.choice.path + ": " + report.choice.because);
  Line(out, "variant", report.variant);
  Line(out, "time", Seconds(report));
  Line(out, "speed",
       Short(report.tokens_per_s) + " tokens/s, " + Short(report.seconds.total > 0 ? report.flop / report.seconds.total / 1e9 : 0) +
           " GFLOP/s");
  Line(out, "memory",
       Bytes(static_cast<double>(report.peak_anon_bytes)) + " at most, and " + Bytes(static_cast<double>(report.mapped_bytes)) +
           " of mapped files; " + Bytes(static_cast<double>(report.bytes_read)) + " read");
  if (report.read.total > 0)
    Line(out, "keys",
         Percent(report.read.total) + " of the visible ones: near " + Percent(report.read.near) + ", nodes " + Percent(report.read.nodes) +
             ", leaves " + Percent(report.read.leaves));
  if (!report.levels.empty()) Line(out, "opened", Opened(report.levels));
  for (const AdaptReport& level : report.adapted)
    Line(out, "adapted",
         "kv_head " + std::to_string(level.kv_head) + " level " + std::to_string(level.level) + " '" + level.name +
             "': " + std::to_string(level.live) + " splats, " + std::to_string(level.born) + " born, " + std::to_string(level.split) +
             " split, " + std::to_string(level.merged) + " merged, " + std::to_string(level.died) + " died; residual " +
             Short(level.residual) + " of " + Short(level.spread));
  if (report.tolerance.asked > 0)
    Line(out, "tolerance",
         Short(report.tolerance.asked) + " at " + Percent(report.tolerance.confidence) +
             (report.tolerance.audited == 0
                  ? ", no query was audited"
                  : ", on " + std::to_string(report.tolerance.audited) + " audited queries: median " + Short(report.tolerance.median) +
                        ", p95 " + Short(report.tolerance.p95) + ", max " + Short(report.tolerance.max)));
  if (report.dense_blocks > 0) Line(out, "dense", std::to_string(report.dense_blocks) + " blocks ran dense");
  if (report.verified.n > 0)
    Line(out, "verified",
         std::to_string(report.verified.n) + " rows, relative L2 to float64: median " + Short(report.verified.median) + ", p90 " +
             Short(report.verified.p90) + ", p95 " + Short(report.verified.p95) + ", max " + Short(report.verified.max) +
             (report.tolerance.asked > 0 ? ", " + Percent(report.verified.coverage) + " within the tolerance" : "") +
             (std::isfinite(report.verified.error_rank) ? ", ranked by error with " + Short(report.verified.error_rank) : ""));
  for (const std::string& warning : report.warnings) Line(out, "warning", warning);
  return out;
}

}  // namespace hsa
