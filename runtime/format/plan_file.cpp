#include "runtime/format/plan_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <atomic>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace hsa::format {
namespace {

static_assert(std::endian::native == std::endian::little, "plan files are little-endian and read in place");

template <typename T>
T Load(std::span<const std::byte> file, size_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

template <typename T>
void Store(std::string& file, size_t offset, T value) {
  std::memcpy(file.data() + offset, &value, sizeof value);
}

// Calls place(section, bytes) for each section in the order of the file.
template <typename Place>
void ForEachSection(PlanHeader& header, const PlanSections& sections, Place place) {
  for (int i = 0; i < header.variants_size(); ++i) place(*header.mutable_variants(i)->mutable_code(), sections.code[i]);
  if (header.has_bytecode()) place(*header.mutable_bytecode(), sections.bytecode);
}

// Offsets are varints, so the header's size depends on them, and they depend on the header's size. The header is therefore measured with
// offsets as long as any can be; the few bytes that real offsets save become zeros before the first section.
uint64_t FirstSection(PlanHeader& header, const PlanSections& sections) {
  ForEachSection(header, sections, [](Section& section, const std::string& bytes) {
    section.set_offset(UINT64_MAX);
    section.set_bytes(bytes.size());
  });
  return AlignUp(kPlanPrefixBytes + header.ByteSizeLong());
}

// Closes and deletes what was written so far, unless it was finished.
struct TemporaryFile {
  std::string path;
  int fd = -1;
  ~TemporaryFile() {
    if (fd >= 0) close(fd);
    if (!path.empty()) unlink(path.c_str());
  }
};

absl::Status SystemError(const std::string& path, const char* step) { return absl::ErrnoToStatus(errno, path + ": cannot " + step); }

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError(path, "write");
    bytes.remove_prefix(written);
  }
  return absl::OkStatus();
}

absl::Status NotAPlan(const std::string& path, const std::string& what) {
  return absl::DataLossError(path + ": is " + what + "; give a file that hsa-compile wrote");
}

// A rename survives a power cut only when the folder that holds the name has been written, too.
absl::Status SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(folder, "open folder");
  const bool synced = fsync(fd) == 0 || errno == EINVAL;  // EINVAL: a file system without folders on disk
  absl::Status status = synced ? absl::OkStatus() : SystemError(folder, "write folder");
  close(fd);
  return status;
}

absl::Status WriteInPlace(const std::string& path, std::string_view bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(path, "open for writing");
  absl::Status status = WriteAll(fd, bytes, path);
  close(fd);
  return status;
}

}  // namespace

std::string SerializeDeterministic(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

PlanPrefix ReadPrefix(std::span<const std::byte> file) {
  return {.version = Load<uint32_t>(file, 8), .header_bytes = Load<uint32_t>(file, 12), .checksum = Load<uint64_t>(file, 16)};
}

uint64_t PlanChecksum(std::span<const std::byte> file) {
  // Allocated by the library, whose shared version may be newer than the header that this was compiled with.
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(state.get());
  XXH3_64bits_update(state.get(), file.data() + 8, 8);
  XXH3_64bits_update(state.get(), file.data() + kPlanPrefixBytes, file.size() - kPlanPrefixBytes);
  return XXH3_64bits_digest(state.get());
}

std::string BuildPlanFile(PlanHeader header, const PlanSections& sections) {
  assert(sections.code.size() == static_cast<size_t>(header.variants_size()));
  header.clear_bytecode();
  if (!sections.bytecode.empty()) header.mutable_bytecode();
  uint64_t end = FirstSection(header, sections);
  ForEachSection(header, sections, [&end](Section& section, const std::string& bytes) {
    section.set_offset(AlignUp(end));
    end = section.offset() + bytes.size();
  });
  const std::string header_bytes = SerializeDeterministic(header);

  std::string file(end, '\0');
  file.replace(0, kPlanMagic.size(), kPlanMagic);
  Store(file, 8, kPlanVersion);
  Store(file, 12, static_cast<uint32_t>(header_bytes.size()));
  file.replace(kPlanPrefixBytes, header_bytes.size(), header_bytes);
  ForEachSection(header, sections,
                 [&file](Section& section, const std::string& bytes) { file.replace(section.offset(), bytes.size(), bytes); });
  Store(file, 16, PlanChecksum(std::as_bytes(std::span(file))));
  return file;
}

absl::Status WritePlanFile(const std::string& path, std::string_view bytes) {
  // A device or a pipe is written to: replacing /dev/null by a file would surprise the whole machine.
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) return WriteInPlace(path, bytes);

  // A name of its own per process and call, in the same folder: rename cannot cross file systems.
  static std::atomic<uint64_t> calls = 0;
  TemporaryFile file{.path = path + ".tmp." + std::to_string(getpid()) + "." + std::to_string(calls++)};
  file.fd = open(file.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file.fd < 0) {
    absl::Status status = SystemError(path, "create");
    file.path.clear();  // there is nothing to delete
    return status;
  }
  if (absl::Status status = WriteAll(file.fd, bytes, path); !status.ok()) return status;
  if (fsync(file.fd) != 0) return SystemError(path, "write to disk");
  if (rename(file.path.c_str(), path.c_str()) != 0) return SystemError(path, "replace");
  file.path.clear();  // it has its final name
  return SyncFolderOf(path);
}

absl::StatusOr<std::vector<std::byte>> ReadPlanFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(path, "open");
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* open_fd) { close(*open_fd); });
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemError(path, "read");
  if (!S_ISREG(info.st_mode)) return NotAPlan(path, "not a regular file, wanted a plan");
  if (static_cast<uint64_t>(info.st_size) > kMaxPlanBytes)
    return NotAPlan(path, std::to_string(info.st_size) + " bytes, wanted at most " + std::to_string(kMaxPlanBytes));
  std::vector<std::byte> bytes(info.st_size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = read(fd, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(path, "read");
    if (got == 0) break;  // it has shrunk since fstat; the checker will see a truncated plan
    done += got;
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace hsa::format
