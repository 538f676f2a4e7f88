// The numbers of one file on one screen.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {
namespace {

constexpr size_t kHeadsShown = 4;  // more would not fit

std::string Shape(const TensorView& tensor) { return absl::StrCat("[", absl::StrJoin(tensor.shape, ","), "]"); }

// A share in per cent; a dash when there is none.
std::string Percent(double share) { return std::isfinite(share) ? absl::StrFormat("%7.1f", 100 * share) : "      -"; }
std::string Error(double error) { return std::isfinite(error) ? absl::StrFormat("%8.2g", error) : "       -"; }

std::string ErrorRow(const std::string& error, const std::string& name, const HeadQuality& full, const HeadQuality& plain,
                     const std::string& oracle) {
  const auto read = [](const HeadQuality& head) { return absl::StrCat(Percent(head.read.total), head.dense_blocks > 0 ? "*" : " "); };
  return absl::StrFormat("%6s %5s  %s%s%s%s%s    %s%s   %s\n", error, name, read(full), Percent(full.read.near), Percent(full.read.nodes),
                         Percent(full.read.leaves), Percent(full.coverage), read(plain), Percent(plain.coverage), oracle);
}

std::string ErrorTable(const QualityCommand& command, const FileQuality& file) {
  std::string text = absl::StrFormat(
      "\nkeys read for an error, %% of the visible keys; cover: %% of the verified rows within it, wanted %g\n"
      "              %-44s    %-18s    oracle\n"
      "%6s %5s  %7s %7s%7s%7s%7s    %7s %7s   %7s%9s  %9s\n",
      100 * kConfidence, "order 2, tiles by content", "order 0, position", "error", "head", "read", "near", "nodes", "leaves", "cover",
      "read", "cover", "keys", "by head", "read/it");
  const bool heads = file.oracle.heads.size() > 1 && file.oracle.heads.size() <= kHeadsShown;
  bool dense = false;
  for (size_t e = 0; e < command.errors.size(); ++e) {
    const auto& [full, plain] = file.by_error[e];
    text += ErrorRow(absl::StrCat(command.errors[e]), "all", full.pooled, plain.pooled,
                     absl::StrCat(Percent(file.oracle.pooled.shares[e]), "  ", Percent(file.oracle.shares_by_head[e]),
                                  absl::StrFormat("  %4.1f %4.1f", file.RatioToOracle(e, 0), file.RatioToOracle(e, 1))));
    dense |= full.pooled.dense_blocks + plain.pooled.dense_blocks > 0;
    for (size_t h = 0; heads && h < full.heads.size(); ++h)
      text += ErrorRow("", absl::StrCat(h), full.heads[h], plain.heads[h], Percent(file.oracle.heads[h].shares[e]));
  }
  if (dense) text += "* some blocks were read entirely: no threshold cheaper than that kept the error\n";
  return text;
}

std::string BudgetColumns(const MethodQuality& method) {
  if (!method.refused.empty()) return absl::StrFormat("%-32s", "      -  too few keys");
  const HeadQuality& all = method.pooled;
  return absl::StrCat(Percent(all.read.total), " ", Error(all.error.median), Error(all.error.p90), Error(all.error.p95));
}

std::string BudgetTable(const QualityCommand& command, const FileQuality& file) {
  std::string text = absl::StrFormat(
      "\nrelative L2 for a budget, all heads\n"
      "          %-32s    %-32s    oracle\n"
      "%8s  %7s %8s%8s%8s    %7s %8s%8s%8s    %8s%8s%8s\n",
      "order 2, tiles by content", "order 0, position", "budget", "read", "median", "p90", "p95", "read", "median", "p90", "p95", "median",
      "p90", "p95");
  std::string refused;
  for (size_t b = 0; b < command.budgets.size(); ++b) {
    const Quantiles& oracle = file.oracle.pooled.error[b];
    text += absl::StrFormat("%7s%%  %s    %s    %s%s%s\n", absl::StrCat(100 * command.budgets[b]), BudgetColumns(file.by_budget[b][0]),
                            BudgetColumns(file.by_budget[b][1]), Error(oracle.median), Error(oracle.p90), Error(oracle.p95));
    for (const MethodQuality& method : file.by_budget[b])
      if (refused.empty() && !method.refused.empty()) refused = absl::StrCat("left out: ", method.refused, "\n");
  }
  return text + refused;
}

}  // namespace

std::string QualityText(const QualityCommand& command, const FileQuality& file) {
  const MethodQuality& run = file.by_error.front()[0];
  std::string text = absl::StrFormat("%s: q %s, k %s, v %s, %s; %s\n", file.path, Shape(file.query), Shape(file.key), Shape(file.value),
                                     std::string(DTypeName(file.query.dtype)), run.variant);
  absl::StrAppend(&text, ErrorTable(command, file), BudgetTable(command, file));
  absl::StrAppendFormat(&text,
                        "\n%d rows verified in each run, without those that calibrated it\noracle: the true top keys, as many for each of "
                        "%d rows in the last quarter\n",
                        run.pooled.rows, file.oracle.pooled.rows);
  if (file.oracle.heads.size() > kHeadsShown) text += "the heads are in --json and --html\n";
  return text;
}

}  // namespace hsa::bench
