// ELF objects → a position-independent image: their code and constants side by side, every relocation resolved, nothing imported.
#pragma once

#include <string>
#include <vector>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace hsa::ir {

struct ImageEntry {
  std::string name;  // without the "hsa_" of its symbol
  uint64_t offset;   // bytes from the start of the image
};

struct Image {
  std::string bytes;
  std::vector<ImageEntry> entries;
};

// The objects one behind the other, which may call each other. An error names the symbol that would have to be imported, or the relocation that depends on
// where the image is loaded.
llvm::Expected<Image> linkImage(llvm::ArrayRef<std::string> objects);

}  // namespace hsa::ir
