#include "tools/describe_plan.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/format/adapt_limits.h"
#include "runtime/format/choose_variant.h"
#include "runtime/format/level_name.h"
#include "runtime/format/plan_file.h"

namespace hsa {
namespace {

using format::Argument;
using format::Buffer;
using format::Graph;
using format::PlanHeader;
using format::Splats;
using format::Stage;
using format::Variant;

// 202064 → "202,064".
std::string Grouped(uint64_t number) {
  std::string digits = absl::StrCat(number);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, ",");
  return digits;
}

std::string Count(int number, std::string_view thing) { return absl::StrCat(number, " ", std::string(thing), number == 1 ? "" : "s"); }

std::string Lower(const std::string& text) { return absl::AsciiStrToLower(text); }

// Columns as wide as their widest cell; numbers to the right.
using Rows = std::vector<std::vector<std::string>>;
void PrintTable(std::ostream& out, const Rows& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  for (const auto& row : rows) {
    std::string line = " ";
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - row[i].size(), ' ');
      const bool number = !row[i].empty() && absl::ascii_isdigit(row[i].front()) && absl::ascii_isdigit(row[i].back());
      absl::StrAppend(&line, " ", number ? gap + row[i] : row[i] + gap, " ");
    }
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

// "; links 0 > 1 ('up'), 1 > 0 ('e' x 'c'); gate 'w', 'b'"
std::string DescribeFlow(const format::Routed& r) {
  const std::string links = absl::StrJoin(r.links(), ", ", [](std::string* out, const format::Link& link) {
    absl::StrAppend(out, link.from(), " > ", link.to(), " ('", link.rank() == 0 ? link.weight() : link.expand(), "'",
                    link.rank() == 0 ? "" : absl::StrCat(" x '", link.compress(), "'"), ")");
  });
  return absl::StrCat(links.empty() ? "" : absl::StrCat("; links ", links),
                      r.gate_weight().empty() ? "" : absl::StrCat("; gate '", r.gate_weight(), "', '", r.gate_bias(), "'"));
}

// "isotropic", "8-band + rank-4"
std::string DescribeCovariance(const format::Routed& r) {
  if (!r.cholesky().empty()) return "full-covariance";
  const std::string variance = r.isotropic() ? "isotropic" : r.bands() > 0 ? absl::StrCat(r.bands(), "-band") : "diagonal";
  return r.factor().empty() ? variance : absl::StrCat(variance, " + rank-", r.rank());
}

// "; adapts every 4096 tokens"
std::string DescribeAdapt(const format::Routed& r) {
  if (!r.has_adapt()) return "";
  const AdaptLimits limits = AdaptLimitsOf(r.adapt());
  return absl::StrCat(limits.what == Adapt::kObserve ? "; observed every " : "; adapts every ", limits.segment_tokens, " tokens");
}

// "48 token + 16 phrase isotropic splats of 'center', 'variance'"
std::string Describe(const format::Routed& r) {
  std::string levels;
  for (int i = 0; i < r.levels_size(); ++i) {
    const format::SplatLevel& level = r.levels(i);
    absl::StrAppend(&levels, i == 0 ? "" : " + ", level.splats(), " ", format::LevelName(r.levels(), i),
                    level.weight() == 1 ? "" : absl::StrCat(" (weight ", level.weight(), ")"),
                    level.value_dim() == 0 ? "" : absl::StrCat(" (values of ", level.value_dim(), ")"));
  }
  return absl::StrCat(
      levels, " ", DescribeCovariance(r), " splats of '", r.center(), "', '", r.cholesky().empty() ? r.variance() : r.cholesky(), "'",
      r.factor().empty() ? "" : absl::StrCat(", '", r.factor(), "'"), r.amplitude().empty() ? "" : absl::StrCat(", '", r.amplitude(), "'"),
      DescribeFlow(r), r.has_sparse() ? absl::StrCat("; a token keeps ", r.sparse().top(), " of a level") : "",
      r.sparse().threshold() > 0 ? absl::StrCat(" above ", r.sparse().threshold(), " of the largest") : "", DescribeAdapt(r),
      r.window() > 0 ? absl::StrCat("; a token sees a window of ", r.window()) : "");
}

void PrintGraph(std::ostream& out, const Graph& g) {
  const auto tensor = [](const std::string& name, uint32_t heads, const std::string& tokens, uint32_t dim) {
    return absl::StrCat(name, " [", heads, ", ", tokens, ", ", dim, "]");
  };
  const std::string n = g.query_tokens() > 0 ? absl::StrCat(g.query_tokens()) : "N",
                    m = g.key_tokens() > 0 ? absl::StrCat(g.key_tokens()) : "M";
  out << "\ngraph '" << g.name() << "'\n  " << tensor(g.query(), g.query_heads(), n, g.head_dim()) << "  "
      << tensor(g.key(), g.kv_heads(), m, g.head_dim()) << "  " << tensor(g.value(), g.kv_heads(), m, g.value_dim()) << "  ->  "
      << tensor(g.output(), g.query_heads(), n, g.value_dim()) << '\n';
  if (g.has_routed()) {
    out << "  scheme routed" << (g.mask().causal() ? ", causal" : ", not causal") << "\n  " << Describe(g.routed()) << '\n';
    return;
  }
  out << "  scale " << g.scale() << (g.mask().causal() ? ", causal" : ", not causal");
  if (g.mask().sliding_window() > 0)
    out << ", sliding window " << Grouped(g.mask().sliding_window()) << ", sinks " << Grouped(g.mask().sink_tokens());
  const Splats& s = g.splats();
  out << "\n  splats of order " << s.order() << ", theta " << s.theta() << ", bands " << s.bands() << ", near sinks "
      << s.near_sink_tokens() << "\n  tokens: window " << s.window_tokens() << ", tile " << s.tile_queries() << ", mini-segment "
      << s.mini_segment_tokens() << ", segment " << s.segment_tokens() << "; levels " << absl::StrJoin(s.level_tokens(), " ") << '\n';
}

std::string Describe(const Argument& a, const PlanHeader& header) {
  const std::string shape =
      absl::StrJoin(a.shape(), "x", [](std::string* out, int64_t dim) { absl::StrAppend(out, dim < 0 ? "?" : absl::StrCat(dim)); });
  const std::string where = a.port().empty() ? header.buffers(a.buffer()).name() : "@" + a.port();
  return absl::StrCat(where, " ", Lower(ElementType_Name(a.type())), "[", shape, "]");
}

// The arguments of a stage, on as many lines as they need.
void PrintArguments(std::ostream& out, const Stage& stage, const PlanHeader& header) {
  constexpr size_t kLineBytes = 120;
  std::string line;
  for (int i = 0; i < stage.arguments_size(); ++i) {
    const std::string argument = Describe(stage.arguments(i), header) + (i + 1 < stage.arguments_size() ? "," : "");
    if (line.size() + argument.size() > kLineBytes) {
      out << "     " << line << '\n';
      line.clear();
    }
    line += " " + argument;
  }
  if (!line.empty()) out << "     " << line << '\n';
}

// The element types that a typed stage has code for: "{f32,bf16,f16}". Variants have the same ones.
std::string Types(const Stage& stage, const PlanHeader& header) {
  std::vector<std::string> types;
  for (const char* type : {"f32", "bf16", "f16"})
    for (const format::Entry& e : header.variants(0).entries())
      if (e.name() == absl::StrCat(stage.entry(), ".", type)) types.push_back(type);
  return absl::StrCat("{", absl::StrJoin(types, ","), "}");
}

void PrintStages(std::ostream& out, const PlanHeader& header) {
  out << '\n' << Count(header.stages_size(), "stage") << " (@ is a port, the rest are buffers)\n";
  for (int i = 0; i < header.stages_size(); ++i) {
    const Stage& s = header.stages(i);
    out << "  " << i << "  " << s.name() << "  once per " << Lower(Space_Name(s.space())) << ", entry " << s.entry()
        << (s.typed() ? "." + Types(s, header) : "") << (s.features().empty() ? "" : ", needs " + absl::StrJoin(s.features(), " ")) << '\n';
    PrintArguments(out, s, header);
  }
}

// One column per stage: '#' where the buffer lives.
void PrintBuffers(std::ostream& out, const PlanHeader& header) {
  out << '\n' << Count(header.buffers_size(), "buffer") << " in an arena of " << Grouped(header.arena_bytes()) << " bytes\n";
  if (header.buffers().empty()) return;
  Rows rows = {
      {"buffer", "offset", "bytes", header.stages_size() > 1 ? absl::StrCat("stages 0 to ", header.stages_size() - 1) : "stage 0"}};
  for (const Buffer& b : header.buffers()) {
    std::string life(header.stages_size(), '.');
    std::fill(life.begin() + b.first(), life.begin() + b.last() + 1, '#');
    rows.push_back({b.name(), Grouped(b.offset()), Grouped(b.bytes()), life});
  }
  PrintTable(out, rows);
}

void PrintVariants(std::ostream& out, const PlanHeader& header) {
  const Variant* best = format::BestVariant(header);
  out << '\n' << Count(header.variants_size(), "variant") << '\n';
  for (const Variant& v : header.variants()) {
    out << (&v == best ? "  * " : "    ") << v.name() << "  " << v.isa() << ", tile " << (v.tile().empty() ? "?" : v.tile()) << ", "
        << v.triple() << ", " << Grouped(v.code().bytes()) << " bytes of code, "
        << (v.entries_size() == 1 ? "1 entry" : absl::StrCat(v.entries_size(), " entries")) << "\n        needs "
        << (v.features().empty() ? "nothing more" : absl::StrJoin(v.features(), " ")) << '\n';
    if (const std::string why_not = format::WhyNot(v); !why_not.empty()) out << "        not here: " << why_not << '\n';
  }
  out << "\nThis machine, " << format::MachineName() << ", takes " << (best ? "'" + best->name() + "'" : "none of them") << ".\n";
}

}  // namespace

void PrintPlan(std::ostream& out, const PlanDescription& plan) {
  const PlanHeader& header = plan.header;
  out << plan.path << ": plan version " << format::kPlanVersion << ", " << Grouped(plan.file_bytes) << " bytes, "
      << Grouped(header.bytecode().bytes()) << " of them bytecode";
  if (!header.producer().empty()) out << "; written by " << header.producer();
  out << '\n';
  PrintGraph(out, header.graph());
  PrintStages(out, header);
  PrintBuffers(out, header);
  PrintVariants(out, header);
}

}  // namespace hsa
