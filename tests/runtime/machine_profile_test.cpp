#include "runtime/machine_profile.h"

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/runtime/test_folder.h"

namespace hsa {
namespace {

class MachineProfileTest : public testing::Test {
 protected:
  // The file after a change.
  template <typename Change>
  MachineProfile Changed(Change change) {
    auto json = nlohmann::ordered_json::parse(ReadText(path_));
    change(json);
    WriteText(path_, json.dump());
    return MachineProfile(path_);
  }
  const TestFolder folder_;
  const std::string path_ = folder_ / "machine.json";
};

TEST_F(MachineProfileTest, KeepsWhatWasMeasured) {
  MachineProfile profile(path_);
  EXPECT_EQ(profile.problem(), "");
  EXPECT_FALSE(profile.Find("a").has_value());
  ASSERT_TRUE(profile.Keep("a", {2e9, 1e9}).ok());
  ASSERT_TRUE(profile.Keep("b", {3e9, 1e9}).ok());
  ASSERT_TRUE(profile.Keep("a", {4e9, 1e9}).ok());
  const MachineProfile again(path_);
  EXPECT_EQ(again.problem(), "");
  ASSERT_EQ(again.plans().size(), 2u);
  EXPECT_EQ(again.Find("a")->exact_keys_per_s, 4e9);
  EXPECT_EQ(again.Find("b")->splat_keys_per_s, 1e9);
  EXPECT_EQ(folder_.Files(), std::vector<std::string>{"machine.json"});
}

TEST_F(MachineProfileTest, ForgetsWhatWasMeasuredLongestAgo) {
  MachineProfile profile(path_);
  for (size_t i = 0; i <= MachineProfile::kMostPlans; ++i) ASSERT_TRUE(profile.Keep(std::to_string(i), {2e9, 1e9}).ok());
  EXPECT_EQ(MachineProfile(path_).plans().size(), MachineProfile::kMostPlans);
  EXPECT_FALSE(MachineProfile(path_).Find("0").has_value());
  EXPECT_TRUE(MachineProfile(path_).Find("1").has_value());
}

TEST_F(MachineProfileTest, AnotherMachinesIsNotUsed) {
  ASSERT_TRUE(MachineProfile(path_).Keep("a", {2e9, 1e9}).ok());
  const std::string mine = ReadText(path_);
  MachineProfile profile = Changed([](auto& json) { json["cpu"] = "Z80"; });
  EXPECT_EQ(profile.problem().find(path_ + ": has cpu 'Z80', this is '"), 0u) << profile.problem();
  EXPECT_TRUE(profile.plans().empty());
  ASSERT_TRUE(profile.Keep("b", {2e9, 1e9}).ok());  // takes its place
  EXPECT_EQ(MachineProfile(path_).problem(), "");
  EXPECT_FALSE(MachineProfile(path_).Find("a").has_value());

  WriteText(path_, mine);
  EXPECT_EQ(Changed([](auto& json) { json["features"].push_back("zzz"); }).problem(), path_ + ": is of a processor with other features");
  WriteText(path_, mine);
  profile = Changed([](auto& json) { json["producer"] = "hsa 0.0.1"; });
  EXPECT_EQ(profile.problem().find(path_ + ": has producer 'hsa 0.0.1', this is 'hsa "), 0u) << profile.problem();
}

TEST_F(MachineProfileTest, DamageIsTold) {
  ASSERT_TRUE(MachineProfile(path_).Keep("a", {2e9, 1e9}).ok());
  const std::string whole = ReadText(path_);
  for (const std::string& text : {whole.substr(0, whole.size() / 2), std::string(), std::string("[]"), std::string(4, '\0')}) {
    WriteText(path_, text);
    EXPECT_EQ(MachineProfile(path_).problem(), path_ + ": is damaged: no JSON object");
  }
  WriteText(path_, whole);
  EXPECT_EQ(Changed([](auto& json) { json.erase("plans"); }).problem(), path_ + ": is damaged: has no plans");
  for (const auto& rate : {nlohmann::json("fast"), nlohmann::json(0), nlohmann::json(-1e9), nlohmann::json(nullptr)}) {
    WriteText(path_, whole);
    const MachineProfile profile = Changed([&](auto& json) { json["plans"]["a"]["splat_keys_per_s"] = rate; });
    EXPECT_EQ(profile.problem(), path_ + ": is damaged: a plan has no rates");
    EXPECT_TRUE(profile.plans().empty());
  }
}

TEST_F(MachineProfileTest, WhatCannotBeReadOrWrittenIsTold) {
  EXPECT_EQ(MachineProfile(folder_ / ".").problem(), folder_ / "." + std::string(": cannot be read"));
  const absl::Status kept = MachineProfile(folder_ / "none/machine.json").Keep("a", {2e9, 1e9});
  EXPECT_NE(std::string(kept.message()).find("none/machine.json: cannot write: "), std::string::npos) << kept;
}

TEST(PlanRatesTest, TheFasterExactAttentionTheLaterSplatsPay) {
  EXPECT_EQ(CrossoverOf({1e9, 1e9}), kLeastCrossover);
  EXPECT_EQ(CrossoverOf({1e9, 2e9}), kLeastCrossover);
  EXPECT_NEAR(CrossoverOf({4e9, 1e9}), 15322, 5);  // AMX
  EXPECT_LT(CrossoverOf({2e9, 1e9}), CrossoverOf({2.1e9, 1e9}));
  EXPECT_EQ(CrossoverOf({1e12, 1e9}), kMostCrossover);
}

}  // namespace
}  // namespace hsa
