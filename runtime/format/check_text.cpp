#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/format/plan_checks.h"

namespace hsa::format {
namespace {

using google::protobuf::FieldDescriptor;

constexpr size_t kMaxTextBytes = 256;

absl::Status CheckString(const FieldDescriptor& field, const std::string& text, const Refusal& refuse) {
  if (text.size() > kMaxTextBytes)
    return refuse(34, absl::StrCat(field.full_name(), " is ", text.size(), " bytes long, wanted at most ", kMaxTextBytes));
  const bool printable = std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!printable) return refuse(34, absl::StrCat(field.full_name(), " is \"", absl::CEscape(text), "\", wanted no control characters"));
  return absl::OkStatus();
}

}  // namespace

// By reflection, so that a string field added later is not forgotten. The messages of plan.proto do not contain themselves: no deep recursion.
absl::Status CheckText(const google::protobuf::Message& message, const Refusal& refuse) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> present;
  reflection.ListFields(message, &present);
  for (const FieldDescriptor* field : present) {
    const bool is_text = field->type() == FieldDescriptor::TYPE_STRING;
    if (!is_text && field->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      absl::Status status;
      if (is_text) {
        std::string scratch;
        status = CheckString(*field,
                             field->is_repeated() ? reflection.GetRepeatedStringReference(message, field, i, &scratch)
                                                  : reflection.GetStringReference(message, field, &scratch),
                             refuse);
      } else {
        status = CheckText(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i) : reflection.GetMessage(message, field),
                           refuse);
      }
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace hsa::format
