// A directory of files named by what they were made from. Any number of processes may share it; no entry in it is ever needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hsa::frontend {

inline constexpr int64_t kDefaultCacheBytes = int64_t{256} << 20;

// Every entry is complete when it can be seen (written beside, then renamed), but only the caller can tell whether the disk has kept it:
// what Get returns is to be checked, and Dropped when it is damaged. Nothing here fails: a directory that can't be used is as good as an
// empty one, and problem() says why.
class ObjectCache {
 public:
  // Entries and leftovers stay below max_bytes after every Put, except for the entry just put; the one unused longest goes first.
  // Makes the directory, for this user alone, when it is missing. Refuses one that everybody may write to: entries hold machine code.
  ObjectCache(std::string directory, int64_t max_bytes);

  // `key` is a file name: lower-case hexadecimal. The entry counts as used now.
  std::optional<std::string> Get(const std::string& key);
  void Put(const std::string& key, std::string_view bytes);
  void Drop(const std::string& key);

  // The first thing that went wrong: names the directory or file and the system's reason. Empty when all is well.
  const std::string& problem() const { return problem_; }

 private:
  std::string Path(const std::string& key) const;
  void Fail(const std::string& path, const std::string& reason);
  void Shrink(const std::string& keep);

  std::string directory_;
  int64_t max_bytes_;
  bool usable_ = false;
  std::string problem_;
};

}  // namespace hsa::frontend
