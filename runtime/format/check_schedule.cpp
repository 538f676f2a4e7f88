#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/tile_shape.h"
#include "runtime/format/plan_checks.h"
#include "runtime/ports.h"

namespace hsa::format {
namespace {

constexpr uint64_t kMaxArenaBytes = uint64_t{1} << 30;
constexpr int64_t kMaxDimension = std::numeric_limits<int32_t>::max();

std::string Quote(const std::string& name) { return absl::StrCat("'", name, "'"); }

// INPUT counts as the widest type it can stand for.
uint64_t ElementBytes(ElementType type) { return type == BF16 || type == F16 ? 2 : 4; }

std::string Describe(const Argument& a) { return absl::StrCat(ElementType_Name(a.type()), "[", absl::StrJoin(a.shape(), "x"), "]"); }

// By division, which cannot overflow. A dimension told at run time fits in no buffer: nobody would check it then.
bool Fits(const Argument& argument, uint64_t bytes) {
  uint64_t elements = bytes / ElementBytes(argument.type());
  for (const int64_t dim : argument.shape()) elements = dim > 0 ? elements / static_cast<uint64_t>(dim) : 0;
  return elements >= 1;
}

absl::Status CheckBuffers(const PlanHeader& header, const Refusal& refuse) {
  if (header.arena_bytes() > kMaxArenaBytes)
    return refuse(1, absl::StrCat("arena_bytes is ", header.arena_bytes(), ", wanted at most ", kMaxArenaBytes));
  if (header.buffers_size() > kMaxBuffers)
    return refuse(28, absl::StrCat("plan has ", header.buffers_size(), " buffers, wanted at most ", kMaxBuffers));
  const uint32_t stages = header.stages_size();
  for (const Buffer& b : header.buffers()) {
    const std::string who = absl::StrCat("buffer ", Quote(b.name()));
    if (b.offset() % 64 != 0) return refuse(17, absl::StrCat(who, " starts at byte ", b.offset(), ", wanted a multiple of 64"));
    if (b.offset() > header.arena_bytes() || b.bytes() > header.arena_bytes() - b.offset())
      return refuse(18, absl::StrCat(who, " has ", b.bytes(), " bytes at byte ", b.offset(), ", wanted inside the arena of ",
                                     header.arena_bytes(), " bytes"));
    if (b.first() > b.last() || b.last() >= stages)
      return refuse(19, absl::StrCat(who, " lives from stage ", b.first(), " to stage ", b.last(), ", wanted first ≤ last < ", stages));
  }
  return absl::OkStatus();
}

// Sorted by offset, a buffer can only meet those that start before it ends.
absl::Status CheckSharing(const PlanHeader& header, const Refusal& refuse) {
  std::vector<const Buffer*> buffers;
  for (const Buffer& b : header.buffers()) buffers.push_back(&b);
  std::sort(buffers.begin(), buffers.end(), [](const Buffer* a, const Buffer* b) { return a->offset() < b->offset(); });
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& a = *buffers[i];
    for (size_t j = i + 1; j < buffers.size() && buffers[j]->offset() - a.offset() < a.bytes(); ++j) {
      const Buffer& b = *buffers[j];
      const bool both_alive = a.first() <= b.last() && b.first() <= a.last();
      if (both_alive && b.bytes() > 0)
        return refuse(32, absl::StrCat("buffers ", Quote(a.name()), " and ", Quote(b.name()), " share bytes from byte ", b.offset(),
                                       " on while both live, wanted bytes of their own"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckScratch(const PlanHeader& header, int stage, const Argument& a, const std::string& who, const Refusal& refuse) {
  if (a.buffer() >= static_cast<uint32_t>(header.buffers_size()))
    return refuse(15, absl::StrCat(who, " is buffer ", a.buffer(), ", wanted less than ", header.buffers_size()));
  const Buffer& b = header.buffers(a.buffer());
  if (!Fits(a, b.bytes()))
    return refuse(30,
                  absl::StrCat(who, " is ", Describe(a), ", wanted what fits in the ", b.bytes(), " bytes of buffer ", Quote(b.name())));
  const auto now = static_cast<uint32_t>(stage);
  if (now < b.first() || now > b.last())
    return refuse(31, absl::StrCat(who, " is buffer ", Quote(b.name()), ", which lives from stage ", b.first(), " to stage ", b.last(),
                                   ", wanted alive in stage ", stage));
  return absl::OkStatus();
}

absl::Status CheckArgument(const PlanHeader& header, int stage, const Argument& a, const std::string& who, const Refusal& refuse) {
  if (!ElementType_IsValid(a.type())) return refuse(27, absl::StrCat(who, " has element type ", a.type(), ", wanted 0..4"));
  if (a.type() == INPUT && !header.stages(stage).typed())
    return refuse(16, absl::StrCat(who, " has the type of the input, wanted a typed stage"));
  if (a.shape_size() > kMaxDimensions)
    return refuse(28, absl::StrCat(who, " has ", a.shape_size(), " dimensions, wanted at most ", kMaxDimensions));
  for (const int64_t dim : a.shape())
    if (dim != -1 && (dim < 1 || dim > kMaxDimension))
      return refuse(29, absl::StrCat(who, " is ", Describe(a), ", wanted dimensions of -1 or 1..", kMaxDimension));
  if (a.port().empty()) return CheckScratch(header, stage, a, who, refuse);
  if (!IsPort(a.port())) return refuse(14, absl::StrCat(who, " is port ", Quote(a.port()), ", wanted one that the runtime knows"));
  return absl::OkStatus();
}

absl::Status CheckStages(const PlanHeader& header, const Refusal& refuse) {
  if (header.stages_size() > kMaxStages)
    return refuse(28, absl::StrCat("plan has ", header.stages_size(), " stages, wanted at most ", kMaxStages));
  std::unordered_set<std::string_view> names;
  for (int i = 0; i < header.stages_size(); ++i) {
    const Stage& s = header.stages(i);
    const std::string who = absl::StrCat("stage ", Quote(s.name()));
    if (s.name().empty()) return refuse(12, absl::StrCat("stage ", i, " has no name, wanted one"));
    if (!names.insert(s.name()).second) return refuse(12, absl::StrCat(who, " is there twice, wanted names that differ"));
    if (!Space_IsValid(s.space()) || s.space() == SPACE_UNSPECIFIED)
      return refuse(27, absl::StrCat(who, " has space ", s.space(), ", wanted ", Space_MIN + 1, "..", Space_MAX));
    if (s.arguments_size() > kMaxArguments)
      return refuse(28, absl::StrCat(who, " has ", s.arguments_size(), " arguments, wanted at most ", kMaxArguments));
    if (s.features_size() > kMaxFeatures)
      return refuse(28, absl::StrCat(who, " has ", s.features_size(), " features, wanted at most ", kMaxFeatures));
    for (const int type : s.inputs())
      if (!s.typed() || s.features_size() == 0 || (type != F32 && type != BF16 && type != F16))
        return refuse(65, absl::StrCat(who, " is for inputs of element type ", type,
                                       ", wanted f32, bf16 or f16 of a typed stage that needs features"));
    for (int j = 0; j < s.arguments_size(); ++j) {
      const std::string argument = absl::StrCat(who, " argument ", j);
      if (absl::Status status = CheckArgument(header, i, s.arguments(j), argument, refuse); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// What the runtime looks for by name once nodes are scored.
absl::Status CheckScored(const PlanHeader& header, const Refusal& refuse) {
  const auto named = [](std::string_view name) { return [name](const auto& what) { return what.name() == name; }; };
  if (std::ranges::none_of(header.stages(), named("score_level"))) return absl::OkStatus();
  const uint64_t least = uint64_t{kSumLanes} * 4 * header.graph().splats().tile_queries();
  const auto closed = std::ranges::find_if(header.buffers(), named("closed_r2"));
  if (closed == header.buffers().end() || closed->bytes() < least)
    return refuse(38, absl::StrCat("stage 'score_level' comes with ", closed == header.buffers().end() ? 0 : closed->bytes(),
                                   " bytes of buffer 'closed_r2', wanted ", least));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSchedule(const PlanHeader& header, const Refusal& refuse) {
  if (absl::Status status = CheckBuffers(header, refuse); !status.ok()) return status;
  if (absl::Status status = CheckSharing(header, refuse); !status.ok()) return status;
  if (absl::Status status = CheckStages(header, refuse); !status.ok()) return status;
  return CheckScored(header, refuse);
}

}  // namespace hsa::format
