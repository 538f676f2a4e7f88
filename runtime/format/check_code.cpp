#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/machine.h"
#include "runtime/format/plan_checks.h"
#include "runtime/format/plan_file.h"

namespace hsa::format {
namespace {

constexpr uint64_t kMaxCodeBytes = uint64_t{64} << 20;

std::string Name(const Variant& v) { return absl::StrCat("variant '", v.name(), "'"); }

absl::Status CheckVariant(const Variant& v, const Refusal& refuse) {
  if (v.triple().empty()) return refuse(33, absl::StrCat(Name(v), " has no triple, wanted one like 'x86_64-unknown-linux-gnu'"));
  const auto* isa = std::find_if(std::begin(kIsas), std::end(kIsas), [&](const Isa& known) { return known.name == v.isa(); });
  if (isa == std::end(kIsas)) return refuse(20, absl::StrCat(Name(v), " has isa '", v.isa(), "', wanted avx512, avx2, sse2 or neon"));
  if (v.triple().substr(0, v.triple().find('-')) != isa->architecture)
    return refuse(20, absl::StrCat(Name(v), " has isa '", v.isa(), "' and triple '", v.triple(), "', wanted a triple of ",
                                   std::string(isa->architecture)));
  if (v.code().bytes() < 1 || v.code().bytes() > kMaxCodeBytes)
    return refuse(21, absl::StrCat(Name(v), " has ", v.code().bytes(), " bytes of code, wanted 1..", kMaxCodeBytes));
  return absl::OkStatus();
}

// The entries that may be called for a stage. Outputs are f32 or bf16, so nothing writes rows_out as f16.
std::vector<std::string> EntriesOf(const Stage& s) {
  if (!s.typed()) return {s.entry()};
  if (s.inputs_size() > 0) {
    std::vector<std::string> entries;
    for (const int type : s.inputs()) entries.push_back(s.entry() + (type == F32 ? ".f32" : type == BF16 ? ".bf16" : ".f16"));
    return entries;
  }
  const auto writes_rows = [](const Argument& a) { return a.port() == "rows_out"; };
  std::vector<std::string> entries = {s.entry() + ".f32", s.entry() + ".bf16"};
  if (std::none_of(s.arguments().begin(), s.arguments().end(), writes_rows)) entries.push_back(s.entry() + ".f16");
  return entries;
}

absl::Status CheckEntries(const PlanHeader& header, const Variant& v, const Refusal& refuse) {
  std::unordered_set<std::string_view> names;
  for (const Entry& e : v.entries()) {
    const std::string who = absl::StrCat(Name(v), " entry '", e.name(), "'");
    if (e.name().empty() || !names.insert(e.name()).second)
      return refuse(22, absl::StrCat(who, e.name().empty() ? " has no name" : " is there twice", ", wanted names that differ"));
    if (e.offset() >= v.code().bytes())
      return refuse(22, absl::StrCat(who, " is at byte ", e.offset(), ", wanted inside its code of ", v.code().bytes(), " bytes"));
  }
  for (const Stage& s : header.stages()) {
    const std::vector<std::string> entries = EntriesOf(s);
    const auto missing = [&](const std::string& entry) { return !names.contains(entry); };
    if (s.features_size() > 0 && std::all_of(entries.begin(), entries.end(), missing)) continue;
    for (const std::string& entry : entries)
      if (missing(entry)) return refuse(13, absl::StrCat(Name(v), " has no entry '", entry, "', wanted one for stage '", s.name(), "'"));
  }
  return absl::OkStatus();
}

struct NamedSection {
  std::string name;
  uint64_t offset, bytes;
};

absl::Status CheckSections(const PlanHeader& header, uint64_t begin, uint64_t file_bytes, const Refusal& refuse) {
  std::vector<NamedSection> sections;
  if (header.has_bytecode()) sections.push_back({"bytecode", header.bytecode().offset(), header.bytecode().bytes()});
  for (const Variant& v : header.variants()) sections.push_back({"code of " + Name(v), v.code().offset(), v.code().bytes()});
  for (const NamedSection& s : sections) {
    if (s.offset % kSectionAlignment != 0)
      return refuse(3, absl::StrCat(s.name, " starts at byte ", s.offset, ", wanted a multiple of ", kSectionAlignment));
    if (s.offset < begin) return refuse(3, absl::StrCat(s.name, " starts at byte ", s.offset, ", wanted behind the header, from ", begin));
    if (s.offset > file_bytes || s.bytes > file_bytes - s.offset)
      return refuse(
          3, absl::StrCat(s.name, " has ", s.bytes, " bytes at byte ", s.offset, ", wanted inside the file of ", file_bytes, " bytes"));
  }
  std::sort(sections.begin(), sections.end(), [](const NamedSection& a, const NamedSection& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < sections.size(); ++i) {
    const NamedSection &a = sections[i - 1], &b = sections[i];
    if (b.offset - a.offset < a.bytes)
      return refuse(3, absl::StrCat(a.name, " and ", b.name, " share bytes from byte ", b.offset, " on, wanted bytes of their own"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCode(const PlanHeader& header, uint64_t sections_begin, uint64_t file_bytes, const Refusal& refuse) {
  if (header.variants().empty()) return refuse(2, "plan has no variant, wanted code for at least one kind of processor");
  if (header.variants_size() > kMaxVariants)
    return refuse(28, absl::StrCat("plan has ", header.variants_size(), " variants, wanted at most ", kMaxVariants));
  std::unordered_set<std::string_view> names;
  for (const Variant& v : header.variants()) {
    if (v.name().empty() || !names.insert(v.name()).second)
      return refuse(33, absl::StrCat(Name(v), v.name().empty() ? " has no name" : " is there twice", ", wanted names that differ"));
    if (absl::Status status = CheckVariant(v, refuse); !status.ok()) return status;
  }
  if (absl::Status status = CheckSections(header, sections_begin, file_bytes, refuse); !status.ok()) return status;
  for (const Variant& v : header.variants())
    if (absl::Status status = CheckEntries(header, v, refuse); !status.ok()) return status;
  return absl::OkStatus();
}

}  // namespace hsa::format
