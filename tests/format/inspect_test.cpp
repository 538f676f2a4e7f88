// The program hsa-inspect: what it prints, where, and its exit status.
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "nlohmann/json.hpp"
#include "tests/format/small_plan.h"

namespace hsa {
namespace {

namespace fs = std::filesystem;
using format::PlanHeader;
using nlohmann::json;

struct Ended {
  int status;
  std::string out, error;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class InspectTest : public testing::Test {
 protected:
  InspectTest() : folder_(fs::path(testing::TempDir()) / ("inspect_test." + std::to_string(getpid()))) { fs::create_directories(folder_); }
  ~InspectTest() override { fs::remove_all(folder_); }

  std::string Write(const std::string& bytes) const {
    const std::string path = folder_ / "a.hsaplan";
    EXPECT_TRUE(format::WritePlanFile(path, bytes).ok());
    return path;
  }
  Ended Inspect(const std::string& arguments) const {
    const fs::path out = folder_ / "out", error = folder_ / "error";
    const int status = system((HSA_INSPECT " " + arguments + " >" + out.string() + " 2>" + error.string()).c_str());
    return {WEXITSTATUS(status), ReadFile(out), ReadFile(error)};
  }
  void ExpectRefused(const std::string& arguments, int status, const std::string& words) const {
    const Ended ended = Inspect(arguments);
    EXPECT_EQ(ended.status, status) << arguments;
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.error.find("hsa-inspect: "), 0u) << ended.error;
    EXPECT_NE(ended.error.find(words), std::string::npos) << ended.error;
    EXPECT_EQ(std::count(ended.error.begin(), ended.error.end(), '\n'), 1) << ended.error;
  }
  const fs::path folder_;
};

TEST_F(InspectTest, PrintsAPlan) {
  const Ended ended = Inspect(Write(format::SmallPlanFile()));
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.error, "");
  for (const char* line : {
           "a.hsaplan: plan version 1, ",
           "\n  q [8, N, 64]  k [2, M, 64]  v [2, M, 64]  ->  o [8, N, 64]\n  scale 0.125, causal\n",
           "\n  0  pack  once per segment, entry pack.{f32,bf16,f16}\n      @k_rows input[?x64], panel f32[64x64]\n",
           "\n  panel        0  16,384  ##\n  scores  16,384   4,096  .#\n",
           "\n  * first  ",
           " bytes, 15 of them bytecode; written by hsa test\n",
           ", takes 'first'.\n",
       })
    EXPECT_NE(ended.out.find(line), std::string::npos) << line << "\nis not in\n" << ended.out;
}

// docs/plan_format.md shows this; which variant has the star depends on the machine.
TEST_F(InspectTest, PrintsWhatIsDocumented) {
  const std::string file = "tests/fuzz/corpus/plan/four_variants";
  const Ended ended = Inspect(HSA_SOURCE_DIR "/" + file);
  const std::string page = ReadFile(HSA_SOURCE_DIR "/docs/plan_format.md");
  const std::string shown = ended.out.substr(ended.out.find(file), ended.out.find("4 variants") - ended.out.find(file));
  EXPECT_EQ(ended.status, 0) << ended.error;
  EXPECT_NE(page.find(shown), std::string::npos) << shown;
}

TEST_F(InspectTest, PrintsAPlanForAnotherMachine) {
  PlanHeader header = format::SmallHeader();
  for (auto& v : *header.mutable_variants()) v.add_features("time-travel");
  const std::string path = Write(BuildPlanFile(header, format::SmallSections()));
  const Ended ended = Inspect(path);
  EXPECT_EQ(ended.status, 0) << ended.error;
  EXPECT_NE(ended.out.find("not here: 'first' needs time-travel"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("takes none of them"), std::string::npos) << ended.out;
  EXPECT_TRUE(json::parse(Inspect(path + " --json").out)["takes"].is_null());
}

TEST_F(InspectTest, PrintsJson) {
  const Ended ended = Inspect("--json " + Write(format::SmallPlanFile()));
  EXPECT_EQ(ended.status, 0) << ended.error;
  const json plan = json::parse(ended.out);
  EXPECT_EQ(plan["version"], 1);
  EXPECT_EQ(plan["graph"]["splats"]["level_tokens"], json({16, 64, 256, 1024, 8192}));
  EXPECT_EQ(plan["stages"][0]["arguments"][1], json({{"buffer", "panel"}, {"type", "f32"}, {"shape", {64, 64}}}));
  EXPECT_EQ(plan["buffers"][1]["first"], 1);
  EXPECT_EQ(plan["variants"][0]["code_bytes"], format::kStore42.size());
  EXPECT_EQ(plan["variants"][1]["entries"]["attend"], 0);
  EXPECT_EQ(plan["takes"], "first");
}

// Levels by their names, those of their places where an older file has none.
TEST_F(InspectTest, PrintsLevelsAndAdaptation) {
  PlanHeader header = format::SmallHeader();
  header.mutable_graph()->clear_splats();
  format::Routed& routed = *header.mutable_graph()->mutable_routed();
  routed.set_center("center"), routed.set_variance("variance");
  for (uint32_t splats : {48, 16}) routed.add_levels()->set_splats(splats), routed.mutable_levels()->rbegin()->set_weight(1);
  routed.mutable_levels(1)->set_name("page");
  format::Adapt& adapt = *routed.mutable_adapt();
  adapt.set_segment_tokens(1024), adapt.set_least_splats(2), adapt.set_history(16), adapt.set_memory(0.5), adapt.set_cover(8),
      adapt.set_gain(2);
  const std::string path = Write(BuildPlanFile(header, format::SmallSections()));
  const Ended ended = Inspect(path);
  EXPECT_EQ(ended.error, "");
  EXPECT_NE(ended.out.find("48 token + 16 page diagonal splats"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("; adapts every 1024 tokens"), std::string::npos) << ended.out;
  const json graph = json::parse(Inspect(path + " --json").out)["graph"]["routed"];
  EXPECT_EQ(graph["window"], 0);
  EXPECT_EQ(graph["levels"][0]["name"], "token");
  EXPECT_EQ(graph["levels"][1]["name"], "page");
  EXPECT_EQ(graph["adapt"]["memory"], 0.5);
  routed.clear_adapt(), routed.set_window(1024);
  const std::string windowed = Write(BuildPlanFile(header, format::SmallSections()));
  EXPECT_NE(Inspect(windowed).out.find("; a token sees a window of 1024"), std::string::npos) << Inspect(windowed).error;
  EXPECT_EQ(json::parse(Inspect(windowed + " --json").out)["graph"]["routed"]["window"], 1024);
}

TEST_F(InspectTest, PrintsTheMachine) {
  EXPECT_NE(Inspect("--machine").out.find("\n  features  "), std::string::npos);
  const json machine = json::parse(Inspect("--machine --json").out);
  EXPECT_GE(machine["cores"], 1);
  EXPECT_GT(machine["f32_peak_gflops"], 0.01);
  EXPECT_GT(machine["read_gbytes_per_s"], 0.01);
  EXPECT_TRUE(machine["plans"].is_array());
}

TEST_F(InspectTest, RefusesFilesWithStatus1) {
  ExpectRefused((folder_ / "missing").string(), 1, "missing: cannot open: No such file or directory");
  std::string damaged = format::SmallPlanFile();
  damaged[40] ^= 1;
  ExpectRefused(Write(damaged), 1, "a.hsaplan: is damaged");
  ExpectRefused(Write(""), 1, "is truncated: 0 bytes");
  // A header that no longer parses must not make protobuf speak as well.
  std::string forged = format::SmallPlanFile();
  forged.replace(format::kPlanPrefixBytes + 2, 2, "\xff\xff");
  format::Seal(forged);
  ExpectRefused(Write(forged), 1, "does not parse");
}

TEST_F(InspectTest, RefusesUsageWithStatus2) {
  ExpectRefused("", 2, "PLAN is missing");
  ExpectRefused("--bogus", 2, "--bogus");
  ExpectRefused("a.hsaplan --machine", 2, "both given");
  ExpectRefused("a.hsaplan b.hsaplan", 2, "b.hsaplan");
}

TEST_F(InspectTest, AFullDiskIsAFailure) {
  const std::string path = Write(format::SmallPlanFile());
  EXPECT_EQ(WEXITSTATUS(system((HSA_INSPECT " " + path + " >/dev/full 2>/dev/null").c_str())), 1);
}

}  // namespace
}  // namespace hsa
