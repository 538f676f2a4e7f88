#include "frontend/cache_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "frontend/target_cpu.h"

namespace hsa::frontend {
namespace {

TEST(CacheKeyTest, TellsApartWhatGivesOtherCode) {
  const std::string key = CacheKey("g", {"native"}, Precision::kF32);
  EXPECT_EQ(key.size(), 32u);
  EXPECT_EQ(key.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(CacheKey("g", {"native"}, Precision::kF32), key);
  const std::set<std::string> keys = {key,
                                      CacheKey("h", {"native"}, Precision::kF32),
                                      CacheKey("g", {"x86-64-v3"}, Precision::kF32),
                                      CacheKey("g", {"x86-64-v3", "znver4"}, Precision::kF32),
                                      CacheKey("g", {"znver4", "x86-64-v3"}, Precision::kF32),
                                      CacheKey("", {"g", "native"}, Precision::kF32),
                                      CacheKey("g", {"native"}, Precision::kBf16),
                                      CacheKey("g", {"native"}, Precision::kStored)};
  EXPECT_EQ(keys.size(), 8u);
}

TEST(CacheKeyTest, CompilerVersionNamesTheBinaryAndLlvm) {
  EXPECT_NE(CompilerVersion().find(" LLVM 22."), std::string::npos) << CompilerVersion();
  EXPECT_NE(CompilerVersion().find(" hsa="), std::string::npos) << CompilerVersion();
  EXPECT_NE(CompilerVersion().find(" libLLVM"), std::string::npos) << CompilerVersion();
}

TEST(TargetCpuTest, ParsesNames) {
  const auto cpus = ParseCpus("native,x86-64-v3,znver4,neoverse-v2");
  ASSERT_TRUE(cpus.ok()) << cpus.status();
  EXPECT_EQ(*cpus, (std::vector<std::string>{"native", "x86-64-v3", "znver4", "neoverse-v2"}));
  EXPECT_EQ(ParseCpus("znver44").status().message(),
            "CPU 'znver44' is neither 'native' nor a name that LLVM knows; did you mean 'znver4'?");
  EXPECT_EQ(ParseCpus("native,native").status().message(), "CPU 'native' is named twice");
  EXPECT_EQ(ParseCpus("").status().message(),
            "CPU '' is neither 'native' nor a name that LLVM knows: x86-64-v3, znver4, sapphirerapids, ...");
  EXPECT_FALSE(ParseCpus("i386").ok());  // 32-bit
  EXPECT_FALSE(CheckCpus({}).ok());
}

}  // namespace
}  // namespace hsa::frontend
