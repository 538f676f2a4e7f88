// What a compiled plan depends on, as the name of its cache entry.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/precision.h"

namespace hsa::frontend {

// 32 hexadecimal digits: XXH3-128 of the source, the CPUs asked for ("native" with the features of this machine), the precision and CompilerVersion().
// `source` is the canonical form of a graph: WithDefaults(graph), serialized.
std::string CacheKey(std::string_view source, const std::vector<std::string>& cpus, Precision precision);

// Changes whenever the code that compiles may have changed: LLVM's version, and the build ids (or, where the linker wrote none, the sizes
// and modification times) of the binary that holds this function and of the LLVM libraries beside it. Read once.
const std::string& CompilerVersion();

}  // namespace hsa::frontend
