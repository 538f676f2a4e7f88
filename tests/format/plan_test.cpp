#include "runtime/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "kernels/machine.h"
#include "tests/format/small_plan.h"

namespace hsa {
namespace {

namespace fs = std::filesystem;
using format::BuildPlanFile;
using format::PlanHeader;
using format::PlanSections;
using format::SmallHeader;
using format::SmallPlanFile;
using format::SmallSections;

absl::StatusOr<Plan> FromBytes(const std::string& file) { return Plan::FromBytes(std::as_bytes(std::span(file)), "p.hsaplan"); }

bool Contains(const absl::Status& status, const std::string& words) {
  return std::string(status.message()).find(words) != std::string::npos;
}

int32_t Call(const Plan& plan, std::string_view entry) {
  int32_t result = 0;
  void* descriptors[] = {&result};
  plan.entry(entry)(descriptors);
  return result;
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() : path_(fs::path(testing::TempDir()) / ("plan_test." + std::to_string(getpid()) + ".hsaplan")) {}
  ~PlanTest() override { fs::remove(path_); }
  const std::string path_;
};

#if defined(__x86_64__) || defined(__aarch64__)

TEST(Plan, RunsItsCode) {
  const absl::StatusOr<Plan> plan = FromBytes(SmallPlanFile());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(Call(*plan, "attend"), 42);
  EXPECT_EQ(Call(*plan, "pack.bf16"), 42);
  EXPECT_EQ(plan->entry("pack"), nullptr);
  EXPECT_EQ(plan->entry(""), nullptr);
  EXPECT_EQ(plan->graph().query_heads(), 8u);
  EXPECT_EQ(plan->file_bytes(), static_cast<int64_t>(SmallPlanFile().size()));
}

TEST(Plan, EntriesAreOffsetsIntoTheCode) {
  PlanHeader header = SmallHeader();
  PlanSections sections = SmallSections();
  sections.code[0] = std::string(4096, '\0') + format::kStore42;  // the entry is on another page
  for (auto& entry : *header.mutable_variants(0)->mutable_entries()) entry.set_offset(4096);
  const absl::StatusOr<Plan> plan = FromBytes(BuildPlanFile(header, sections));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(Call(*plan, "attend"), 42);
}

// W^X: no page of a plan is writable and executable.
TEST(Plan, CodeIsNotWritable) {
  const absl::StatusOr<Plan> plan = FromBytes(SmallPlanFile());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const auto address = reinterpret_cast<uintptr_t>(plan->entry("attend"));
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin, end;
    char dash;
    std::string access;
    std::istringstream(line) >> std::hex >> begin >> dash >> end >> access;
    if (begin <= address && address < end) {
      EXPECT_EQ(access, "r-xp");
      return;
    }
  }
  FAIL() << "code is in no mapping";
}

TEST_F(PlanTest, ALaterChangeOfTheFileDoesNotReachIt) {
  ASSERT_TRUE(format::WritePlanFile(path_, SmallPlanFile()).ok());
  absl::StatusOr<Plan> plan = Plan::Load(path_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  std::ofstream(path_, std::ios::trunc) << "overwritten in place";
  EXPECT_EQ(Call(*plan, "attend"), 42);
  EXPECT_TRUE(plan->SelectVariant("second").ok());  // its code is still there
  EXPECT_EQ(Call(*plan, "attend"), 42);
}

TEST_F(PlanTest, SurvivesAMove) {
  absl::StatusOr<Plan> plan = FromBytes(SmallPlanFile());
  ASSERT_TRUE(plan.ok()) << plan.status();
  Plan moved = *std::move(plan);
  absl::StatusOr<Plan> other = FromBytes(SmallPlanFile());
  ASSERT_TRUE(other.ok());
  moved = *std::move(other);
  EXPECT_EQ(Call(moved, "attend"), 42);
}

#endif

TEST_F(PlanTest, NamesAMissingFile) {
  const absl::StatusOr<Plan> plan = Plan::Load(path_);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Contains(plan.status(), path_ + ": ")) << plan.status();
}

TEST_F(PlanTest, RefusesAFolder) {
  EXPECT_TRUE(Contains(Plan::Load(testing::TempDir()).status(), "not a regular file")) << Plan::Load(testing::TempDir()).status();
}

TEST_F(PlanTest, RefusesADamagedFile) {
  std::string file = SmallPlanFile();
  file.back() ^= 1;
  ASSERT_TRUE(format::WritePlanFile(path_, file).ok());
  const absl::StatusOr<Plan> plan = Plan::Load(path_);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Contains(plan.status(), path_ + ": is damaged")) << plan.status();
}

#if defined(__x86_64__)

// A plan with one variant per isa, the best last.
std::string ThreeVariants() {
  PlanHeader header = SmallHeader();
  header.clear_variants();
  for (const char* isa : {"sse2", "avx2", "avx512"}) *header.add_variants() = format::SmallVariant(isa, isa);
  for (auto& v : *header.mutable_variants()) v.clear_features();
  header.mutable_variants(2)->add_features("avx512vl");
  return BuildPlanFile(header, {.bytecode = "", .code = {format::kStore42, format::kStore42, format::kStore42}});
}

TEST(Plan, TakesTheBestVariant) {
  const Machine& machine = ThisMachine();
  const absl::StatusOr<Plan> plan = FromBytes(ThreeVariants());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const bool avx512 = machine.Has("avx512f") && machine.Has("avx512vl");
  EXPECT_EQ(plan->variant().name(), avx512 ? "avx512" : machine.Has("avx2") ? "avx2" : "sse2");
}

TEST(Plan, TakesTheVariantThatUsesMoreOfTheMachine) {
  PlanHeader header = SmallHeader();
  header.mutable_variants(1)->add_features("cmov");
  const absl::StatusOr<Plan> plan = FromBytes(BuildPlanFile(header, SmallSections()));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->variant().name(), "second");
}

TEST(Plan, SelectsAVariantByName) {
  absl::StatusOr<Plan> plan = FromBytes(ThreeVariants());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->SelectVariant("sse2").ok());
  EXPECT_EQ(plan->variant().name(), "sse2");
  EXPECT_EQ(Call(*plan, "attend"), 42);
  const absl::Status unknown = plan->SelectVariant("avx7");
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Contains(unknown, "no variant 'avx7', it has 'sse2', 'avx2', 'avx512'")) << unknown;
  EXPECT_EQ(plan->variant().name(), "sse2");  // a refused choice changes nothing
}

TEST(Plan, NamesTheFeaturesThatAVariantMisses) {
  PlanHeader header = SmallHeader();
  header.mutable_variants(1)->add_features("time-travel");
  absl::StatusOr<Plan> plan = FromBytes(BuildPlanFile(header, SmallSections()));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->variant().name(), "first");
  const absl::Status status = plan->SelectVariant("second");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(Contains(status, "'second' needs time-travel")) << status;
}

TEST(Plan, RefusesAnotherProcessor) {
  PlanHeader header = SmallHeader();
  header.mutable_variants(0)->add_features("time-travel");
  *header.mutable_variants(1) = format::SmallVariant("arm", "neon");
  header.mutable_variants(1)->set_triple("aarch64-unknown-linux-gnu");
  const absl::StatusOr<Plan> plan = FromBytes(BuildPlanFile(header, SmallSections()));
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Contains(plan.status(), "'first' needs time-travel, 'arm' is for aarch64-unknown-linux-gnu; ")) << plan.status();
}

TEST(Plan, RefusesAnotherOperatingSystem) {
  PlanHeader header = SmallHeader();
  for (auto& v : *header.mutable_variants()) v.set_triple("x86_64-pc-windows-msvc");
  const absl::StatusOr<Plan> plan = FromBytes(BuildPlanFile(header, SmallSections()));
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kFailedPrecondition);
}

// A variant that forgets to list the features of its own isa must not be chosen without them.
TEST(Plan, AnIsaNeedsItsFeatureEvenWhenUnlisted) {
  PlanHeader header = SmallHeader();
  header.mutable_variants(0)->set_isa("avx512");
  const absl::StatusOr<Plan> plan = FromBytes(BuildPlanFile(header, SmallSections()));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->variant().name(), ThisMachine().Has("avx512f") ? "first" : "second");
}

// Three variants of 50 KB, 50 KB of bytecode. The best of many loads is judged: the machine may be busy with other work.
TEST_F(PlanTest, LoadsAPlanOf200KbInTwoMilliseconds) {
  PlanHeader header = SmallHeader();
  *header.add_variants() = format::SmallVariant("third", "sse2");
  for (auto& v : *header.mutable_variants())
    for (int i = 0; i < 40; ++i)
      *v.add_entries() = v.entries(0), v.mutable_entries(v.entries_size() - 1)->set_name("entry" + std::to_string(i));
  const std::string code = format::kStore42 + std::string(50000, '\x90');
  const std::string file = BuildPlanFile(header, {.bytecode = std::string(50000, 'b'), .code = {code, code, code}});
  ASSERT_TRUE(format::WritePlanFile(path_, file).ok());
  std::vector<double> ms;
  for (int i = 0; i < 51; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<Plan> plan = Plan::Load(path_);
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    ASSERT_TRUE(plan.ok()) << plan.status();
  }
  const double first = ms[0];
  std::sort(ms.begin(), ms.end());
  std::cout << "load of " << file.size() << " bytes: first " << first << " ms, median " << ms[25] << " ms, best " << ms[0] << " ms\n";
  EXPECT_LT(ms[0], 2.0);
}

#endif

TEST(Machine, IsConsistent) {
  const Machine& machine = ThisMachine();
  EXPECT_TRUE(std::is_sorted(machine.features.begin(), machine.features.end()));
  EXPECT_GE(machine.cores, 1);
  EXPECT_FALSE(machine.Has("time-travel"));
#if defined(__x86_64__)
  EXPECT_TRUE(machine.Has("sse2"));  // part of every x86-64
  EXPECT_TRUE(!machine.Has("avx2") || machine.Has("avx"));
  EXPECT_EQ(machine.Has("avx2"), static_cast<bool>(__builtin_cpu_supports("avx2")));
  EXPECT_EQ(machine.Has("fma"), static_cast<bool>(__builtin_cpu_supports("fma")));
  EXPECT_EQ(machine.Has("bmi2"), static_cast<bool>(__builtin_cpu_supports("bmi2")));
  EXPECT_EQ(machine.Has("avx512f"), static_cast<bool>(__builtin_cpu_supports("avx512f")));
  EXPECT_EQ(machine.Has("avx512vnni"), static_cast<bool>(__builtin_cpu_supports("avx512vnni")));
#endif
}

}  // namespace
}  // namespace hsa
