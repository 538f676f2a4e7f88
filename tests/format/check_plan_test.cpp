#include "runtime/format/check_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "tests/format/small_plan.h"

namespace hsa::format {
namespace {

absl::Status Check(const std::string& file) { return CheckPlan(std::as_bytes(std::span(file)), "p.hsaplan").status(); }

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(CheckPlan, AcceptsTheSmallPlan) {
  EXPECT_TRUE(Check(SmallPlanFile()).ok()) << Check(SmallPlanFile());
  EXPECT_TRUE(Check(RawPlanFile(RawHeader())).ok()) << Check(RawPlanFile(RawHeader()));
}

// Of scheme routed: splats are tensors, and what scheme softmax says of its own is not looked at.
void MakeRouted(PlanHeader& h) {
  h.mutable_graph()->clear_splats();
  Routed& r = *h.mutable_graph()->mutable_routed();
  r.set_center("center");
  r.set_variance("variance");
  for (uint32_t splats : {48, 16}) {
    SplatLevel& level = *r.add_levels();
    level.set_splats(splats);
    level.set_weight(1);
  }
}

// The same with a link up.
Link& AddLink(PlanHeader& h) {
  MakeRouted(h);
  Link& link = *h.mutable_graph()->mutable_routed()->add_links();
  link.set_to(1);
  link.set_weight("up");
  return link;
}

TEST(CheckPlan, AcceptsRouted) {
  PlanHeader h = RawHeader();
  AddLink(h);
  EXPECT_TRUE(Check(RawPlanFile(h)).ok()) << Check(RawPlanFile(h));
}

TEST(CheckPlan, AcceptsWhatTheContractAllows) {
  PlanHeader h = RawHeader();
  h.clear_bytecode();                                 // only inspection needs it
  h.mutable_graph()->mutable_splats()->set_order(0);  // no second-order terms,
  h.mutable_graph()->mutable_splats()->set_bands(0);  // so no bands
  h.mutable_graph()->mutable_mask()->set_sliding_window(4096);
  h.mutable_graph()->set_kv_heads(8);       // no grouping
  h.mutable_graph()->set_query_tokens(7);   // lengths that are fixed,
  h.mutable_graph()->set_key_tokens(1000);  // and differ
  h.mutable_buffers(1)->set_offset(0);      // shares the bytes of "panel" …
  h.mutable_buffers(0)->set_last(0);        // … which is dead by then
  h.mutable_stages(1)->mutable_arguments()->DeleteSubrange(1, 1);
  h.mutable_stages(1)->mutable_arguments(0)->clear_shape();  // a scalar
  EXPECT_TRUE(Check(RawPlanFile(h)).ok()) << Check(RawPlanFile(h));
}

// A stage that needs more of a processor than its variant may be without an entry there.
TEST(CheckPlan, AcceptsNoEntryOfAStageWithFeatures) {
  PlanHeader h = RawHeader();
  h.mutable_stages(1)->set_entry("other");
  h.mutable_stages(1)->add_features("amx-tile");
  EXPECT_TRUE(Check(RawPlanFile(h)).ok()) << Check(RawPlanFile(h));
}

// Or have one for inputs of some types alone.
TEST(CheckPlan, AcceptsEntriesOfTheInputsThatAStageIsFor) {
  PlanHeader h = RawHeader();
  h.mutable_stages(0)->add_features("amx-tile");
  h.mutable_stages(0)->add_inputs(format::BF16);
  for (format::Variant& v : *h.mutable_variants()) v.mutable_entries(0)->set_name("pack.fp8"), v.mutable_entries(2)->set_name("pack.fp4");
  EXPECT_TRUE(Check(RawPlanFile(h)).ok()) << Check(RawPlanFile(h));
}

// Outputs are f32 or bf16.
TEST(CheckPlan, AcceptsNoF16WhereRowsLeave) {
  PlanHeader h = RawHeader();
  h.mutable_stages(0)->mutable_arguments(0)->set_port("rows_out");
  for (Variant& v : *h.mutable_variants()) v.mutable_entries(2)->set_name("another");
  EXPECT_TRUE(Check(RawPlanFile(h)).ok()) << Check(RawPlanFile(h));
}

struct Case {
  const char* name;
  int constraint;
  const char* says;  // part of the message
  std::function<void(PlanHeader&)> break_it;
};

Splats& SplatsOf(PlanHeader& h) { return *h.mutable_graph()->mutable_splats(); }
Section& CodeOf(PlanHeader& h, int variant) { return *h.mutable_variants(variant)->mutable_code(); }
Argument& ArgumentOf(PlanHeader& h, int stage, int argument) { return *h.mutable_stages(stage)->mutable_arguments(argument); }

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

const Case kCases[] = {
    {"c1_arena", 1, "arena_bytes is 1073741825", [](PlanHeader& h) { h.set_arena_bytes((1u << 30) + 1); }},
    {"c2_no_variant", 2, "no variant", [](PlanHeader& h) { h.clear_variants(); }},
    {"c3_unaligned", 3, "starts at byte 16385", [](PlanHeader& h) { CodeOf(h, 0).set_offset(kCode0 + 1); }},
    {"c3_in_header", 3, "behind the header", [](PlanHeader& h) { CodeOf(h, 0).set_offset(64); }},
    {"c3_past_end", 3, "inside the file of 16576 bytes", [](PlanHeader& h) { CodeOf(h, 1).set_offset(kFileBytes + 64); }},
    {"c3_too_long", 3, "inside the file", [](PlanHeader& h) { CodeOf(h, 1).set_bytes(kFileBytes - kCode1 + 1); }},
    {"c3_offset_overflows", 3, "inside the file", [](PlanHeader& h) { CodeOf(h, 1).set_offset(UINT64_MAX - 63); }},
    {"c3_bytes_overflow", 3, "inside the file", [](PlanHeader& h) { h.mutable_bytecode()->set_bytes(UINT64_MAX - 16000); }},
    {"c3_overlap", 3, "share bytes", [](PlanHeader& h) { CodeOf(h, 0).set_bytes(65); }},
    {"c3_same_bytes", 3, "share bytes", [](PlanHeader& h) { CodeOf(h, 1).set_offset(kCode0); }},
    {"c4_empty_name", 4, "graph.value is empty", [](PlanHeader& h) { h.mutable_graph()->set_value(""); }},
    {"c4_same_name", 4, "are both 'q'", [](PlanHeader& h) { h.mutable_graph()->set_output("q"); }},
    {"c5_no_heads", 5, "query_heads is 0", [](PlanHeader& h) { h.mutable_graph()->set_query_heads(0); }},
    {"c5_many_heads", 5, "query_heads is 4098", [](PlanHeader& h) { h.mutable_graph()->set_query_heads(4098); }},
    {"c5_no_kv_heads", 5, "kv_heads is 0", [](PlanHeader& h) { h.mutable_graph()->set_kv_heads(0); }},
    {"c5_not_a_divisor", 5, "kv_heads is 3", [](PlanHeader& h) { h.mutable_graph()->set_kv_heads(3); }},
    {"c6_head_dim", 6, "head_dim is 0", [](PlanHeader& h) { h.mutable_graph()->set_head_dim(0); }},
    {"c6_value_dim", 6, "value_dim is 1025", [](PlanHeader& h) { h.mutable_graph()->set_value_dim(1025); }},
    {"c7_zero", 7, "scale is 0", [](PlanHeader& h) { h.mutable_graph()->set_scale(0); }},
    {"c7_infinite", 7, "scale is inf", [](PlanHeader& h) { h.mutable_graph()->set_scale(kInf); }},
    {"c7_nan", 7, "scale is nan", [](PlanHeader& h) { h.mutable_graph()->set_scale(kNan); }},
    {"c8_window_not_causal", 8, "sliding_window is 512",
     [](PlanHeader& h) {
       h.mutable_graph()->mutable_mask()->set_causal(false);
       h.mutable_graph()->mutable_mask()->set_sliding_window(512);
     }},
    {"c9_leaf", 9, "leaf_tokens 0", [](PlanHeader& h) { SplatsOf(h).set_leaf_tokens(0); }},
    {"c9_mini", 9, "mini_segment_tokens 1000", [](PlanHeader& h) { SplatsOf(h).set_mini_segment_tokens(1000); }},
    {"c9_segment", 9, "segment_tokens 8000", [](PlanHeader& h) { SplatsOf(h).set_segment_tokens(8000); }},
    {"c9_no_splats", 9, "segment_tokens 0", [](PlanHeader& h) { h.mutable_graph()->clear_splats(); }},
    {"c10_order", 10, "order is 1", [](PlanHeader& h) { SplatsOf(h).set_order(1); }},
    {"c11_descending", 11, "[16 64 32 1024 8192]", [](PlanHeader& h) { SplatsOf(h).set_level_tokens(2, 32); }},
    {"c11_twice", 11, "[16 64 64 1024 8192]", [](PlanHeader& h) { SplatsOf(h).set_level_tokens(2, 64); }},
    {"c11_not_a_divisor", 11, "[16 64 200 1024 8192]", [](PlanHeader& h) { SplatsOf(h).set_level_tokens(2, 200); }},
    {"c11_half_a_group", 11, "[16 64 256 1024 2048], wanted each 4, 8 or 16 times the one before",
     [](PlanHeader& h) { SplatsOf(h).set_level_tokens(4, 2048), SplatsOf(h).set_segment_tokens(2048); }},
    {"c11_three_groups", 11, "[16 64 256 1024 12288]",
     [](PlanHeader& h) { SplatsOf(h).set_level_tokens(4, 12288), SplatsOf(h).set_segment_tokens(12288); }},
    {"c11_32_children", 11, "[16 64 256 1024 32768]",
     [](PlanHeader& h) { SplatsOf(h).set_level_tokens(4, 32768), SplatsOf(h).set_segment_tokens(32768); }},
    {"c11_zero", 11, "[0 64 256 1024 8192]", [](PlanHeader& h) { SplatsOf(h).set_level_tokens(0, 0); }},
    {"c12_no_name", 12, "stage 1 has no name", [](PlanHeader& h) { h.mutable_stages(1)->set_name(""); }},
    {"c12_twice", 12, "'pack' is there twice", [](PlanHeader& h) { h.mutable_stages(1)->set_name("pack"); }},
    {"c13_no_entry", 13, "no entry 'other'", [](PlanHeader& h) { h.mutable_stages(1)->set_entry("other"); }},
    {"c13_one_type_missing", 13, "'second' has no entry 'pack.bf16'",
     [](PlanHeader& h) { h.mutable_variants(1)->mutable_entries(1)->set_name("pack.fp8"); }},
    {"c13_no_f16", 13, "'first' has no entry 'pack.f16'",
     [](PlanHeader& h) { h.mutable_variants(0)->mutable_entries(2)->set_name("pack.fp8"); }},
    {"c13_half_a_stage", 13, "'second' has no entry 'pack.bf16'",
     [](PlanHeader& h) {
       h.mutable_stages(0)->add_features("amx-tile");
       h.mutable_variants(1)->mutable_entries(1)->set_name("pack.fp8");
     }},
    {"c13_inputs", 13, "'second' has no entry 'pack.bf16'",
     [](PlanHeader& h) {
       for (const format::ElementType type : {format::F32, format::BF16}) h.mutable_stages(0)->add_inputs(type);
       h.mutable_stages(0)->add_features("amx-tile");
       h.mutable_variants(1)->mutable_entries(1)->set_name("pack.fp8");
     }},
    {"c65_not_typed", 65, "is for inputs of element type 1", [](PlanHeader& h) { h.mutable_stages(1)->add_inputs(format::BF16); }},
    {"c65_no_features", 65, "typed stage that needs features", [](PlanHeader& h) { h.mutable_stages(0)->add_inputs(format::BF16); }},
    {"c65_no_type", 65, "'pack' is for inputs of element type 4", [](PlanHeader& h) { h.mutable_stages(0)->add_inputs(format::INPUT); }},
    {"c13_empty", 13, "no entry ''", [](PlanHeader& h) { h.mutable_stages(1)->set_entry(""); }},
    {"c14_port", 14, "port 'q_row'", [](PlanHeader& h) { ArgumentOf(h, 1, 0).set_port("q_row"); }},
    {"c15_buffer", 15, "is buffer 2, wanted less than 2", [](PlanHeader& h) { ArgumentOf(h, 1, 1).set_buffer(2); }},
    {"c16_input", 16, "wanted a typed stage", [](PlanHeader& h) { ArgumentOf(h, 1, 0).set_type(INPUT); }},
    {"c17_unaligned", 17, "starts at byte 16416", [](PlanHeader& h) { h.mutable_buffers(1)->set_offset(16416); }},
    {"c18_past_arena", 18, "at byte 20544", [](PlanHeader& h) { h.mutable_buffers(1)->set_offset(20544); }},
    {"c18_too_long", 18, "4097 bytes", [](PlanHeader& h) { h.mutable_buffers(1)->set_bytes(4097); }},
    {"c18_overflow", 18, "inside the arena", [](PlanHeader& h) { h.mutable_buffers(1)->set_bytes(UINT64_MAX - 16383); }},
    {"c19_backwards", 19, "from stage 1 to stage 0", [](PlanHeader& h) { h.mutable_buffers(1)->set_last(0); }},
    {"c19_past_end", 19, "to stage 2", [](PlanHeader& h) { h.mutable_buffers(0)->set_last(2); }},
    {"c20_isa", 20, "isa 'avx3'", [](PlanHeader& h) { h.mutable_variants(0)->set_isa("avx3"); }},
    {"c20_isa_of_another", 20, "triple 'riscv64-linux'", [](PlanHeader& h) { h.mutable_variants(0)->set_triple("riscv64-linux"); }},
    {"c21_no_code", 21, "0 bytes of code", [](PlanHeader& h) { CodeOf(h, 0).set_bytes(0); }},
    {"c21_much_code", 21, "67108865 bytes", [](PlanHeader& h) { CodeOf(h, 0).set_bytes((64u << 20) + 1); }},
    {"c22_offset", 22, "inside its code", [](PlanHeader& h) { h.mutable_variants(0)->mutable_entries(3)->set_offset(kStore42.size()); }},
    {"c22_twice", 22, "'attend' is there twice", [](PlanHeader& h) { h.mutable_variants(0)->mutable_entries(0)->set_name("attend"); }},
    {"c22_no_name", 22, "has no name", [](PlanHeader& h) { h.mutable_variants(0)->mutable_entries(0)->set_name(""); }},
    {"c23_leaf", 23, "leaf_tokens is 32", [](PlanHeader& h) { SplatsOf(h).set_leaf_tokens(32); }},
    {"c23_window", 23, "window_tokens is 512", [](PlanHeader& h) { SplatsOf(h).set_window_tokens(512); }},
    {"c23_no_tile", 23, "tile_queries is 0", [](PlanHeader& h) { SplatsOf(h).set_tile_queries(0); }},
    {"c23_narrow_tile", 23, "tile_queries is 8, wanted 16..128", [](PlanHeader& h) { SplatsOf(h).set_tile_queries(8); }},
    {"c23_wide_tile", 23, "tile_queries is 256", [](PlanHeader& h) { SplatsOf(h).set_tile_queries(256); }},
    {"c23_ragged_tile", 23, "tile_queries is 96", [](PlanHeader& h) { SplatsOf(h).set_tile_queries(96); }},
    {"c24_no_levels", 24, "level_tokens is []", [](PlanHeader& h) { SplatsOf(h).clear_level_tokens(); }},
    {"c24_no_leaf", 24, "[64 256 1024 8192]",
     [](PlanHeader& h) { SplatsOf(h).mutable_level_tokens()->erase(SplatsOf(h).level_tokens().begin()); }},
    {"c24_no_mini", 24, "[16 64 512 2048 8192]",
     [](PlanHeader& h) { SplatsOf(h).set_level_tokens(2, 512), SplatsOf(h).set_level_tokens(3, 2048); }},
    {"c24_mini_too_fine", 24, "[16 64 256 1024 8192], wanted leaf_tokens 16 first, mini_segment_tokens 256 and segment_tokens 8192 last",
     [](PlanHeader& h) { SplatsOf(h).set_mini_segment_tokens(256), SplatsOf(h).set_window_tokens(256); }},
    {"c24_mini_is_leaf", 24, "[16 256]",
     [](PlanHeader& h) {
       SplatsOf(h).mutable_level_tokens()->Truncate(2);
       SplatsOf(h).set_level_tokens(1, 256);
       SplatsOf(h).set_mini_segment_tokens(16), SplatsOf(h).set_window_tokens(16), SplatsOf(h).set_tile_queries(16),
           SplatsOf(h).set_segment_tokens(256);
     }},
    {"c24_no_segment", 24, "[16 64 256 1024 4096]", [](PlanHeader& h) { SplatsOf(h).set_level_tokens(4, 4096); }},
    {"c25_zero", 25, "theta is 0", [](PlanHeader& h) { SplatsOf(h).set_theta(0); }},
    {"c25_nan", 25, "theta is nan", [](PlanHeader& h) { SplatsOf(h).set_theta(kNan); }},
    {"c26_window", 26, "sliding_window", [](PlanHeader& h) { h.mutable_graph()->mutable_mask()->set_sliding_window(UINT64_MAX); }},
    {"c26_sinks", 26, "sink_tokens", [](PlanHeader& h) { h.mutable_graph()->mutable_mask()->set_sink_tokens(UINT64_MAX); }},
    {"c26_near_sinks", 26, "near_sink_tokens is 1025", [](PlanHeader& h) { SplatsOf(h).set_near_sink_tokens(1025); }},
    {"c36_tolerance", 36, "tolerance is 1 at 0.95", [](PlanHeader& h) { SplatsOf(h).set_tolerance(1), SplatsOf(h).set_confidence(0.95); }},
    {"c36_no_confidence", 36, "tolerance is 0.1 at 0,", [](PlanHeader& h) { SplatsOf(h).set_tolerance(0.1); }},
    {"c38_no_sums_of_closed_nodes", 38, "buffer 'closed_r2'",
     [](PlanHeader& h) {
       h.add_stages()->set_name("score_level");
       h.mutable_stages(h.stages_size() - 1)->set_space(h.stages(0).space());
     }},
    {"c37_query_order", 37, "query_order is 7", [](PlanHeader& h) { SplatsOf(h).set_query_order(static_cast<QueryOrder>(7)); }},
    {"c26_no_bands", 26, "bands is 0", [](PlanHeader& h) { SplatsOf(h).set_bands(0); }},
    {"c26_many_bands", 26, "bands is 65", [](PlanHeader& h) { SplatsOf(h).set_bands(65); }},
    {"c26_segment", 26, "segment_tokens is 2097152",
     [](PlanHeader& h) {
       SplatsOf(h).set_segment_tokens(1u << 21);
       SplatsOf(h).set_level_tokens(4, 1u << 21);
     }},
    {"c27_no_space", 27, "space 0", [](PlanHeader& h) { h.mutable_stages(0)->set_space(SPACE_UNSPECIFIED); }},
    {"c27_space", 27, "space 99", [](PlanHeader& h) { h.mutable_stages(0)->set_space(static_cast<Space>(99)); }},
    {"c27_type", 27, "element type -1", [](PlanHeader& h) { ArgumentOf(h, 0, 0).set_type(static_cast<ElementType>(-1)); }},
    {"c28_stages", 28, "257 stages",
     [](PlanHeader& h) {
       while (h.stages_size() < 257) *h.add_stages() = h.stages(1);
     }},
    {"c28_arguments", 28, "33 arguments",
     [](PlanHeader& h) {
       while (h.stages(1).arguments_size() < 33) AddArgument(*h.mutable_stages(1), "counts", I32, {1});
     }},
    {"c28_features", 28, "65 features",
     [](PlanHeader& h) {
       while (h.stages(1).features_size() < 65) h.mutable_stages(1)->add_features("amx-tile");
     }},
    {"c28_dimensions", 28, "5 dimensions",
     [](PlanHeader& h) {
       while (h.stages(1).arguments(0).shape_size() < 5) ArgumentOf(h, 1, 0).add_shape(1);
     }},
    {"c28_buffers", 28, "1025 buffers",
     [](PlanHeader& h) {
       while (h.buffers_size() < 1025) h.add_buffers();
     }},
    {"c28_variants", 28, "65 variants",
     [](PlanHeader& h) {
       while (h.variants_size() < 65) h.add_variants();
     }},
    {"c28_levels", 28, "17 levels",
     [](PlanHeader& h) {
       while (SplatsOf(h).level_tokens_size() < 17) SplatsOf(h).add_level_tokens(1);
     }},
    {"c29_zero", 29, "F32[0x64]", [](PlanHeader& h) { ArgumentOf(h, 1, 0).set_shape(0, 0); }},
    {"c29_negative", 29, "F32[-2x64]", [](PlanHeader& h) { ArgumentOf(h, 1, 0).set_shape(0, -2); }},
    {"c29_huge", 29, "F32[2147483648x64]", [](PlanHeader& h) { ArgumentOf(h, 1, 0).set_shape(0, int64_t{1} << 31); }},
    {"c30_one_row_more", 30, "F32[65x64]", [](PlanHeader& h) { ArgumentOf(h, 1, 1).set_shape(0, 65); }},
    {"c30_told_at_run_time", 30, "F32[-1x16]", [](PlanHeader& h) { ArgumentOf(h, 1, 2).set_shape(0, -1); }},
    {"c30_overflow", 30, "wanted what fits",
     [](PlanHeader& h) {  // 2^31-1 to the fourth is 4 modulo 2^32
       ArgumentOf(h, 1, 1).clear_shape();
       for (int i = 0; i < 4; ++i) ArgumentOf(h, 1, 1).add_shape(0x7fffffff);
     }},
    {"c31_not_alive", 31, "wanted alive in stage 0", [](PlanHeader& h) { AddArgument(*h.mutable_stages(0), "", F32, {64, 16}, 1); }},
    {"c32_shared", 32, "'panel' and 'scores' share bytes", [](PlanHeader& h) { h.mutable_buffers(1)->set_offset(16320); }},
    {"c33_no_name", 33, "has no name", [](PlanHeader& h) { h.mutable_variants(1)->set_name(""); }},
    {"c33_twice", 33, "'first' is there twice", [](PlanHeader& h) { h.mutable_variants(1)->set_name("first"); }},
    {"c33_no_triple", 33, "no triple", [](PlanHeader& h) { h.mutable_variants(1)->set_triple(""); }},
    {"c34_line_end", 34, "hsa.format.Stage.name is \"a\\nb\"", [](PlanHeader& h) { h.mutable_stages(0)->set_name("a\nb"); }},
    {"c34_escape", 34, "producer is \"\\033[2J\"", [](PlanHeader& h) { h.set_producer("\x1b[2J"); }},
    {"c34_feature", 34, "features is \"\\177\"", [](PlanHeader& h) { h.mutable_variants(1)->add_features("\x7f"); }},
    {"c35_queries", 35, "query_tokens is 1099511627777, wanted at most 1099511627776",
     [](PlanHeader& h) { h.mutable_graph()->set_query_tokens((uint64_t{1} << 40) + 1); }},
    {"c35_keys", 35, "key_tokens is 18446744073709551615", [](PlanHeader& h) { h.mutable_graph()->set_key_tokens(UINT64_MAX); }},
    {"c35_more_queries", 35, "query_tokens is 9, wanted at most key_tokens 8",
     [](PlanHeader& h) { h.mutable_graph()->set_query_tokens(9), h.mutable_graph()->set_key_tokens(8); }},
    {"c34_long", 34, "257 bytes", [](PlanHeader& h) { h.mutable_graph()->set_name(std::string(257, 'x')); }},
    {"routed_center", 39, "graph.routed.center is '' and variance 'variance', wanted two names", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->clear_center(); }},
    {"routed_variance", 39, "graph.routed.center is 'center' and variance 'center', wanted two names", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_variance("center"); }},
    {"routed_window", 39, "graph.mask.sliding_window is 9 in scheme routed, wanted 0", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_mask()->set_sliding_window(9); }},
    {"routed_empty_band", 60, "graph.routed.bands is 30 of 64 dims, wanted 0, or 2 to 63 of which none is empty", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_bands(30); }},
    {"routed_isotropic_bands", 60, "graph.routed.bands is 8 of 64 dims, isotropic, wanted 0, or 2 to 63 of which none is empty", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_bands(8); h.mutable_graph()->mutable_routed()->set_isotropic(true); }},
    {"routed_rank_alone", 61, "graph.routed has factor '' of rank 4, variance 'variance' and cholesky '', wanted a rank of 1..16 with a factor, and cholesky alone", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_rank(4); }},
    {"routed_many_rows", 61, "graph.routed has factor 'f' of rank 17, variance 'variance' and cholesky '', wanted a rank of 1..16 with a factor, and cholesky alone", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_factor("f"); h.mutable_graph()->mutable_routed()->set_rank(17); }},
    {"routed_two_covariances", 61, "graph.routed has factor '' of rank 0, variance 'variance' and cholesky 'l', wanted a rank of 1..16 with a factor, and cholesky alone", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_cholesky("l"); }},
    {"routed_levels", 40, "graph.routed has 0 levels, wanted 1..16", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->clear_levels(); }},
    {"routed_splats", 40, "graph.routed.levels has 0 splats, wanted 1 or more and at most 65536 together", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->mutable_levels(1)->set_splats(0); }},
    {"routed_names", 62, "graph.routed.levels has two with the name 'x', wanted different ones", [](PlanHeader& h) { MakeRouted(h); for (auto& level : *h.mutable_graph()->mutable_routed()->mutable_levels()) level.set_name("x"); }},
    {"routed_value_dim", 63, "graph.routed.levels keeps 65 value dims, wanted at most 64", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->mutable_levels(1)->set_value_dim(65); }},
    {"routed_value_dim_grows", 63, "graph.routed.levels keeps 64 value dims, wanted at most 32", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->mutable_levels(0)->set_value_dim(32); }},
    {"adapt_limit", 64, "graph.routed.adapt: segment_tokens is 0, wanted a multiple of 256", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_mask()->set_causal(true); h.mutable_graph()->mutable_routed()->mutable_adapt(); }},
    {"adapt_asleep", 64, "graph.routed.adapt: asleep is 2, wanted less than 2, the levels of the graph: one stays awake", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_mask()->set_causal(true); auto& adapt = *h.mutable_graph()->mutable_routed()->mutable_adapt(); adapt.set_segment_tokens(256), adapt.set_least_splats(1), adapt.set_history(1), adapt.set_cover(1), adapt.set_gain(1), adapt.set_asleep(2); }},
    {"window", 90, "graph.routed.window is 500, wanted a multiple of 512", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_window(500); }},
    {"sparse_top", 45, "graph.routed.sparse.top is 0, wanted 1..64", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->mutable_sparse(); }},
    {"sparse_top_many", 45, "graph.routed.sparse.top is 65, wanted 1..64", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->mutable_sparse()->set_top(65); }},
    {"sparse_threshold", 46, "graph.routed.sparse.threshold is 1, wanted less than 1, 0 for none", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->mutable_sparse()->set_top(8); h.mutable_graph()->mutable_routed()->mutable_sparse()->set_threshold(1); }},
    {"routed_weight", 40, "graph.routed.levels has weight -1, wanted a finite number > 0", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->mutable_levels(0)->set_weight(-1); }},
    {"routed_gate", 41, "graph.routed.gate_weight is 'w' and gate_bias '', wanted both or neither", [](PlanHeader& h) { MakeRouted(h); h.mutable_graph()->mutable_routed()->set_gate_weight("w"); }},
    {"routed_link", 42, "graph.routed has a link from level 0 to level 2, wanted two of 2", [](PlanHeader& h) { AddLink(h).set_to(2); }},
    {"routed_link_itself", 42, "graph.routed has a link from level 0 to level 0, wanted two of 2", [](PlanHeader& h) { AddLink(h).set_to(0); }},
    {"routed_links", 42, "graph.routed has 65 links, wanted at most 64", [](PlanHeader& h) { for (AddLink(h); h.graph().routed().links_size() < 65;) h.mutable_graph()->mutable_routed()->add_links(); }},
    {"routed_rank", 43, "graph.routed has a link of rank 3 with weight 'up', expand '' and compress '', wanted a weight for rank 0, and expand and compress for 1..1024", [](PlanHeader& h) { AddLink(h).set_rank(3); }},
    {"routed_no_weight", 43, "graph.routed has a link of rank 0 with weight '', expand '' and compress ''", [](PlanHeader& h) { AddLink(h).clear_weight(); }},
};

class CheckPlanConstraint : public testing::TestWithParam<Case> {};

TEST_P(CheckPlanConstraint, IsRefusedByItsNumber) {
  PlanHeader header = RawHeader();
  GetParam().break_it(header);
  const absl::Status status = Check(RawPlanFile(header));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  const std::string message = Message(status), number = "(plan_c" + std::to_string(GetParam().constraint) + ")";
  EXPECT_NE(message.find(number), std::string::npos) << message;
  EXPECT_NE(message.find(GetParam().says), std::string::npos) << message;
  EXPECT_EQ(message.find("p.hsaplan: "), 0u) << message;
  EXPECT_NE(message.find(", wanted "), std::string::npos) << message;
  EXPECT_NE(message.find("; compile the graph again"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}
INSTANTIATE_TEST_SUITE_P(All, CheckPlanConstraint, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

std::string Text(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(CheckPlan, EveryConstraintHasACaseAndIsDocumented) {
  const std::string page = Text(HSA_SOURCE_DIR "/docs/plan_format.md"), proto = Text(HSA_SOURCE_DIR "/runtime/format/plan.proto");
  for (int constraint = 1; constraint <= 35; ++constraint) {
    EXPECT_TRUE(std::any_of(std::begin(kCases), std::end(kCases), [&](const Case& c) { return c.constraint == constraint; })) << constraint;
    EXPECT_NE(page.find("| plan_c" + std::to_string(constraint) + " |"), std::string::npos) << constraint;
    EXPECT_NE(proto.find("plan_c" + std::to_string(constraint)), std::string::npos) << constraint;  // beside its field
  }
}

TEST(CheckPlan, RefusesEveryTruncation) {
  const std::string file = SmallPlanFile();
  for (size_t bytes = 0; bytes < file.size(); ++bytes) {
    const absl::Status status = Check(file.substr(0, bytes));
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << bytes << ": " << status;
    ASSERT_NE(Message(status).find("truncated: " + std::to_string(bytes) + " bytes"), std::string::npos) << bytes << ": " << status;
  }
}

TEST(CheckPlan, RefusesWhatIsAppended) { EXPECT_NE(Message(Check(SmallPlanFile() + '\0')).find("checksum"), std::string::npos); }

TEST(CheckPlan, RefusesEveryFlippedBit) {
  std::string file = SmallPlanFile();
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
    ASSERT_FALSE(Check(file).ok()) << "bit " << bit;
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
  EXPECT_TRUE(Check(file).ok());
}

// Nothing that survives one changed byte under a right checksum may crash the checker.
TEST(CheckPlan, SurvivesEveryForgedByteOfTheHeader) {
  const std::string file = SmallPlanFile();
  const size_t end = kPlanPrefixBytes + ReadPrefix(std::as_bytes(std::span(file))).header_bytes;
  for (size_t at = 12; at < end; ++at)
    for (int value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::string forged = file;
      forged[at] = static_cast<char>(value);
      if (at < 16 || at >= kPlanPrefixBytes) Seal(forged);
      Check(forged).IgnoreError();
    }
}

TEST(CheckPlan, NamesTheCommandForAnotherVersion) {
  std::string file = SmallPlanFile();
  file[8] = 2;
  const absl::Status status = Check(file);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Message(status), "p.hsaplan: is plan version 2, this hsa-run reads 1; compile the graph again: hsa-compile GRAPH -o FILE");
}

TEST(CheckPlan, SaysWhatAnotherFileStartsWith) {
  EXPECT_NE(Message(Check("\x7f"
                          "ELF\x02\x01\x01 and so on and so on"))
                .find(R"(starts with "\177ELF)"),
            std::string::npos);
  EXPECT_NE(Message(Check("")).find("truncated: 0 bytes"), std::string::npos);
}

TEST(CheckPlan, RefusesAHeaderThatDoesNotParse) {
  std::string file = SmallPlanFile();
  file.replace(kPlanPrefixBytes, 4, "\xff\xff\xff\xff");
  Seal(file);
  EXPECT_NE(Message(Check(file)).find("does not parse"), std::string::npos) << Check(file);
}

TEST(CheckPlan, RefusesAnOversizedHeader) {
  std::string file = SmallPlanFile();
  file.replace(12, 4, "\xff\xff\xff\x7f");
  EXPECT_NE(Message(Check(file)).find("header of 2147483647 bytes"), std::string::npos) << Check(file);
}

}  // namespace
}  // namespace hsa::format
