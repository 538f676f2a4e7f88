#include "runtime/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace hsa {
namespace {

constexpr uint64_t kPrefixBytes = 8;               // the header's length, little-endian
constexpr uint64_t kHeaderBytesMax = 100'000'000;  // the limit of the reference implementation
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

constexpr struct {
  std::string_view name;
  int64_t bytes;
} kDTypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
               {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8},     {"F64", 8}, {"C64", 8}};

std::optional<int64_t> ElementBytes(std::string_view dtype) {
  for (const auto& known : kDTypes)
    if (known.name == dtype) return known.bytes;
  return std::nullopt;
}

std::string ShapeName(const std::vector<int64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ","), "]"); }

// Takes the events of the JSON parser. Building no document keeps memory in proportion to the tensors, whatever the header nests, and a key
// that comes twice is seen. A false return stops the parser, error() then says why.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<TensorEntry> tensors;

  const std::string& error() const { return error_; }

  bool start_object(std::size_t) override {
    if (place_ == Place::kFile) return Enter(Place::kNames);
    if (place_ == Place::kTensorValue) return Enter(Place::kFields);
    return Unexpected("an object");
  }
  bool key(std::string& name) override {
    if (place_ == Place::kNames) return StartTensor(name);
    if (in_metadata_) return Enter(Place::kFieldValue);
    field_ = name == "dtype" ? Field::kDType : name == "shape" ? Field::kShape : name == "data_offsets" ? Field::kOffsets : Field::kNone;
    if (field_ == Field::kNone)
      return Fail(absl::StrCat(Where(), " has a field ", QuoteName(name), ", wanted dtype, shape and data_offsets"));
    if (seen_[Index()]) return Fail(absl::StrCat(Where(), " has two fields ", QuoteName(name)));
    seen_[Index()] = true;
    return Enter(Place::kFieldValue);
  }
  bool end_object() override {
    if (place_ == Place::kNames) return Enter(Place::kDone);
    if (!in_metadata_) {
      for (bool seen : seen_)
        if (!seen) return Fail(absl::StrCat(Where(), " lacks a field, wanted dtype, shape and data_offsets"));
      if (offsets_.size() != 2) return Fail(absl::StrCat(Where(), " has ", offsets_.size(), " data_offsets, wanted 2: begin and end"));
      tensors.back().begin = offsets_[0];
      tensors.back().end = offsets_[1];
    }
    return Enter(Place::kNames);
  }
  bool start_array(std::size_t) override {
    if (place_ != Place::kFieldValue || in_metadata_ || field_ == Field::kDType) return Unexpected("a list");
    return Enter(Place::kNumbers);
  }
  bool end_array() override { return Enter(Place::kFields); }
  bool string(std::string& value) override {
    if (place_ != Place::kFieldValue || !(in_metadata_ || field_ == Field::kDType)) return Unexpected("a string");
    if (!in_metadata_) tensors.back().dtype = value;
    return Enter(Place::kFields);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kNumbers) return Unexpected("a number");
    if (value > static_cast<uint64_t>(kMax))
      return Fail(absl::StrCat(Where(), " has ", value, " in ", FieldName(), ", wanted less than 2^63"));
    (field_ == Field::kShape ? tensors.back().shape : offsets_).push_back(static_cast<int64_t>(value));
    return true;
  }
  bool number_integer(number_integer_t value) override {
    if (place_ != Place::kNumbers) return Unexpected("a number");
    if (value < 0) return Fail(absl::StrCat(Where(), " has ", value, " in ", FieldName(), ", wanted 0 or more"));
    return number_unsigned(static_cast<number_unsigned_t>(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    if (place_ != Place::kNumbers) return Unexpected("a number");
    return Fail(absl::StrCat(Where(), " has ", text.substr(0, 32), " in ", FieldName(), ", wanted an integer less than 2^63"));
  }
  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool binary(binary_t&) override { return Unexpected("binary"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("the header is not JSON at byte ", kPrefixBytes + (position > 0 ? position - 1 : 0), " of the file"));
  }

 private:
  enum class Place { kFile, kNames, kTensorValue, kFields, kFieldValue, kNumbers, kDone };
  enum class Field { kDType, kShape, kOffsets, kNone };

  bool Enter(Place place) {
    place_ = place;
    return true;
  }
  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }
  bool Unexpected(std::string_view what) {
    if (place_ == Place::kFile) return Fail(absl::StrCat("the header is ", std::string(what), ", wanted a JSON object of tensors"));
    return Fail(absl::StrCat(Where(), " has ", std::string(what), " in the place of ",
                             place_ == Place::kFieldValue || place_ == Place::kNumbers ? FieldName() : "its fields"));
  }
  bool StartTensor(const std::string& name) {
    in_metadata_ = name == "__metadata__";
    if (!names_.insert(name).second) return Fail(absl::StrCat("the header has two entries ", QuoteName(name)));
    if (!in_metadata_) tensors.push_back({.name = name, .dtype = {}, .shape = {}});
    std::fill(std::begin(seen_), std::end(seen_), false);
    offsets_.clear();
    return Enter(Place::kTensorValue);
  }
  std::size_t Index() const { return static_cast<std::size_t>(field_); }
  std::string Where() const {
    return in_metadata_ || tensors.empty() ? "__metadata__" : absl::StrCat("tensor ", QuoteName(tensors.back().name));
  }
  std::string FieldName() const {
    if (in_metadata_) return "a string";
    return field_ == Field::kDType ? "dtype" : field_ == Field::kShape ? "shape" : "data_offsets";
  }

  Place place_ = Place::kFile;
  Field field_ = Field::kNone;
  bool in_metadata_ = false;
  bool seen_[3] = {};
  std::vector<int64_t> offsets_;
  std::unordered_set<std::string> names_;
  std::string error_;
};

// Why the tensor's dtype, shape and offsets disagree; empty when they agree.
std::string ShapeError(const TensorEntry& tensor) {
  const std::optional<int64_t> element_bytes = ElementBytes(tensor.dtype);
  if (!element_bytes) return absl::StrCat("has dtype ", QuoteName(tensor.dtype), ", which is unknown");
  if (tensor.begin > tensor.end) return absl::StrCat("has data_offsets ", tensor.begin, " to ", tensor.end, ", wanted them ascending");
  int64_t bytes = *element_bytes;
  bool empty = false;
  for (int64_t size : tensor.shape) {  // a zero counts as one here, so that strides fit as well
    empty |= size == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      return absl::StrCat("has shape ", ShapeName(tensor.shape), " of more than 2^63 bytes");
  }
  if (empty) bytes = 0;
  if (tensor.end - tensor.begin != bytes)
    return absl::StrCat("has ", tensor.end - tensor.begin, " bytes of data, ", tensor.dtype, " ", ShapeName(tensor.shape), " wants ",
                        bytes);
  return "";
}

// Why the tensors, sorted by offset, do not fill the data from its first byte to its last without gap or overlap; empty when they do.
std::string LayoutError(const std::vector<TensorEntry>& tensors, int64_t data_bytes) {
  int64_t filled = 0;
  std::string before = "the header";
  for (const TensorEntry& tensor : tensors) {
    const std::string where = absl::StrCat("tensor ", QuoteName(tensor.name));
    if (std::string error = ShapeError(tensor); !error.empty()) return absl::StrCat(where, " ", error);
    if (tensor.end > data_bytes)
      return absl::StrCat(where, " ends at byte ", tensor.end, " of the data, the file has ", data_bytes, " bytes of data");
    if (tensor.begin < filled)
      return absl::StrCat(where, " starts at byte ", tensor.begin, " of the data, inside ", before, " that ends at ", filled);
    if (tensor.begin > filled)
      return absl::StrCat(where, " starts at byte ", tensor.begin, " of the data, wanted ", filled, ", where ", before, " ends");
    filled = tensor.end;
    before = where;
  }
  if (filled != data_bytes) return absl::StrCat("the file has ", data_bytes, " bytes of data, its tensors take ", filled);
  return "";
}

}  // namespace

std::string QuoteName(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  const bool cut = name.size() > kLongest;
  return absl::StrCat("'", absl::Utf8SafeCHexEscape(std::string(name.substr(0, kLongest))), cut ? "…'" : "'");
}

absl::StatusOr<std::vector<TensorEntry>> ParseSafetensorsHeader(std::span<const std::byte> file, std::string_view name) {
  auto error = [&](const std::string& what) {
    return absl::DataLossError(
        absl::StrCat(std::string(name), ": ", what, "; the file is damaged, incomplete or no safetensors file: write it again"));
  };
  if (file.size() < kPrefixBytes) return error(absl::StrCat("is ", file.size(), " bytes, wanted at least ", kPrefixBytes));
  uint64_t header_bytes = 0;
  for (uint64_t i = 0; i < kPrefixBytes; ++i) header_bytes |= std::to_integer<uint64_t>(file[i]) << (8 * i);
  const uint64_t rest = file.size() - kPrefixBytes;
  if (header_bytes > kHeaderBytesMax)
    return error(absl::StrCat("says that its header has ", header_bytes, " bytes, wanted at most ", kHeaderBytesMax));
  if (header_bytes > rest) return error(absl::StrCat("says that its header has ", header_bytes, " bytes, but ", rest, " bytes follow"));

  const char* header = reinterpret_cast<const char*>(file.data()) + kPrefixBytes;
  // The parser takes a zero byte for the end of its input and skips a byte order mark: neither may hide here.
  if (header_bytes == 0 || header[0] != '{') return error("the header does not start with '{'");
  if (const void* zero = std::memchr(header, 0, header_bytes))
    return error(absl::StrCat("the header is not JSON at byte ", static_cast<const char*>(zero) - header + kPrefixBytes, " of the file"));
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header, header + header_bytes, &reader)) return error(reader.error());

  std::vector<TensorEntry>& tensors = reader.tensors;
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorEntry& a, const TensorEntry& b) { return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name); });
  if (std::string layout = LayoutError(tensors, static_cast<int64_t>(rest - header_bytes)); !layout.empty()) return error(layout);
  for (TensorEntry& tensor : tensors) {
    tensor.begin += static_cast<int64_t>(kPrefixBytes + header_bytes);
    tensor.end += static_cast<int64_t>(kPrefixBytes + header_bytes);
  }
  return std::move(tensors);
}

}  // namespace hsa
