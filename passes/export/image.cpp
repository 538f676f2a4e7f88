#include "passes/export/image.h"

#include <map>

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"

namespace hsa::ir {

namespace {

using llvm::object::ELFObjectFileBase;
using llvm::object::ELFSymbolRef;
using llvm::object::SectionRef;
namespace endian = llvm::support::endian;

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

// Behind what the image holds already.
llvm::Error addObject(llvm::StringRef object, Image& image) {
  auto parsed = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, "plan code"));
  if (!parsed) return parsed.takeError();
  const auto& file = llvm::cast<ELFObjectFileBase>(**parsed);
  const bool x86 = file.getEMachine() == llvm::ELF::EM_X86_64;
  const std::map<uint64_t, uint64_t> offsets = layOut(file, image.bytes);

  // Offset of a symbol in the image.
  const auto addressOf = [&](const ELFSymbolRef& symbol) -> llvm::Expected<int64_t> {
    auto section = symbol.getSection();
    if (!section) return section.takeError();
    auto value = symbol.getValue();
    if (!value) return value.takeError();
    if (*section != file.section_end())
      if (auto found = offsets.find((*section)->getIndex()); found != offsets.end()) return static_cast<int64_t>(found->second + *value);
    auto name = symbol.getName();
    return llvm::createStringError("plan code calls '" + (name ? name->str() : "?") + "', which a plan cannot import");
  };

  for (const SectionRef& section : file.sections()) {
    auto relocated = section.getRelocatedSection();
    if (!relocated || *relocated == file.section_end()) continue;
    const auto base = offsets.find((*relocated)->getIndex());
    if (base == offsets.end()) continue;
    for (const llvm::object::ELFRelocationRef relocation : section.relocations()) {
      auto symbol = addressOf(ELFSymbolRef(*relocation.getSymbol()));
      if (!symbol) return symbol.takeError();
      auto addend = relocation.getAddend();
      if (!addend) return addend.takeError();
      const int64_t place = static_cast<int64_t>(base->second + relocation.getOffset());
      char* at = image.bytes.data() + place;
      if (llvm::Error error = x86 ? applyX86(at, relocation.getType(), place, *symbol + *addend)
                                  : applyAArch64(at, relocation.getType(), place, *symbol + *addend))
        return error;
    }
  }
  for (const ELFSymbolRef symbol : file.symbols()) {
    auto name = symbol.getName();
    if (!name || !name->starts_with("hsa_")) continue;
    auto offset = addressOf(symbol);
    if (!offset) return offset.takeError();
    image.entries.push_back({name->drop_front(4).str(), static_cast<uint64_t>(*offset)});
  }
  return llvm::Error::success();
}

}  // namespace

llvm::Expected<Image> linkImage(llvm::ArrayRef<std::string> objects) {
  Image image;
  for (const std::string& object : objects)
    if (llvm::Error error = addObject(object, image)) return std::move(error);
  return image;
}

}  // namespace hsa::ir
