#include "runtime/tensor_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hsa {
namespace {

std::optional<DType> FloatType(std::string_view dtype) {
  if (dtype == "F32") return DType::kF32;
  if (dtype == "BF16") return DType::kBF16;
  if (dtype == "F16") return DType::kF16;
  return std::nullopt;
}

std::string NamesOf(const std::vector<TensorEntry>& tensors) {
  constexpr std::size_t kShown = 8;
  std::vector<std::string> names;
  for (const TensorEntry& tensor : tensors)
    if (names.size() < kShown) names.push_back(QuoteName(tensor.name));
  if (names.empty()) return "no tensors";
  return absl::StrCat(absl::StrJoin(names, ", "), tensors.size() > kShown ? absl::StrCat(" and ", tensors.size() - kShown, " more") : "");
}

absl::Status SystemError(const std::string& path, std::string_view verb) {
  const int reason = errno;
  const std::string message = absl::StrCat(path, ": ", std::string(verb), ": ", std::strerror(reason));
  return reason == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
}

}  // namespace

struct TensorFile::Mapping {
  int file = -1;
  void* address = nullptr;
  std::size_t bytes = 0;
};

void TensorFile::Unmap::operator()(Mapping* mapping) const {
  if (mapping->address != nullptr) munmap(mapping->address, mapping->bytes);
  if (mapping->file >= 0) close(mapping->file);
  delete mapping;
}

absl::StatusOr<TensorFile> ParseTensorFile(std::span<const std::byte> bytes, std::string_view name) {
  absl::StatusOr<std::vector<TensorEntry>> tensors = ParseSafetensorsHeader(bytes, name);
  if (!tensors.ok()) return tensors.status();
  TensorFile file;
  file.name_ = std::string(name);
  file.bytes_ = bytes;
  file.tensors_ = *std::move(tensors);
  return file;
}

absl::StatusOr<TensorFile> TensorFile::Open(const std::string& path) {
  std::unique_ptr<Mapping, Unmap> mapping(new Mapping);
  mapping->file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not block here, it is refused below
  if (mapping->file < 0) return SystemError(path, "cannot open");
  struct stat info;
  if (fstat(mapping->file, &info) != 0) return SystemError(path, "cannot read its size");
  if (!S_ISREG(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, ": is not a regular file, wanted one that can be mapped"));
  mapping->bytes = static_cast<std::size_t>(info.st_size);
  if (mapping->bytes > 0) {
    void* address = mmap(nullptr, mapping->bytes, PROT_READ, MAP_SHARED, mapping->file, 0);
    if (address == MAP_FAILED) return SystemError(path, "cannot map");
    mapping->address = address;
  }
  absl::StatusOr<TensorFile> file = ParseTensorFile({static_cast<const std::byte*>(mapping->address), mapping->bytes}, path);
  if (file.ok()) file->mapping_ = std::move(mapping);
  return file;
}

absl::StatusOr<TensorView> TensorFile::Get(std::string_view tensor) const {
  const auto entry = std::find_if(tensors_.begin(), tensors_.end(), [&](const TensorEntry& e) { return e.name == tensor; });
  if (entry == tensors_.end())
    return absl::NotFoundError(absl::StrCat(name_, ": no tensor ", QuoteName(tensor), "; the file has ", NamesOf(tensors_)));
  const std::string where = absl::StrCat(name_, ": tensor ", QuoteName(tensor));
  const std::optional<DType> dtype = FloatType(entry->dtype);
  if (!dtype) return absl::InvalidArgumentError(absl::StrCat(where, " is ", entry->dtype, ", wanted F32, BF16 or F16; convert it"));
  if (entry->shape.size() != 3)
    return absl::InvalidArgumentError(
        absl::StrCat(where, " has shape [", absl::StrJoin(entry->shape, ","), "], wanted [heads, tokens, dim]; reshape it"));
  TensorView view;
  view.data = bytes_.data() + entry->begin;
  view.dtype = *dtype;
  std::copy(entry->shape.begin(), entry->shape.end(), view.shape.begin());
  view.strides = {view.shape[1] * view.shape[2], view.shape[2], 1};
  if (entry->begin % DTypeBytes(*dtype) != 0)
    return absl::FailedPreconditionError(absl::StrCat(where, " starts at byte ", entry->begin, " of the file, wanted a multiple of ",
                                                      DTypeBytes(*dtype),
                                                      "; write the file again with the safetensors library, which aligns tensors"));
  return view;
}

void TensorFile::Advise(const TensorView& tensor, int64_t begin, int64_t end, int advice) const {
  // Only pages of our own mapping: DONTNEED on memory that no file backs would lose it.
  if (mapping_ == nullptr || tensor.data < bytes_.data() || tensor.data >= bytes_.data() + bytes_.size()) return;
  begin = std::max<int64_t>(begin, 0);
  end = std::min(end, tensor.tokens());
  if (begin >= end) return;
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int64_t head = 0; head < tensor.heads(); ++head) {
    uintptr_t first = reinterpret_cast<uintptr_t>(tensor.Row(head, begin));
    uintptr_t last = reinterpret_cast<uintptr_t>(tensor.Row(head, end - 1) + tensor.dim() * DTypeBytes(tensor.dtype));
    first = advice == MADV_DONTNEED ? (first + page - 1) / page * page : first / page * page;  // a page shared with neighbours stays
    if (advice == MADV_DONTNEED) last = last / page * page;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, advice);  // advice: a refusal changes nothing
  }
}

absl::Status TensorFile::WillNeed(const TensorView& tensor, int64_t begin, int64_t end) const {
  if (mapping_ == nullptr) return absl::OkStatus();
  struct stat info;
  if (fstat(mapping_->file, &info) != 0) return SystemError(name_, "cannot read its size");
  if (info.st_size < static_cast<off_t>(mapping_->bytes))
    return absl::DataLossError(absl::StrCat(name_, ": is ", info.st_size, " bytes, was ", mapping_->bytes,
                                            " when it was opened; do not write to it during a run: replace it by rename"));
  Advise(tensor, begin, end, MADV_WILLNEED);
  return absl::OkStatus();
}

void TensorFile::DontNeed(const TensorView& tensor, int64_t begin, int64_t end) const { Advise(tensor, begin, end, MADV_DONTNEED); }

}  // namespace hsa
