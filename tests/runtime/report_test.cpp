#include "runtime/report.h"

#include <limits>
#include <sstream>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace hsa {
namespace {

std::vector<std::string> Keys(const nlohmann::ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

RunReport Example() {
  RunReport report;
  report.variant = "avx2 (native)";
  report.mode = "theta 0.01, order 2";
  report.seconds.index = 0.5;
  report.seconds.total = 2;
  report.tokens_per_s = 4096;
  report.flop = 3e9;
  report.peak_anon_bytes = 200 << 20;
  report.read = {0.1, 0.05, 0.02, 0.17};
  report.levels = {{8192, 0.01, 0.5}};
  report.heads = {{0, 0.01, 0, {0.1, 0.05, 0.02, 0.17}}};
  report.adapted = {{.kv_head = 0, .level = 1, .live = 5, .split = 2}};
  report.adapt = {.what = Adapt::kObserve}, report.adapt_asked = true;
  report.warnings = {"say \"why\""};
  return report;
}

TEST(ReportTest, NamesAreTheContract) {
  const auto json = nlohmann::ordered_json::parse(ToJson(Example()));
  using Names = std::vector<std::string>;
  EXPECT_EQ(Keys(json), (Names{"schema",       "variant",    "scheme",          "mode",         "choice",  "seconds",   "tokens_per_s",
                               "flop",         "bytes_read", "peak_anon_bytes", "mapped_bytes", "read",    "tolerance", "verified",
                               "dense_blocks", "levels",     "heads",           "search",       "refined", "adapted",   "warnings"}));
  EXPECT_EQ(Keys(json["choice"]), (Names{"path", "because", "visible_keys", "crossover_keys"}));
  EXPECT_EQ(Keys(json["seconds"]), (Names{"index", "calibrate", "near", "score", "leaves", "write", "total"}));
  EXPECT_EQ(Keys(json["read"]), (Names{"near_fraction", "nodes_fraction", "leaves_fraction", "total_fraction"}));
  EXPECT_EQ(Keys(json["tolerance"]), (Names{"asked", "confidence", "audited", "median", "p95", "max", "carried"}));
  EXPECT_EQ(Keys(json["verified"]), (Names{"n", "median", "p90", "p95", "max", "coverage", "error_rank"}));
  EXPECT_EQ(Keys(json["levels"][0]), (Names{"tokens", "scored_fraction", "opened_fraction"}));
  EXPECT_EQ(Keys(json["heads"][0]), (Names{"head", "theta", "dense_blocks", "read"}));
  EXPECT_EQ(Keys(json["refined"]), (Names{"asked", "error", "audited", "levels"}));
  EXPECT_EQ(Keys(json["search"]), (Names{"levels", "names", "recall", "mass", "segments", "reused"}));
  EXPECT_EQ(Keys(json["adapted"]), (Names{"what", "asked_by", "limits", "seconds", "levels"}));
  EXPECT_EQ(Keys(json["adapted"]["limits"]),
            (Names{"segment_tokens", "most_events", "least_splats", "history", "memory", "cover", "uncovered_share", "idle", "gain",
                   "asleep", "level_tokens", "level_residual", "level_gain", "weight_bound"}));
  EXPECT_EQ(json["adapted"]["what"], "observe");
  EXPECT_EQ(json["adapted"]["asked_by"], "run");
  EXPECT_EQ(Keys(json["adapted"]["levels"][0]), (Names{"kv_head", "level", "name", "live", "born", "split", "merged", "died", "woke",
                                                       "slept", "awake", "residual", "spread", "least_residual", "gain", "weight_factor"}));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["read"]["total_fraction"], 0.17);
  EXPECT_EQ(json["warnings"][0], "say \"why\"");
}

TEST(ReportTest, ListsStayListsWhenTheyAreEmpty) {
  const auto json = nlohmann::json::parse(ToJson(RunReport()));
  EXPECT_EQ(json["levels"], nlohmann::json::array());
  EXPECT_EQ(json["heads"], nlohmann::json::array());
  EXPECT_EQ(json["warnings"], nlohmann::json::array());
  EXPECT_EQ(json["adapted"]["levels"], nlohmann::json::array());
  EXPECT_EQ(json["adapted"]["what"], "off");
  EXPECT_EQ(json["adapted"]["limits"], nullptr);
}

TEST(ReportTest, NumbersThatJsonDoesNotHaveAreNull) {
  RunReport report;
  report.verified.max = std::numeric_limits<double>::infinity();
  report.verified.coverage = std::numeric_limits<double>::quiet_NaN();
  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_TRUE(json["verified"]["max"].is_null());
  EXPECT_TRUE(json["verified"]["coverage"].is_null());
  EXPECT_EQ(json["verified"]["median"], 0);
}

TEST(ReportTest, TextThatIsNotUtf8StaysJson) {
  RunReport report;
  report.variant = "\xff";
  EXPECT_FALSE(nlohmann::json::parse(ToJson(report), nullptr, false).is_discarded());
}

TEST(ReportTest, OneScreenForPeople) {
  std::ostringstream out;
  out << Example();
  const std::string text = out.str();
  EXPECT_NE(text.find("mode      theta 0.01, order 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("time      2 s: index 0.5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("speed     4096 tokens/s, 1.5 GFLOP/s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("200.0 MiB at most"), std::string::npos) << text;
  EXPECT_NE(text.find("17.0 % of the visible ones: near 10.0 %, nodes 5.0 %, leaves 2.0 %\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("verified"), std::string::npos) << text;  // nothing was
  EXPECT_NE(text.find("warning   say \"why\"\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace hsa
