#include "absl/strings/ascii.h"
#include "nlohmann/json.hpp"
#include "runtime/adapt_json.h"
#include "runtime/format/adapt_limits.h"
#include "runtime/format/choose_variant.h"
#include "runtime/format/level_name.h"
#include "runtime/format/plan_file.h"
#include "tools/describe_plan.h"

namespace hsa {
namespace {

using Json = nlohmann::ordered_json;  // names in the order in which they are written here
using format::PlanHeader;

std::string Lower(const std::string& text) { return absl::AsciiStrToLower(text); }

Json AdaptJson(const AdaptLimits& l) {
  Json json = {{"what", AdaptName(l.what)}};
  json.update(AdaptLimitsJson(l));
  return json;
}

Json RoutedJson(const format::Routed& r) {
  Json levels = Json::array();
  for (int level = 0; level < r.levels_size(); ++level)
    levels.push_back({{"name", format::LevelName(r.levels(), level)},
                      {"splats", r.levels(level).splats()},
                      {"weight", r.levels(level).weight()},
                      {"value_dim", r.levels(level).value_dim()}});
  Json links = Json::array();
  for (const format::Link& link : r.links())
    links.push_back({{"from", link.from()},
                     {"to", link.to()},
                     {"rank", link.rank()},
                     {"weight", link.weight()},
                     {"expand", link.expand()},
                     {"compress", link.compress()}});
  return {{"center", r.center()},
          {"variance", r.variance()},
          {"amplitude", r.amplitude()},
          {"isotropic", r.isotropic()},
          {"bands", r.bands()},
          {"factor", r.factor()},
          {"rank", r.rank()},
          {"cholesky", r.cholesky()},
          {"levels", std::move(levels)},
          {"links", std::move(links)},
          {"gate_weight", r.gate_weight()},
          {"gate_bias", r.gate_bias()},
          {"sparse", r.has_sparse() ? Json{{"top", r.sparse().top()}, {"threshold", r.sparse().threshold()}} : Json(nullptr)},
          {"window", r.window()},
          {"adapt", r.has_adapt() ? AdaptJson(AdaptLimitsOf(r.adapt())) : Json(nullptr)}};
}

// Either "splats" or "routed" says of which scheme it is.
Json GraphJson(const format::Graph& g) {
  const format::Splats& s = g.splats();
  Json json = {
      {"name", g.name()},
      {"query", g.query()},
      {"key", g.key()},
      {"value", g.value()},
      {"output", g.output()},
      {"query_heads", g.query_heads()},
      {"kv_heads", g.kv_heads()},
      {"head_dim", g.head_dim()},
      {"value_dim", g.value_dim()},
      {"query_tokens", g.query_tokens()},
      {"key_tokens", g.key_tokens()},
      {"scale", g.scale()},
      {"mask", {{"causal", g.mask().causal()}, {"sliding_window", g.mask().sliding_window()}, {"sink_tokens", g.mask().sink_tokens()}}},
      {"splats",
       {{"order", s.order()},
        {"theta", s.theta()},
        {"near_sink_tokens", s.near_sink_tokens()},
        {"window_tokens", s.window_tokens()},
        {"tile_queries", s.tile_queries()},
        {"leaf_tokens", s.leaf_tokens()},
        {"mini_segment_tokens", s.mini_segment_tokens()},
        {"segment_tokens", s.segment_tokens()},
        {"level_tokens", std::vector<uint32_t>(s.level_tokens().begin(), s.level_tokens().end())},
        {"bands", s.bands()}}}};
  if (g.has_routed()) {
    json.erase("splats");
    json["routed"] = RoutedJson(g.routed());
  }
  return json;
}

Json ArgumentJson(const format::Argument& a, const PlanHeader& header) {
  Json json;
  if (a.port().empty())
    json["buffer"] = header.buffers(a.buffer()).name();
  else
    json["port"] = a.port();
  json["type"] = Lower(ElementType_Name(a.type()));
  json["shape"] = std::vector<int64_t>(a.shape().begin(), a.shape().end());
  return json;
}

Json StagesJson(const PlanHeader& header) {
  Json stages = Json::array();
  for (const format::Stage& s : header.stages()) {
    Json arguments = Json::array();
    for (const format::Argument& a : s.arguments()) arguments.push_back(ArgumentJson(a, header));
    stages.push_back({{"name", s.name()}, {"space", Lower(Space_Name(s.space()))}, {"entry", s.entry()}, {"typed", s.typed()}});
    stages.back()["features"] = s.features();
    stages.back()["arguments"] = std::move(arguments);
  }
  return stages;
}

Json BuffersJson(const PlanHeader& header) {
  Json buffers = Json::array();
  for (const format::Buffer& b : header.buffers())
    buffers.push_back({{"name", b.name()}, {"offset", b.offset()}, {"bytes", b.bytes()}, {"first", b.first()}, {"last", b.last()}});
  return buffers;
}

Json VariantJson(const format::Variant& v) {
  Json entries = Json::object();
  for (const format::Entry& e : v.entries()) entries[e.name()] = e.offset();
  Json json = {{"name", v.name()},
               {"triple", v.triple()},
               {"isa", v.isa()},
               {"tile", v.tile()},
               {"features", std::vector<std::string>(v.features().begin(), v.features().end())},
               {"code_bytes", v.code().bytes()}};
  json["entries"] = std::move(entries);
  json["runs_here"] = format::WhyNot(v).empty();
  return json;
}

// A path may hold bytes that are no UTF-8; they become U+FFFD instead of an exception.
void Print(std::ostream& out, const Json& json) { out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n'; }

}  // namespace

void PrintPlanJson(std::ostream& out, const PlanDescription& plan) {
  const PlanHeader& header = plan.header;
  Json json = {{"file", plan.path}, {"file_bytes", plan.file_bytes}, {"version", format::kPlanVersion}, {"producer", header.producer()}};
  json["graph"] = GraphJson(header.graph());
  json["stages"] = StagesJson(header);
  json["arena_bytes"] = header.arena_bytes();
  json["buffers"] = BuffersJson(header);
  json["variants"] = Json::array();
  for (const format::Variant& v : header.variants()) json["variants"].push_back(VariantJson(v));
  json["bytecode_bytes"] = header.bytecode().bytes();
  const format::Variant* best = format::BestVariant(header);
  json["takes"] = best ? Json(best->name()) : Json(nullptr);
  Print(out, json);
}

}  // namespace hsa
