// The numbers of one file for people.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/hsa_bench_quality.h"

namespace hsa::bench {
namespace {

constexpr size_t kHeadsShown = 4;    // more would not fit
constexpr size_t kHeadsInACell = 3;  // of the decode view

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

// Relative L2 in per cent, two digits in four columns; a dash when there is none.
std::string Cell(double error) {
  if (!std::isfinite(error)) return "   -";
  const double percent = 100 * error;
  return absl::StrFormat("%4.*f", percent < 0.995 ? 2 : percent < 9.95 ? 1 : 0, percent);
}

// A row for each budget, in it `tell(budget, method)` for each method.
template <typename Tell>
std::string DecodeRows(const std::vector<double>& budgets, const Tell& tell) {
  std::string text;
  for (size_t b = 0; b < budgets.size(); ++b) {
    absl::StrAppendFormat(&text, "%6s%% ", absl::StrCat(100 * budgets[b]));
    for (size_t m = 0; m < kDecodeMethods.size(); ++m) absl::StrAppendFormat(&text, "  %14s", tell(b, m));
    text += "\n";
  }
  return text;
}

std::string DecodeTable(const QualityCommand& command, const DecodeView& decode) {
  std::string names = absl::StrFormat("%7s ", "budget");
  for (const DecodeName& method : kDecodeMethods) absl::StrAppendFormat(&names, "  %14s", std::string(method.brief));
  std::string text = absl::StrFormat(
      "\none query at a time, near = %d sinks and the last %d keys: relative L2 in %% for a budget, all heads: median p90 p95\n%s\n",
      kDecodeSinks, kDecodeLast, names);
  text += DecodeRows(command.decode_budgets, [&](size_t b, size_t m) {
    const Quantiles& error = decode.pooled.error[b][m];
    return absl::StrCat(Cell(error.median), " ", Cell(error.p90), " ", Cell(error.p95));
  });
  if (decode.heads.size() < 2 || decode.heads.size() > kHeadsInACell) return text;
  text += absl::StrFormat("p90 of each head\n%s\n", names);
  return text + DecodeRows(command.decode_budgets, [&](size_t b, size_t m) {
           std::vector<std::string> cells;
           for (const DecodeHead& head : decode.heads) cells.push_back(Cell(head.error[b][m].p90));
           return absl::StrJoin(cells, " ");
         });
}

std::string AnatomyRows(const std::string& head, const AnatomyHead& anatomy) {
  std::string text;
  const auto add = [&](const std::string& name, const std::string& level, const AnatomyLevel& of, const std::string& queries) {
    absl::StrAppendFormat(&text, "%4s %6s %9.1f%9.1f %8.1f   %s  %s  %s  %9.2f%7.2f%s\n", name, level, of.scored, of.opened, 100 * of.mass,
                          Cell(of.value_error), Cell(of.mass_error), Cell(of.error), of.log_mass_mean, of.log_mass_rms, queries);
  };
  add(head, "all", anatomy.all,
      absl::StrFormat("   %4.0f  %4.0f %4.0f %4.0f", 100 * anatomy.worst_tenth, 100 * anatomy.thirds[0], 100 * anatomy.thirds[1],
                      100 * anatomy.thirds[2]));
  for (const AnatomyLevel& level : anatomy.levels)
    if (level.scored > 0) add("", absl::StrCat(level.tokens), level, "");
  return text;
}

std::string AnatomyTable(const DecodeView& decode) {
  if (decode.anatomy.rows == 0)
    return absl::StrFormat("\nno anatomy: %g %% of the keys are less than the near keys and the roots\n", 100 * kAnatomyBudget);
  std::string text = absl::StrFormat(
      "\nanatomy of full at %g %%: nodes of a query; closed ones' share of the mass, what they add to the error (root mean\n"
      "square, %%) by their values, masses, both, and their log(estimate / mass); %% of the squared error in the worst tenth\n"
      "of the queries, and by thirds of the positions\n"
      "%4s %6s %9s%9s %8s   %s  %s  %s  %9s%7s   %4s  %s\n",
      100 * kAnatomyBudget, "head", "level", "scored", "opened", "closed %", " val", "mass", "both", "log mean", "rms", "10 %", "thirds");
  text += AnatomyRows("all", decode.anatomy);
  for (size_t h = 0; decode.heads.size() > 1 && decode.heads.size() <= kHeadsShown && h < decode.heads.size(); ++h)
    text += AnatomyRows(absl::StrCat(h), decode.anatomy_heads[h]);
  return text;
}

}  // namespace

std::string QualityText(const QualityCommand& command, const FileQuality& file) {
  const MethodQuality& run = file.by_error.front()[0];
  std::string text = absl::StrFormat("%s: q %s, k %s, v %s, %s; %s\n", file.path, Shape(file.query), Shape(file.key), Shape(file.value),
                                     std::string(DTypeName(file.query.dtype)), run.variant);
  absl::StrAppend(&text, ErrorTable(command, file), BudgetTable(command, file), DecodeTable(command, file.decode),
                  AnatomyTable(file.decode));
  absl::StrAppendFormat(&text,
                        "\n%d rows verified in each run, without those that calibrated it\noracle and single queries: %d rows in the last "
                        "quarter; the oracle "
                        "of runs takes as many keys for each\n",
                        run.pooled.rows, file.oracle.pooled.rows);
  if (file.oracle.heads.size() > kHeadsShown) text += "the heads are in --json and --html\n";
  return text;
}

}  // namespace hsa::bench
