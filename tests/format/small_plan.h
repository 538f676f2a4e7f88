// A small valid plan: two stages, two buffers, two variants whose only entries store 42 where their first argument points.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "runtime/format/plan.pb.h"
#include "runtime/format/plan_file.h"

namespace hsa::format {

#if defined(__aarch64__)
inline constexpr char kTriple[] = "aarch64-unknown-linux-gnu", kBaseIsa[] = "neon";
inline const std::string kStore42("\x00\x00\x40\xf9\x41\x05\x80\x52\x01\x00\x00\xb9\xc0\x03\x5f\xd6",
                                  16);  // ldr x0,[x0]; mov w1,42; str w1,[x0]; ret
#else
inline constexpr char kTriple[] = "x86_64-unknown-linux-gnu", kBaseIsa[] = "sse2";
inline const std::string kStore42("\x48\x8b\x07\xc7\x00\x2a\x00\x00\x00\xc3", 10);  // mov rax,[rdi]; mov dword [rax],42; ret
#endif

inline constexpr uint64_t kCode0 = 16384, kCode1 = 16448, kBytecode = 16512, kFileBytes = 16576;  // where RawPlanFile puts sections

inline void AddArgument(Stage& stage, std::string_view port, ElementType type, std::initializer_list<int64_t> shape, uint32_t buffer = 0) {
  Argument& a = *stage.add_arguments();
  a.set_port(std::string(port));
  a.set_buffer(buffer);
  a.set_type(type);
  for (int64_t dim : shape) a.add_shape(dim);
}

inline Variant SmallVariant(const std::string& name, const std::string& isa) {
  Variant v;
  v.set_name(name);
  v.set_triple(kTriple);
  v.set_isa(isa);
  v.add_features(isa);
  v.set_tile("4x8");
  for (const char* entry : {"pack.f32", "pack.bf16", "pack.f16", "attend"}) {
    Entry& e = *v.add_entries();
    e.set_name(entry);
    e.set_offset(0);
  }
  return v;
}

inline Graph SmallGraph() {
  Graph g;
  g.set_name("small");
  g.set_query("q");
  g.set_key("k");
  g.set_value("v");
  g.set_output("o");
  g.set_query_heads(8);
  g.set_kv_heads(2);
  g.set_head_dim(64);
  g.set_value_dim(64);
  g.set_scale(0.125);
  g.mutable_mask()->set_causal(true);
  Splats& s = *g.mutable_splats();
  s.set_order(2);
  s.set_theta(0.01);
  s.set_near_sink_tokens(4);
  s.set_window_tokens(1024);
  s.set_tile_queries(64);
  s.set_leaf_tokens(16);
  s.set_mini_segment_tokens(1024);
  s.set_segment_tokens(8192);
  for (uint32_t level : {16, 64, 256, 1024, 8192}) s.add_level_tokens(level);
  s.set_bands(8);
  return g;
}

inline PlanHeader SmallHeader() {
  PlanHeader header;
  header.set_producer("hsa test");
  *header.mutable_graph() = SmallGraph();
  Stage& pack = *header.add_stages();
  pack.set_name("pack");
  pack.set_space(SEGMENT);
  pack.set_entry("pack");
  pack.set_typed(true);
  AddArgument(pack, "k_rows", INPUT, {-1, 64});
  AddArgument(pack, "", F32, {64, 64}, /*buffer=*/0);
  Stage& attend = *header.add_stages();
  attend.set_name("attend");
  attend.set_space(TILE);
  attend.set_entry("attend");
  AddArgument(attend, "q_rows", F32, {64, 64});
  AddArgument(attend, "", F32, {64, 64}, /*buffer=*/0);
  AddArgument(attend, "", F32, {64, 16}, /*buffer=*/1);
  const struct {
    const char* name;
    uint64_t offset, bytes;
    uint32_t first, last;
  } buffers[] = {{"panel", 0, 16384, 0, 1}, {"scores", 16384, 4096, 1, 1}};
  for (const auto& b : buffers) {
    Buffer& buffer = *header.add_buffers();
    buffer.set_name(b.name);
    buffer.set_offset(b.offset);
    buffer.set_bytes(b.bytes);
    buffer.set_first(b.first);
    buffer.set_last(b.last);
  }
  header.set_arena_bytes(20480);
  *header.add_variants() = SmallVariant("first", kBaseIsa);
  *header.add_variants() = SmallVariant("second", kBaseIsa);
  return header;
}

inline PlanSections SmallSections() { return {.bytecode = "ML\xefR not really", .code = {kStore42, kStore42}}; }

inline std::string SmallPlanFile() { return BuildPlanFile(SmallHeader(), SmallSections()); }

// The sections of RawPlanFile, for tests that break them.
inline PlanHeader RawHeader() {
  PlanHeader header = SmallHeader();
  const auto place = [](Section& s, uint64_t offset, uint64_t bytes) {
    s.set_offset(offset);
    s.set_bytes(bytes);
  };
  place(*header.mutable_variants(0)->mutable_code(), kCode0, kStore42.size());
  place(*header.mutable_variants(1)->mutable_code(), kCode1, kStore42.size());
  place(*header.mutable_bytecode(), kBytecode, 64);
  return header;
}

// Makes the checksum right again.
inline void Seal(std::string& file) {
  const uint64_t checksum = PlanChecksum(std::as_bytes(std::span(file)));
  file.replace(16, 8, std::string(reinterpret_cast<const char*>(&checksum), 8));
}

// A sealed file with `header` exactly as it is, right or wrong.
inline std::string RawPlanFile(const PlanHeader& header) {
  const std::string header_bytes = header.SerializeAsString();
  const uint32_t words[] = {kPlanVersion, static_cast<uint32_t>(header_bytes.size())};
  std::string file(kPlanMagic);
  file.append(reinterpret_cast<const char*>(words), sizeof words).append(8, '\0').append(header_bytes);
  file.resize(std::max<size_t>(file.size(), kFileBytes));
  file.replace(kCode0, kStore42.size(), kStore42);
  file.replace(kCode1, kStore42.size(), kStore42);
  Seal(file);
  return file;
}

}  // namespace hsa::format
