#include "tools/run_options.h"

#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tools/byte_size.h"

namespace hsa {
namespace {

absl::StatusOr<RunCommand> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "hsa-run");
  return ParseRunOptions(static_cast<int>(arguments.size()), arguments.data());
}

TEST(RunOptionsTest, DefaultsAreThePlansTheta) {
  const auto command = Parse({"a.hsaplan", "--in", "in.safetensors"});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->plan, "a.hsaplan");
  EXPECT_EQ(command->input, "in.safetensors");
  EXPECT_EQ(command->output, "");
  EXPECT_EQ(command->options.mode, std::nullopt);  // the plan says
  EXPECT_FALSE(command->options.theta.has_value());
  EXPECT_EQ(command->out_dtype, DType::kF32);
  EXPECT_EQ(command->options.memory_budget_bytes, 0);
  EXPECT_FALSE(command->lse);
  EXPECT_FALSE(command->error);
}

TEST(RunOptionsTest, ExactIsStreamed) {
  const auto command = Parse({"a.hsaplan", "--in=in", "--exact", "--segment", "4096"});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->options.mode, Mode::kExact);
  EXPECT_EQ(command->options.segment_tokens, 4096);
}

TEST(RunOptionsTest, EveryFlagArrives) {
  const auto command =
      Parse({"a.hsaplan",    "--in=in",     "-o",        "out",   "--budget",        "0.25",     "--seed=18446744073709551615",
             "--save-index", "index",       "--threads", "3",     "--memory-budget", "256MiB",   "--scratch",
             "/tmp",         "--out-dtype", "bf16",      "--lse", "--error",         "--trace",  "t",
             "--verify",     "64",          "--report",  "r",     "--variant",       "x86-64-v3"});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->output, "out");
  EXPECT_EQ(command->options.mode, Mode::kBudget);
  EXPECT_EQ(command->options.budget, 0.25);
  EXPECT_EQ(command->options.seed, ~uint64_t{0});
  EXPECT_EQ(command->options.save_index, "index");
  EXPECT_EQ(command->options.threads, 3);
  EXPECT_EQ(command->options.memory_budget_bytes, 256 << 20);
  EXPECT_EQ(command->options.scratch_dir, "/tmp");
  EXPECT_EQ(command->out_dtype, DType::kBF16);
  EXPECT_TRUE(command->lse);
  EXPECT_TRUE(command->error);
  EXPECT_EQ(command->trace, "t");
  EXPECT_EQ(command->verify, 64);
  EXPECT_EQ(command->report, "r");
  EXPECT_EQ(command->variant, "x86-64-v3");
}

TEST(RunOptionsTest, Modes) {
  EXPECT_EQ(Parse({"p", "--in", "i", "--exact"})->options.mode, Mode::kExact);
  const auto theta = Parse({"p", "--in", "i", "--theta", "1e-3", "--index", "x"});
  ASSERT_TRUE(theta.ok()) << theta.status();
  EXPECT_EQ(theta->options.mode, Mode::kTheta);
  EXPECT_EQ(theta->options.theta, 1e-3);
  EXPECT_EQ(theta->options.load_index, "x");
  EXPECT_FALSE(theta->options.check_index);
  EXPECT_TRUE(Parse({"p", "--in", "i", "--index", "x", "--check-index"})->options.check_index);
  EXPECT_EQ(Parse({"p", "--in", "i", "--theta", "0"})->options.theta, 0.0);
  EXPECT_EQ(Parse({"p", "--in", "i", "--budget", "1"})->options.budget, 1.0);
  const auto tolerance = Parse({"p", "--in", "i", "--tolerance", "0.02", "--confidence", "0.9"});
  ASSERT_TRUE(tolerance.ok()) << tolerance.status();
  EXPECT_EQ(tolerance->options.mode, Mode::kTolerance);
  EXPECT_EQ(tolerance->options.tolerance.error, 0.02);
  EXPECT_EQ(tolerance->options.tolerance.confidence, 0.9);
  EXPECT_EQ(Parse({"p", "--in", "i", "--tolerance", "0.1"})->options.tolerance.confidence, 0.95);
}

TEST(RunOptionsTest, HelpAndVersionWantNothingElse) {
  for (const char* flag : {"--help", "-h", "--version"}) {
    const auto command = Parse({flag});
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_FALSE(command->help.empty());
  }
  EXPECT_NE(Parse({"--help"})->help.find("--memory-budget"), std::string::npos);
  EXPECT_EQ(Parse({"--version"})->help.find("hsa-run "), 0u);
}

struct Wrong {
  std::string name;
  std::vector<const char*> arguments;  // behind PLAN --in FILE
  std::string message;
};
std::ostream& operator<<(std::ostream& out, const Wrong& wrong) { return out << wrong.name; }

class WrongUsageTest : public testing::TestWithParam<Wrong> {};
TEST_P(WrongUsageTest, IsOneLineThatNamesTheFlag) {
  std::vector<const char*> arguments = {"a.hsaplan", "--in", "in.safetensors"};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  const auto command = Parse(arguments);
  EXPECT_EQ(command.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(command.status().message());
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}
const Wrong kWrong[] = {
    {"unknown_flag", {"--bogus"}, "--bogus"},
    {"two_plans", {"b.hsaplan"}, "b.hsaplan"},
    {"no_value", {"--theta"}, "--theta"},
    {"empty_value", {"--theta", ""}, "--theta is empty"},
    {"empty_output", {"-o", ""}, "--output is empty"},
    {"tolerance_zero", {"--tolerance", "0"}, "--tolerance is '0', wanted more than 0, less than 1"},
    {"tolerance_one", {"--tolerance", "1"}, "--tolerance is '1'"},
    {"tolerance_nan", {"--tolerance", "nan"}, "--tolerance is 'nan'"},
    {"confidence_zero", {"--confidence", "0"}, "--confidence is '0', wanted more than 0, less than 1"},
    {"confidence_one", {"--tolerance", "0.1", "--confidence", "1"}, "--confidence is '1'"},
    {"tolerance_and_budget", {"--tolerance", "0.1", "--budget", "0.1"}, "exclude each other"},
    {"confidence_and_budget", {"--confidence", "0.9", "--budget", "0.1"}, "--confidence belongs to --tolerance"},
    {"exact_and_theta", {"--exact", "--theta", "0.1"}, "--exact, --tolerance, --theta and --budget exclude each other"},
    {"theta_and_budget", {"--theta", "0.1", "--budget", "0.1"}, "exclude each other"},
    {"error_of_a_theta", {"--error", "--theta", "0.1"}, "--error is scaled by audited queries"},
    {"theta_negative", {"--theta", "-1"}, "--theta is '-1', wanted a number of 0 or more"},
    {"theta_nan", {"--theta", "nan"}, "--theta is 'nan'"},
    {"theta_infinite", {"--theta", "inf"}, "--theta is 'inf'"},
    {"theta_word", {"--theta", "small"}, "--theta is 'small'"},
    {"theta_with_a_tail", {"--theta", "0.1x"}, "--theta is '0.1x'"},
    {"budget_zero", {"--budget", "0"}, "--budget is '0', wanted more than 0, at most 1"},
    {"budget_above_one", {"--budget", "1.5"}, "--budget is '1.5'"},
    {"seed_negative", {"--seed=-1"}, "--seed is '-1'"},
    {"seed_too_large", {"--seed", "18446744073709551616"}, "--seed is '18446744073709551616'"},
    {"threads_zero", {"--threads", "0"}, "--threads is '0', wanted 1 to 65536"},
    {"segment_of_splats", {"--segment", "4096"}, "--segment is of exact mode"},
    {"segment_zero", {"--exact", "--segment", "0"}, "--segment is '0'"},
    {"links_by", {"--make-splats", "s", "--links-by", "all"}, "--links-by is 'all', wanted zeros or overlap"},
    {"links_by_alone", {"--links-by", "overlap"}, "--links-by makes links, give it with --make-splats"},
    {"verify_zero", {"--verify", "0"}, "--verify is '0'"},
    {"memory_unit", {"--memory-budget", "12parsecs"}, "--memory-budget is '12parsecs', wanted a size such as 256MiB"},
    {"memory_zero", {"--memory-budget", "0"}, "--memory-budget is '0'"},
    {"out_dtype", {"--out-dtype", "f64"}, "--out-dtype is 'f64', wanted f32 or bf16"},
    {"affinity_cache", {"--affinity-cache", "0"}, "--affinity-cache is '0', wanted a size such as 64MiB"},
    {"search", {"--search", "bisection"}, "--search is 'bisection', wanted brute, descent or hnsw"},
    {"exact_with_index", {"--exact", "--index", "x"}, "--exact reads every key and has no index"},
    {"check_no_index", {"--check-index"}, "--check-index looks at an index"},
    {"splats_and_make_splats", {"--splats", "x", "--make-splats", "y"}, "--splats and --make-splats exclude each other"},
    {"load_and_save_index", {"--index", "x", "--save-index", "y"}, "--index and --save-index exclude each other"},
    {"output_is_input", {"-o", "./in.safetensors"}, "--in and -o are the same file"},
    {"output_is_report", {"-o", "x", "--report", "x"}, "-o and --report are the same file x"},
};
INSTANTIATE_TEST_SUITE_P(Cases, WrongUsageTest, testing::ValuesIn(kWrong), [](const auto& info) { return info.param.name; });

TEST(RunOptionsTest, Searches) {
  EXPECT_EQ(Parse({"p", "--in", "i"})->options.search, std::nullopt);
  EXPECT_EQ(Parse({"p", "--in", "i", "--search", "brute"})->options.search, LevelSearch::kBrute);
  EXPECT_EQ(Parse({"p", "--in", "i", "--search", "descent"})->options.search, LevelSearch::kDescent);
  EXPECT_EQ(Parse({"p", "--in", "i", "--search", "hnsw"})->options.search, LevelSearch::kHnsw);
  EXPECT_EQ(Parse({"p", "--in", "i"})->affinity_cache_bytes, 0);
  EXPECT_EQ(Parse({"p", "--in", "i", "--affinity-cache", "64MiB"})->affinity_cache_bytes, 64 << 20);
}

TEST(RunOptionsTest, Links) {
  EXPECT_EQ(Parse({"p", "--in", "i", "--make-splats", "s"})->links_by, LinksBy::kZeros);
  EXPECT_EQ(Parse({"p", "--in", "i", "--make-splats", "s", "--links-by", "overlap"})->links_by, LinksBy::kOverlap);
}

TEST(RunOptionsTest, PlanAndInputAreRequired) {
  EXPECT_FALSE(Parse({}).ok());
  EXPECT_FALSE(Parse({"a.hsaplan"}).ok());
  EXPECT_NE(std::string(Parse({"a.hsaplan"}).status().message()).find("--in"), std::string::npos);
  EXPECT_TRUE(Parse({"p", "--in", "i", "--report", "/dev/null", "--trace", "/dev/null"}).ok());  // a device is not overwritten
}

TEST(ByteSizeTest, ParsesWhatPeopleWrite) {
  EXPECT_EQ(ParseByteSize("4096"), 4096);
  EXPECT_EQ(ParseByteSize("4096B"), 4096);
  EXPECT_EQ(ParseByteSize("256MiB"), 256 << 20);
  EXPECT_EQ(ParseByteSize("256 mib"), 256 << 20);
  EXPECT_EQ(ParseByteSize("1.5GiB"), int64_t{3} << 29);
  EXPECT_EQ(ParseByteSize("2TiB"), int64_t{2} << 40);
  for (const char* bad : {"", "MiB", "-1", "+1", "1MB", "1 MiB x", "nan", "inf", "1e3", "99999999999TiB"})
    EXPECT_EQ(ParseByteSize(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace hsa
