#include "runtime/cache_directory.h"

#include <cstdlib>

#include "gtest/gtest.h"

namespace hsa {
namespace {

TEST(DefaultCacheDirectoryTest, FollowsTheXdgSpecification) {
  setenv("HOME", "/home/someone", 1);
  setenv("XDG_CACHE_HOME", "/var/cache/someone", 1);
  EXPECT_EQ(DefaultCacheDirectory(), "/var/cache/someone/hsa");
  setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(DefaultCacheDirectory(), "/home/someone/.cache/hsa");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(DefaultCacheDirectory(), "/home/someone/.cache/hsa");
  unsetenv("HOME");
  EXPECT_EQ(DefaultCacheDirectory(), "");
}

}  // namespace
}  // namespace hsa
