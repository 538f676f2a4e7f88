#include "runtime/tensor_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "runtime/safetensors_header.h"

namespace hsa {
namespace {

constexpr int64_t kAlignment = 64;  // of the first tensor in the file

struct Layout {
  std::string header;                                            // length, JSON and padding
  std::vector<std::pair<std::string, MutableTensorView>> views;  // their data is still null
  std::vector<int64_t> offsets;                                  // bytes from the start of the file
  int64_t bytes = 0;
};

absl::StatusOr<int64_t> TensorBytes(const TensorSpec& tensor) {
  const std::string where = absl::StrCat("tensor ", QuoteName(tensor.name), " has shape [", absl::StrJoin(tensor.shape, ","), "]");
  if (tensor.shape.size() != 2 && tensor.shape.size() != 3) return absl::InvalidArgumentError(absl::StrCat(where, ", wanted rank 2 or 3"));
  int64_t bytes = DTypeBytes(tensor.dtype);
  bool empty = false;
  for (int64_t size : tensor.shape) {
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat(where, ", wanted sizes of 0 or more"));
    empty |= size == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes) || bytes > std::numeric_limits<int64_t>::max() / 4)
      return absl::InvalidArgumentError(absl::StrCat(where, " of more bytes than a file can have"));
  }
  return empty ? 0 : bytes;
}

std::vector<TensorSpec> WiderFirst(std::span<const TensorSpec> tensors) {
  std::vector<TensorSpec> ordered;
  for (int64_t bytes : {4, 2})
    for (const TensorSpec& tensor : tensors)
      if (DTypeBytes(tensor.dtype) == bytes) ordered.push_back(tensor);
  return ordered;
}

// Wider elements come first: nothing has to be padded to be aligned, and a safetensors file has no gaps.
absl::StatusOr<Layout> LayOut(std::span<const TensorSpec> tensors) {
  Layout layout;
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::set<std::string> names;
  for (const TensorSpec& tensor : WiderFirst(tensors)) {
    if (tensor.name.empty() || tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      return absl::InvalidArgumentError(absl::StrCat("tensor name ", QuoteName(tensor.name), " is empty, reserved or comes twice"));
    absl::StatusOr<int64_t> bytes = TensorBytes(tensor);
    if (!bytes.ok()) return bytes.status();
    const char* dtype = tensor.dtype == DType::kF32 ? "F32" : tensor.dtype == DType::kBF16 ? "BF16" : "F16";
    header[tensor.name] = {{"dtype", dtype}, {"shape", tensor.shape}, {"data_offsets", {layout.bytes, layout.bytes + *bytes}}};
    MutableTensorView view;
    view.dtype = tensor.dtype;
    view.shape = {tensor.shape.size() == 3 ? tensor.shape[0] : 1, *(tensor.shape.end() - 2), tensor.shape.back()};
    view.strides = {view.shape[1] * view.shape[2], view.shape[2], 1};
    layout.views.emplace_back(tensor.name, view);
    layout.offsets.push_back(layout.bytes);
    if (__builtin_add_overflow(layout.bytes, *bytes, &layout.bytes) || layout.bytes > std::numeric_limits<int64_t>::max() / 2)
      return absl::InvalidArgumentError("the tensors have more bytes than a file can have");
  }
  std::string json = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  json.append((kAlignment - (8 + json.size()) % kAlignment) % kAlignment, ' ');
  for (int i = 0; i < 8; ++i) layout.header.push_back(static_cast<char>(json.size() >> (8 * i) & 0xff));
  layout.header += json;
  for (int64_t& offset : layout.offsets) offset += static_cast<int64_t>(layout.header.size());
  layout.bytes += static_cast<int64_t>(layout.header.size());
  return layout;
}

absl::Status SystemError(const std::string& path, std::string_view verb) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", std::string(verb), ": ", std::strerror(errno)));
}

absl::Status NoSpace(const std::string& path, int64_t needed, int64_t there) {
  return absl::ResourceExhaustedError(
      absl::StrCat(path, ": no space left: needs ", needed, " bytes, has ", there, "; make room or write elsewhere"));
}

// Takes `bytes` of disk for `file`, whose folder is that of `path`.
absl::Status TakeSpace(const std::string& path, int file, int64_t bytes) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && static_cast<rlim_t>(bytes) > limit.rlim_cur)
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": needs ", bytes, " bytes, files of this process may have ", limit.rlim_cur, "; raise ulimit -f"));
  struct statvfs disk;
  int64_t there = 0;
  const bool known = fstatvfs(file, &disk) == 0;
  if (known && __builtin_mul_overflow(static_cast<int64_t>(disk.f_bavail), static_cast<int64_t>(disk.f_frsize), &there))
    there = std::numeric_limits<int64_t>::max();
  if (known && there < bytes) return NoSpace(path, bytes, there);
  int failed = 0;
  do failed = posix_fallocate(file, 0, bytes);
  while (failed == EINTR);
  if (failed == ENOSPC || failed == EDQUOT || failed == EFBIG) return NoSpace(path, bytes, there);
  errno = failed;
  return failed != 0 ? SystemError(path, "cannot take its space") : absl::OkStatus();
}

// `path` with links followed, if a file may be put there.
absl::StatusOr<std::string> Target(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (path.starts_with("/dev/std") || path.starts_with("/dev/fd/") ||
      (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)))
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a folder or a device, wanted the name of a file"));
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target.string();
}

}  // namespace

struct TensorWriter::Impl {
  std::string path, temporary;
  Layout layout;
  int file = -1;
  std::byte* address = nullptr;

  ~Impl() {
    if (address != nullptr) munmap(address, static_cast<std::size_t>(layout.bytes));
    if (file >= 0) close(file);
    if (!temporary.empty()) unlink(temporary.c_str());
  }
};

TensorWriter::TensorWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TensorWriter::TensorWriter(TensorWriter&&) noexcept = default;
TensorWriter& TensorWriter::operator=(TensorWriter&&) noexcept = default;
TensorWriter::~TensorWriter() = default;

absl::StatusOr<TensorWriter> TensorWriter::Create(const std::string& path, std::span<const TensorSpec> tensors) {
  absl::StatusOr<Layout> layout = LayOut(tensors);
  if (!layout.ok()) return absl::Status(layout.status().code(), absl::StrCat(path, ": ", layout.status().message()));
  absl::StatusOr<std::string> target = Target(path);
  if (!target.ok()) return target.status();

  auto impl = std::make_unique<Impl>();
  impl->path = *target;
  impl->layout = *std::move(layout);
  const std::string temporary = absl::StrCat(*target, ".tmp.", getpid());
  unlink(temporary.c_str());  // left by a killed process that had our number
  impl->file = open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (impl->file < 0) return SystemError(path, "cannot create");
  impl->temporary = temporary;
  if (absl::Status taken = TakeSpace(path, impl->file, impl->layout.bytes); !taken.ok()) return taken;
  void* address = mmap(nullptr, static_cast<std::size_t>(impl->layout.bytes), PROT_READ | PROT_WRITE, MAP_SHARED, impl->file, 0);
  if (address == MAP_FAILED) return SystemError(path, "cannot map");
  impl->address = static_cast<std::byte*>(address);
  std::memcpy(impl->address, impl->layout.header.data(), impl->layout.header.size());
  for (std::size_t i = 0; i < impl->layout.views.size(); ++i) impl->layout.views[i].second.data = impl->address + impl->layout.offsets[i];
  return TensorWriter(std::move(impl));
}

MutableTensorView TensorWriter::View(std::string_view tensor) const {
  for (const auto& [name, view] : impl_->layout.views)
    if (name == tensor) return view;
  return {};
}

void TensorWriter::RowsReady(std::string_view tensor, int64_t begin, int64_t end) const {
  const MutableTensorView view = View(tensor);
  begin = std::max<int64_t>(begin, 0);
  end = std::min(end, view.shape[1]);
  if (view.data == nullptr || begin >= end) return;
  for (int64_t head = 0; head < view.shape[0]; ++head) RowsReady(tensor, head, begin, end);
}

void TensorWriter::RowsReady(std::string_view tensor, int64_t head, int64_t begin, int64_t end) const {
  const MutableTensorView view = View(tensor);
  if (view.data == nullptr || begin >= end) return;
  const int64_t page = sysconf(_SC_PAGESIZE);
  const int64_t first = view.Row(head, begin) - impl_->address;
  const int64_t last = view.Row(head, end - 1) - impl_->address + view.shape[2] * DTypeBytes(view.dtype);
  // Only whole pages; Commit writes the others. Both calls are hints.
  const int64_t from = (first + page - 1) / page * page, to = last / page * page;
  if (from >= to) return;
  sync_file_range(impl_->file, from, to - from, SYNC_FILE_RANGE_WRITE);
  madvise(impl_->address + from, static_cast<std::size_t>(to - from), MADV_DONTNEED);  // shared: the data stays in the page cache
}

absl::Status TensorWriter::Commit() {
  Impl& impl = *impl_;
  auto fail = [&](std::string_view verb) {
    absl::Status status = SystemError(impl.path, verb);
    unlink(impl.temporary.c_str());
    impl.temporary.clear();
    return status;
  };
  if (impl.temporary.empty()) return absl::FailedPreconditionError(absl::StrCat(impl.path, ": was committed before"));
  if (msync(impl.address, static_cast<std::size_t>(impl.layout.bytes), MS_SYNC) != 0 || fsync(impl.file) != 0) return fail("cannot write");
  if (rename(impl.temporary.c_str(), impl.path.c_str()) != 0) return fail("cannot rename the finished file to it");
  impl.temporary.clear();
  // The name itself is on the disk once its folder is; a file system that cannot do this has still renamed.
  const std::string parent = std::filesystem::path(impl.path).parent_path().string();
  const int folder = open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return absl::OkStatus();
}

int64_t TensorWriter::file_bytes() const { return impl_->layout.bytes; }

}  // namespace hsa
