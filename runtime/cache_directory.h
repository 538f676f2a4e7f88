// The folder of this user in which HSA keeps what it could make again (docs/cache.md).
#pragma once

#include <string>

namespace hsa {

// $XDG_CACHE_HOME/hsa, else $HOME/.cache/hsa, else empty. (The XDG base directory specification: relative paths don't count.)
std::string DefaultCacheDirectory();

// Makes the directory, for this user alone, when it is missing. Empty, or why there can be no cache in it; one that everybody may write to is refused.
std::string MakeCacheDirectory(const std::string& directory);

}  // namespace hsa
