#include "frontend/graph_text.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "frontend/check_graph.h"
#include "frontend/read_file.h"
#include "frontend/spelling.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace hsa::frontend {
namespace {

using google::protobuf::Descriptor;

// The schema is three messages deep; what nests deeper is an attack on the stack.
constexpr int kMaxDepth = 16;

// Fields that the design has and this version has not: better told apart from a slip of the pen.
constexpr std::string_view kLaterFields[] = {"scheme", "budget", "precision", "leaf_tokens"};

// The byte at which protobuf sees (line, column). It counts columns with tabs that jump to multiples of 8; editors and compilers count bytes.
size_t Locate(std::string_view text, int line, int column) {
  size_t offset = 0;
  for (int at = 0; at < line; ++at) {
    const size_t end = text.find('\n', offset);
    if (end == std::string_view::npos) break;
    offset = end + 1;
  }
  for (int reached = 0; reached < column && offset < text.size() && text[offset] != '\n'; ++offset) {
    reached = text[offset] == '\t' ? (reached / 8 + 1) * 8 : reached + 1;
  }
  return offset;
}

// "path:line:col" of a byte.
std::string Print(std::string_view path, std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return absl::StrCat(std::string(path), ":", line, ":", offset - start + 1);
}

// "hsa.frontend.Attention.Mask" → "attention.mask"
std::string SpokenName(const Descriptor& message) {
  std::string name = message.full_name().substr(message.file()->package().size() + 1);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::string UnknownField(const Descriptor& message, const std::string& field) {
  const std::string where = SpokenName(message);
  for (std::string_view later : kLaterFields) {
    if (field == later) return absl::StrCat("field '", field, "' of ", where, " is not in this version; leave it out");
  }
  std::vector<std::string> fields;
  for (int i = 0; i < message.field_count(); ++i) fields.push_back(message.field(i)->name());
  return absl::StrCat("unknown field ", Quoted(field), " in ", where, DidYouMean(field, fields));
}

// Splits `Message type "T" has no field named "F".`, protobuf's words for an unknown field.
struct MissingField {
  const Descriptor* message = nullptr;
  std::string field;
};
std::optional<MissingField> ParseMissingField(std::string_view error) {
  constexpr std::string_view kType = "Message type \"", kField = "\" has no field named \"";
  if (!error.starts_with(kType)) return std::nullopt;
  error.remove_prefix(kType.size());
  const size_t type_end = error.find(kField);
  const size_t field_end = error.rfind('"');
  if (type_end == std::string_view::npos || field_end < type_end + kField.size()) return std::nullopt;
  const Descriptor* message = Graph::descriptor()->file()->pool()->FindMessageTypeByName(std::string(error.substr(0, type_end)));
  if (message == nullptr) return std::nullopt;
  const size_t field = type_end + kField.size();
  return MissingField{message, std::string(error.substr(field, field_end - field))};
}

// Keeps the first error of a parse, as one line.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  FirstError(std::string_view text, std::string_view path) : text_(text), path_(path) {}

  void AddError(int line, int column, const std::string& message) override {
    if (error_.has_value()) return;
    // Protobuf gives line -1 for an error of the text as a whole.
    size_t offset = line < 0 ? 0 : Locate(text_, line, column);
    std::string words;
    if (const std::optional<MissingField> missing = ParseMissingField(message)) {
      // The parser stands behind the field when it complains: step back to its name.
      const size_t name = text_.substr(0, offset).rfind(missing->field);
      if (name != std::string_view::npos) offset = name;
      words = UnknownField(*missing->message, missing->field);
    } else {
      words = OneLine(message);
      if (!words.empty()) words.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(words.front())));
      if (words.ends_with('.')) words.pop_back();
    }
    error_ = absl::StrCat(Print(path_, text_, offset), ": ", words);
  }

  absl::Status status() const { return absl::InvalidArgumentError(error_.value_or(absl::StrCat(path_, ": not a graph"))); }

 private:
  std::string_view text_;
  std::string path_;
  std::optional<std::string> error_;
};

}  // namespace

absl::StatusOr<Graph> ParseGraphText(std::string_view text, std::string_view path) {
  if (text.size() > kMaxGraphTextBytes) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(path), ": graph is ", text.size(), " bytes, at most ", kMaxGraphTextBytes,
                                                   " are read; is this the right file?"));
  }
  FirstError errors(text, path);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.SetRecursionLimit(kMaxDepth);
  Graph graph;
  if (!parser.ParseFromString(std::string(text), &graph)) return errors.status();
  return graph;
}

absl::StatusOr<Graph> LoadGraphText(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxGraphTextBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Graph> graph = ParseGraphText(*text, path);
  if (!graph.ok()) return graph;
  if (absl::Status checked = CheckGraph(*graph); !checked.ok()) {
    return absl::Status(checked.code(), absl::StrCat(path, ": ", std::string(checked.message())));
  }
  return graph;
}

std::string PrintGraphText(const Graph& graph) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(graph, &text);
  return text;
}

}  // namespace hsa::frontend
