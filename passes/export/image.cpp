#include "passes/export/image.h"

#include <map>
#include <memory>
#include <optional>

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "passes/export/translate.h"

namespace hsa::ir {

namespace {

using llvm::object::ELFObjectFileBase;
using llvm::object::ELFSymbolRef;
using llvm::object::SectionRef;
namespace endian = llvm::support::endian;

using Symbols = std::map<std::string, int64_t, std::less<>>;  // those that all objects see, by their offset in the image

bool isLoaded(const SectionRef& section) {
  const auto flags = llvm::object::ELFSectionRef(section).getFlags();
  const bool unwind = section.getName() ? section.getName()->starts_with(".eh_frame") : true;  // no exceptions pass through kernels
  return (flags & llvm::ELF::SHF_ALLOC) && section.getSize() > 0 && !unwind;
}

void put32(char* at, uint32_t value) { endian::write32le(at, value); }
uint32_t get32(const char* at) { return endian::read32le(at); }

// Writes one relocation. `place` is where it stands in the image, `target` what it points at (symbol + addend).
llvm::Error applyX86(char* at, uint64_t type, int64_t place, int64_t target) {
  switch (type) {
    case llvm::ELF::R_X86_64_PC32:
    case llvm::ELF::R_X86_64_PLT32:
      put32(at, static_cast<uint32_t>(target - place));
      return llvm::Error::success();
    case llvm::ELF::R_X86_64_PC64:
      endian::write64le(at, static_cast<uint64_t>(target - place));
      return llvm::Error::success();
    default:
      return llvm::createStringError("x86-64 relocation " + std::to_string(type) + " depends on the load address");
  }
}

// The image is loaded at a page boundary, so an offset within a page is known now.
llvm::Error applyAArch64(char* at, uint64_t type, int64_t place, int64_t target) {
  const auto low12 = [&](unsigned shift) { put32(at, get32(at) | ((static_cast<uint32_t>(target & 0xfff) >> shift) << 10)); };
  switch (type) {
    case llvm::ELF::R_AARCH64_CALL26:
    case llvm::ELF::R_AARCH64_JUMP26:
      put32(at, get32(at) | (static_cast<uint32_t>((target - place) >> 2) & 0x3ffffff));
      break;
    case llvm::ELF::R_AARCH64_ADR_PREL_PG_HI21: {
      const auto pages = static_cast<uint32_t>((target >> 12) - (place >> 12));
      put32(at, get32(at) | ((pages & 3) << 29) | (((pages >> 2) & 0x7ffff) << 5));
      break;
    }
    case llvm::ELF::R_AARCH64_PREL32:
      put32(at, static_cast<uint32_t>(target - place));
      break;
    case llvm::ELF::R_AARCH64_ADD_ABS_LO12_NC:
    case llvm::ELF::R_AARCH64_LDST8_ABS_LO12_NC:
      low12(0);
      break;
    case llvm::ELF::R_AARCH64_LDST16_ABS_LO12_NC:
      low12(1);
      break;
    case llvm::ELF::R_AARCH64_LDST32_ABS_LO12_NC:
      low12(2);
      break;
    case llvm::ELF::R_AARCH64_LDST64_ABS_LO12_NC:
      low12(3);
      break;
    case llvm::ELF::R_AARCH64_LDST128_ABS_LO12_NC:
      low12(4);
      break;
    default:
      return llvm::createStringError("aarch64 relocation " + std::to_string(type) + " depends on the load address");
  }
  return llvm::Error::success();
}

// Loaded sections one after the other, code first, each at its alignment.
std::map<uint64_t, uint64_t> layOut(const ELFObjectFileBase& file, std::string& bytes) {
  std::map<uint64_t, uint64_t> offsets;  // section index → offset in the image
  for (bool code : {true, false})
    for (const SectionRef& section : file.sections()) {
      if (!isLoaded(section) || section.isText() != code) continue;
      const uint64_t alignment = std::max<uint64_t>(section.getAlignment().value(), 64);
      bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
      offsets[section.getIndex()] = bytes.size();
      if (llvm::Expected<llvm::StringRef> contents = section.getContents(); contents) bytes += contents->str();
    }
  return offsets;
}

// One object of an image.
class Linked {
 public:
  static llvm::Expected<Linked> parse(llvm::StringRef object) {
    auto parsed = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, "plan code"));
    if (!parsed) return parsed.takeError();
    return Linked(std::move(*parsed));
  }

  void place(std::string& bytes) { offsets_ = layOut(file(), bytes); }

  // Offset of a symbol in the image; nothing where another object defines it.
  llvm::Expected<std::optional<int64_t>> offsetOf(const ELFSymbolRef& symbol) const {
    auto section = symbol.getSection();
    if (!section) return section.takeError();
    auto value = symbol.getValue();
    if (!value) return value.takeError();
    if (*section != file().section_end())
      if (auto found = offsets_.find((*section)->getIndex()); found != offsets_.end()) return static_cast<int64_t>(found->second + *value);
    return std::nullopt;
  }

  llvm::Error define(Symbols& symbols) const {
    for (const ELFSymbolRef symbol : file().symbols()) {
      if (symbol.getBinding() == llvm::ELF::STB_LOCAL) continue;
      auto name = symbol.getName();
      if (!name) return name.takeError();
      auto offset = offsetOf(symbol);
      if (!offset) return offset.takeError();
      if (*offset) symbols[name->str()] = **offset;
    }
    return llvm::Error::success();
  }

  llvm::Error relocate(std::string& bytes, const Symbols& symbols) const {
    for (const SectionRef& section : file().sections()) {
      auto relocated = section.getRelocatedSection();
      if (!relocated || *relocated == file().section_end()) continue;
      const auto base = offsets_.find((*relocated)->getIndex());
      if (base == offsets_.end()) continue;
      for (const llvm::object::ELFRelocationRef relocation : section.relocations())
        if (llvm::Error error = apply(relocation, static_cast<int64_t>(base->second + relocation.getOffset()), bytes, symbols))
          return error;
    }
    return llvm::Error::success();
  }

 private:
  explicit Linked(std::unique_ptr<llvm::object::ObjectFile> parsed) : parsed_(std::move(parsed)) {}
  const ELFObjectFileBase& file() const { return llvm::cast<ELFObjectFileBase>(*parsed_); }

  llvm::Error apply(const llvm::object::ELFRelocationRef& relocation, int64_t place, std::string& bytes, const Symbols& symbols) const {
    const ELFSymbolRef symbol(*relocation.getSymbol());
    auto target = offsetOf(symbol);
    if (!target) return target.takeError();
    if (!*target) {
      auto name = symbol.getName();
      if (!name) return name.takeError();
      const auto found = symbols.find(std::string_view(*name));
      if (found == symbols.end()) return llvm::createStringError("plan code calls '" + *name + "', which a plan cannot import");
      target = found->second;
    }
    auto addend = relocation.getAddend();
    if (!addend) return addend.takeError();
    char* at = bytes.data() + place;
    return file().getEMachine() == llvm::ELF::EM_X86_64 ? applyX86(at, relocation.getType(), place, **target + *addend)
                                                        : applyAArch64(at, relocation.getType(), place, **target + *addend);
  }

  std::unique_ptr<llvm::object::ObjectFile> parsed_;
  std::map<uint64_t, uint64_t> offsets_;
};

}  // namespace

llvm::Expected<Image> linkImage(llvm::ArrayRef<std::string> objects) {
  Image image;
  std::vector<Linked> all;
  Symbols symbols;
  for (const std::string& object : objects) {
    auto linked = Linked::parse(object);
    if (!linked) return linked.takeError();
    all.push_back(std::move(*linked));
    all.back().place(image.bytes);
    if (llvm::Error error = all.back().define(symbols)) return std::move(error);
  }
  for (const Linked& linked : all)
    if (llvm::Error error = linked.relocate(image.bytes, symbols)) return std::move(error);
  for (const auto& [name, offset] : symbols)
    if (llvm::StringRef(name).starts_with(kEntryPrefix))
      image.entries.push_back({name.substr(kEntryPrefix.size()), static_cast<uint64_t>(offset)});
  return image;
}

}  // namespace hsa::ir
