#include "runtime/format/check_plan.h"

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/stubs/logging.h"
#include "runtime/format/plan_checks.h"
#include "runtime/format/plan_file.h"

namespace hsa::format {
namespace {

using Bytes = std::span<const std::byte>;

constexpr char kRebuild[] = "; compile the graph again: hsa-compile GRAPH -o FILE";

std::string_view Text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

absl::Status CheckPrefix(Bytes file, const std::string& name) {
  const std::string_view start = Text(file.first(std::min(file.size(), kPlanMagic.size())));
  if (start != kPlanMagic.substr(0, start.size()))
    return absl::DataLossError(absl::StrCat(name, ": starts with \"", absl::CEscape(std::string(start)),
                                            "\", a plan starts with \"HSAPLAN\\n\"; give a file that hsa-compile wrote"));
  if (file.size() < kPlanPrefixBytes)
    return absl::DataLossError(absl::StrCat(name, ": is truncated: ", file.size(), " bytes, a plan starts with ", kPlanPrefixBytes,
                                            "; copy it again or", kRebuild + 1));
  const PlanPrefix prefix = ReadPrefix(file);
  if (prefix.version != kPlanVersion)
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": is plan version ", prefix.version, ", this hsa-run reads ", kPlanVersion, kRebuild));
  if (prefix.header_bytes > kMaxHeaderBytes)
    return absl::DataLossError(
        absl::StrCat(name, ": is damaged: header of ", prefix.header_bytes, " bytes, wanted at most ", kMaxHeaderBytes, kRebuild));
  if (prefix.header_bytes > file.size() - kPlanPrefixBytes)
    return absl::DataLossError(absl::StrCat(name, ": is truncated: ", file.size(), " bytes, its header ends at byte ",
                                            kPlanPrefixBytes + prefix.header_bytes, "; copy it again or", kRebuild + 1));
  if (file.size() > kMaxPlanBytes)
    return absl::DataLossError(absl::StrCat(name, ": is ", file.size(), " bytes, wanted at most ", kMaxPlanBytes, kRebuild));
  return absl::OkStatus();
}

bool ParseHeader(Bytes file, PlanHeader& header) {
  const google::protobuf::LogSilencer silence;  // protobuf would print its own view of a damaged header on standard error
  return header.ParseFromArray(file.data() + kPlanPrefixBytes, static_cast<int>(ReadPrefix(file).header_bytes));
}

// Where the last section ends, according to a header that nobody has checked.
uint64_t SectionsEnd(const PlanHeader& header) {
  const auto end = [](const Section& s) { return std::min(s.offset(), kMaxPlanBytes) + std::min(s.bytes(), kMaxPlanBytes); };
  uint64_t last = end(header.bytecode());
  for (const Variant& variant : header.variants()) last = std::max(last, end(variant.code()));
  return last;
}

// A file cut short has a wrong checksum as well; when its header survived, it tells how long the file was.
absl::Status CheckChecksum(Bytes file, const std::string& name) {
  const uint64_t wanted = ReadPrefix(file).checksum, is = PlanChecksum(file);
  if (is == wanted) return absl::OkStatus();
  PlanHeader header;
  if (ParseHeader(file, header) && SectionsEnd(header) > file.size())
    return absl::DataLossError(absl::StrCat(name, ": is truncated: ", file.size(), " bytes, its sections end at byte ", SectionsEnd(header),
                                            "; copy it again or", kRebuild + 1));
  return absl::DataLossError(absl::StrCat(name, ": is damaged: checksum of its bytes is ", absl::Hex(is, absl::kZeroPad16), ", wanted ",
                                          absl::Hex(wanted, absl::kZeroPad16), "; copy it again or", kRebuild + 1));
}

}  // namespace

absl::StatusOr<PlanHeader> CheckPlan(Bytes file, std::string_view path) {
  const std::string name(path);
  if (absl::Status status = CheckPrefix(file, name); !status.ok()) return status;
  if (absl::Status status = CheckChecksum(file, name); !status.ok()) return status;
  PlanHeader header;
  if (!ParseHeader(file, header))
    return absl::DataLossError(absl::StrCat(name, ": header of ", ReadPrefix(file).header_bytes,
                                            " bytes at byte 24 does not parse, wanted a hsa.format.PlanHeader", kRebuild));
  const Refusal refuse(path);
  if (absl::Status status = CheckText(header, refuse); !status.ok()) return status;
  if (absl::Status status = CheckGraph(header.graph(), refuse); !status.ok()) return status;
  if (absl::Status status = CheckSchedule(header, refuse); !status.ok()) return status;
  const uint64_t sections_begin = kPlanPrefixBytes + ReadPrefix(file).header_bytes;
  if (absl::Status status = CheckCode(header, sections_begin, file.size(), refuse); !status.ok()) return status;
  return header;
}

}  // namespace hsa::format
