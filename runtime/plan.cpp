#include "runtime/plan.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/format/check_plan.h"
#include "runtime/format/choose_variant.h"
#include "runtime/format/plan_file.h"

namespace hsa {
namespace {

using format::Variant;

// Machine code, readable and executable, never writable at the same time. Owns its pages.
class CodeImage {
 public:
  // The code starts on a page, as position-independent code may ask for. A page of zeros lies before it: a caller that was compiled with
  // -fsanitize=function reads the bytes before whatever function it calls.
  static absl::StatusOr<CodeImage> Map(std::span<const std::byte> code, const std::string& name) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), bytes = page + code.size();
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return absl::ErrnoToStatus(errno, name + ": cannot allocate memory for its code");
    CodeImage image(static_cast<char*>(pages), bytes, page);
    std::memcpy(image.code_, code.data(), code.size());
    if (mprotect(pages, bytes, PROT_READ | PROT_EXEC) != 0)
      return absl::ErrnoToStatus(errno, name + ": the system does not let memory become executable, which running a plan needs");
    // Processors that do not keep both caches coherent (ARM) must be told that these bytes are instructions now.
    __builtin___clear_cache(image.code_, image.code_ + code.size());
    return image;
  }
  CodeImage(CodeImage&& other) noexcept : pages_(std::exchange(other.pages_, nullptr)), bytes_(other.bytes_), code_(other.code_) {}
  CodeImage& operator=(CodeImage&& other) noexcept {
    std::swap(pages_, other.pages_);
    std::swap(bytes_, other.bytes_);
    std::swap(code_, other.code_);
    return *this;
  }
  ~CodeImage() {
    if (pages_) munmap(pages_, bytes_);
  }
  EntryPoint at(uint64_t offset) const { return reinterpret_cast<EntryPoint>(code_ + offset); }

 private:
  CodeImage(char* pages, size_t bytes, size_t before) : pages_(pages), bytes_(bytes), code_(pages + before) {}
  char* pages_;
  size_t bytes_;
  char* code_;
};

absl::Status NoVariant(const format::PlanHeader& header, const std::string& name) {
  return absl::FailedPreconditionError(absl::StrCat(
      name, ": no variant runs on this ", format::MachineName(), ": ",
      absl::StrJoin(header.variants(), ", ", [](std::string* out, const Variant& v) { absl::StrAppend(out, format::WhyNot(v)); }),
      "; compile the graph for this machine: hsa-compile GRAPH --mcpu=native -o FILE"));
}

}  // namespace

struct Plan::Impl {
  std::string name;
  std::vector<std::byte> file;
  format::PlanHeader header;

  const Variant* variant = nullptr;
  std::optional<CodeImage> code;
  absl::flat_hash_map<std::string, EntryPoint> entries;

  // On an error the variant in use stays.
  absl::Status Use(const Variant& v) {
    absl::StatusOr<CodeImage> image = CodeImage::Map(std::span(file).subspan(v.code().offset(), v.code().bytes()), name);
    if (!image.ok()) return image.status();
    entries.clear();
    for (const format::Entry& entry : v.entries()) entries.emplace(entry.name(), image->at(entry.offset()));
    code = *std::move(image);
    variant = &v;
    return absl::OkStatus();
  }

  static absl::StatusOr<std::unique_ptr<Impl>> Open(std::vector<std::byte> file, std::string_view name) {
    absl::StatusOr<format::PlanHeader> header = format::CheckPlan(file, name);
    if (!header.ok()) return header.status();
    auto impl = std::make_unique<Impl>();
    impl->name = name;
    impl->file = std::move(file);
    impl->header = *std::move(header);
    const Variant* best = format::BestVariant(impl->header);
    if (!best) return NoVariant(impl->header, impl->name);
    if (absl::Status status = impl->Use(*best); !status.ok()) return status;
    return impl;
  }
};

absl::StatusOr<Plan> Plan::Load(const std::string& path) {
  absl::StatusOr<std::vector<std::byte>> file = format::ReadPlanFile(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::unique_ptr<Impl>> impl = Impl::Open(*std::move(file), path);
  if (!impl.ok()) return impl.status();
  return Plan(*std::move(impl));
}

absl::StatusOr<Plan> Plan::FromBytes(std::span<const std::byte> bytes, std::string_view name) {
  absl::StatusOr<std::unique_ptr<Impl>> impl = Impl::Open({bytes.begin(), bytes.end()}, name);
  if (!impl.ok()) return impl.status();
  return Plan(*std::move(impl));
}

Plan::Plan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;
Plan::~Plan() = default;

const format::PlanHeader& Plan::header() const { return impl_->header; }
const format::Variant& Plan::variant() const { return *impl_->variant; }
int64_t Plan::file_bytes() const { return static_cast<int64_t>(impl_->file.size()); }
uint64_t Plan::checksum() const { return format::ReadPrefix(impl_->file).checksum; }

absl::Status Plan::SelectVariant(std::string_view name) {
  const auto& variants = impl_->header.variants();
  const auto found = std::find_if(variants.begin(), variants.end(), [&](const Variant& v) { return v.name() == name; });
  if (found == variants.end())
    return absl::NotFoundError(
        absl::StrCat(impl_->name, ": has no variant '", std::string(name), "', it has ",
                     absl::StrJoin(variants, ", ", [](std::string* out, const Variant& v) { absl::StrAppend(out, "'", v.name(), "'"); }),
                     "; choose one of them"));
  if (const std::string why_not = format::WhyNot(*found); !why_not.empty())
    return absl::UnimplementedError(absl::StrCat(impl_->name, ": variant ", why_not, ", this is ", format::MachineName(),
                                                 "; choose another, as '", variant().name(), "'"));
  return impl_->Use(*found);
}

EntryPoint Plan::entry(std::string_view name) const {
  const auto found = impl_->entries.find(absl::string_view(name.data(), name.size()));
  return found == impl_->entries.end() ? nullptr : found->second;
}

}  // namespace hsa
