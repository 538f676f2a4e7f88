#include "frontend/object_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace hsa::frontend {
namespace {

namespace fs = std::filesystem;

class ObjectCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hsa_cache_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override {
    chmod(root_.c_str(), 0700);
    fs::remove_all(root_);
  }
  // The entry, last used `seconds` ago.
  void Age(const std::string& name, int64_t seconds) {
    const timespec then{std::time(nullptr) - seconds, 0};
    const timespec times[] = {then, then};
    ASSERT_EQ(utimensat(AT_FDCWD, (root_ + "/" + name).c_str(), times, 0), 0);
  }
  int64_t Files() const { return std::distance(fs::directory_iterator(root_), fs::directory_iterator()); }

  std::string root_;
};

TEST_F(ObjectCacheTest, KeepsWhatWasPut) {
  ObjectCache cache(root_, 1000);
  EXPECT_EQ(cache.Get("ab"), std::nullopt);
  cache.Put("ab", std::string("x\0y", 3));
  EXPECT_EQ(cache.Get("ab"), std::string("x\0y", 3));
  EXPECT_EQ(ObjectCache(root_, 1000).Get("ab"), std::string("x\0y", 3));  // another process
  cache.Put("ab", "z");
  EXPECT_EQ(cache.Get("ab"), "z");
  cache.Drop("ab");
  EXPECT_EQ(cache.Get("ab"), std::nullopt);
  EXPECT_EQ(cache.problem(), "");
  EXPECT_EQ(Files(), 0);
}

TEST_F(ObjectCacheTest, MakesItsDirectoryForThisUserAlone) {
  ObjectCache cache(root_ + "/a/b", 1000);
  cache.Put("ab", "x");
  EXPECT_EQ(cache.problem(), "");
  struct stat info;
  ASSERT_EQ(stat((root_ + "/a/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(ObjectCacheTest, DropsTheLongestUnused) {
  ObjectCache cache(root_, 25);
  cache.Put("aa", "0123456789");
  cache.Put("bb", "0123456789");
  Age("aa.hsaplan", 200);
  Age("bb.hsaplan", 100);
  EXPECT_TRUE(cache.Get("aa").has_value());  // used now: bb is older
  cache.Put("cc", "0123456789");
  EXPECT_TRUE(cache.Get("aa").has_value());
  EXPECT_FALSE(cache.Get("bb").has_value());
  EXPECT_TRUE(cache.Get("cc").has_value());
  cache.Put("dd", std::string(100, 'x'));  // alone larger than the cache: the one entry that stays
  EXPECT_TRUE(cache.Get("dd").has_value());
  EXPECT_EQ(Files(), 1);
}

TEST_F(ObjectCacheTest, SweepsWhatCrashedWritersLeft) {
  std::ofstream(root_ + "/aa.hsaplan.tmp.1.0") << "half";
  std::ofstream(root_ + "/bb.hsaplan.tmp.2.0") << "half";
  std::ofstream(root_ + "/notes.txt") << "not ours";
  Age("aa.hsaplan.tmp.1.0", 7200);
  ObjectCache cache(root_, 1);
  cache.Put("cc", "x");
  EXPECT_FALSE(fs::exists(root_ + "/aa.hsaplan.tmp.1.0"));
  EXPECT_TRUE(fs::exists(root_ + "/bb.hsaplan.tmp.2.0"));  // its writer may still be at work
  EXPECT_TRUE(fs::exists(root_ + "/notes.txt"));
}

TEST_F(ObjectCacheTest, UnusableDirectoryIsAnEmptyCache) {
  std::ofstream(root_ + "/file") << "x";
  ObjectCache cache(root_ + "/file", 1000);
  cache.Put("ab", "x");
  EXPECT_EQ(cache.Get("ab"), std::nullopt);
  EXPECT_EQ(cache.problem(), root_ + "/file: is not a directory; plans are not cached");
  EXPECT_EQ(ObjectCache("", 1000).problem(), "cache: neither XDG_CACHE_HOME nor HOME names a directory; plans are not cached");
  EXPECT_EQ(ObjectCache("/proc/nothing/here", 1000).problem(), "/proc/nothing/here: No such file or directory; plans are not cached");
}

TEST_F(ObjectCacheTest, RefusesADirectoryThatEverybodyMayWriteTo) {
  ASSERT_EQ(chmod(root_.c_str(), 0777), 0);
  ObjectCache cache(root_, 1000);
  cache.Put("ab", "x");
  EXPECT_EQ(Files(), 0);
  EXPECT_EQ(cache.problem(), root_ + ": everybody may write to it, and it would hold machine code; plans are not cached");
}

TEST_F(ObjectCacheTest, UnreadableEntryIsReported) {
  fs::create_directory(root_ + "/ab.hsaplan");
  ObjectCache cache(root_, 1000);
  EXPECT_EQ(cache.Get("ab"), std::nullopt);
  EXPECT_EQ(cache.problem(), root_ + "/ab.hsaplan: is a directory, a file is wanted; plans are not cached");
  cache.Put("ab", "x");  // can't replace it
  EXPECT_EQ(Files(), 1);
}

// Writers of one key at once: every reader sees one of the whole entries.
TEST_F(ObjectCacheTest, ReadersSeeWholeEntries) {
  std::vector<std::thread> writers;
  for (char c = 'a'; c < 'e'; ++c) {
    writers.emplace_back([&, c] {
      ObjectCache cache(root_, 1 << 20);
      for (int i = 0; i < 50; ++i) cache.Put("ab", std::string(100000, c));
    });
  }
  ObjectCache cache(root_, 1 << 20);
  for (int i = 0; i < 200; ++i) {
    const std::optional<std::string> entry = cache.Get("ab");
    if (!entry.has_value()) continue;
    ASSERT_EQ(entry->size(), 100000u);
    ASSERT_EQ(entry->find_first_not_of(entry->front()), std::string::npos);
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(cache.problem(), "");
  EXPECT_EQ(Files(), 1);
}

}  // namespace
}  // namespace hsa::frontend
