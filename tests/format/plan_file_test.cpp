#include "runtime/format/plan_file.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>

#include "runtime/format/check_plan.h"
#include "tests/format/small_plan.h"

namespace hsa::format {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::MessageDifferencer;

std::span<const std::byte> Bytes(const std::string& file) { return std::as_bytes(std::span(file)); }

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class PlanFileTest : public testing::Test {
 protected:
  PlanFileTest() : folder_(fs::path(testing::TempDir()) / ("plan_file_test." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~PlanFileTest() override { fs::remove_all(folder_); }
  size_t FilesInFolder() const { return std::distance(fs::directory_iterator(folder_), {}); }
  const fs::path folder_;
};

TEST(BuildPlanFile, LaysBytesOutAsDocumented) {
  const std::string file = SmallPlanFile();
  const PlanPrefix prefix = ReadPrefix(Bytes(file));
  EXPECT_EQ(file.substr(0, 8), "HSAPLAN\n");
  EXPECT_EQ(prefix.version, 1u);
  const std::string hashed = file.substr(8, 8) + file.substr(24);
  EXPECT_EQ(prefix.checksum, XXH3_64bits(hashed.data(), hashed.size()));

  PlanHeader header;
  ASSERT_TRUE(header.ParseFromString(file.substr(24, prefix.header_bytes)));
  uint64_t end = 24 + prefix.header_bytes;
  for (const Section& section : {header.variants(0).code(), header.variants(1).code(), header.bytecode()}) {
    EXPECT_EQ(section.offset() % 64, 0u);
    ASSERT_GE(section.offset(), end);
    EXPECT_EQ(file.substr(end, section.offset() - end), std::string(section.offset() - end, '\0'));  // gaps are zeros
    end = section.offset() + section.bytes();
  }
  EXPECT_EQ(end, file.size());
  EXPECT_EQ(file.substr(header.variants(0).code().offset(), header.variants(0).code().bytes()), kStore42);
  EXPECT_EQ(file.substr(header.bytecode().offset()), SmallSections().bytecode);
}

TEST(BuildPlanFile, KeepsTheHeaderAsItIs) {
  absl::StatusOr<PlanHeader> header = CheckPlan(Bytes(SmallPlanFile()), "p");
  ASSERT_TRUE(header.ok()) << header.status();
  header->clear_bytecode();
  for (Variant& variant : *header->mutable_variants()) variant.clear_code();
  EXPECT_TRUE(MessageDifferencer::Equals(*header, SmallHeader()));
}

TEST(BuildPlanFile, IsDeterministic) { EXPECT_EQ(SmallPlanFile(), SmallPlanFile()); }

TEST(BuildPlanFile, ReplacesStaleSections) {
  PlanHeader header = RawHeader();  // offsets of another file
  EXPECT_EQ(BuildPlanFile(header, SmallSections()), SmallPlanFile());
}

TEST(BuildPlanFile, LeavesOutEmptyBytecode) {
  PlanSections sections = SmallSections();
  sections.bytecode.clear();
  const absl::StatusOr<PlanHeader> header = CheckPlan(Bytes(BuildPlanFile(SmallHeader(), sections)), "p");
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_FALSE(header->has_bytecode());
}

// Header sizes around every multiple of 64, where a layout that depends on its own size goes wrong first.
TEST(BuildPlanFile, IsValidForEveryHeaderSize) {
  PlanHeader header = SmallHeader();
  for (int length = 0; length < 200; ++length) {
    header.set_producer(std::string(length, 'x'));
    const absl::StatusOr<PlanHeader> checked = CheckPlan(Bytes(BuildPlanFile(header, SmallSections())), "p");
    ASSERT_TRUE(checked.ok()) << length << ": " << checked.status();
  }
}

#if defined(__x86_64__)
// A file that an earlier build wrote: version 1 stays readable for as long as kPlanVersion is 1.
TEST(BuildPlanFile, ReadsTheFirstFileOfThisVersion) {
  const std::string file = ReadFile(fs::path(HSA_SOURCE_DIR) / "tests/fuzz/corpus/plan/small");
  const absl::StatusOr<PlanHeader> header = CheckPlan(Bytes(file), "small.hsaplan");
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_TRUE(MessageDifferencer::Equals(header->graph(), SmallGraph()));
}
#endif

TEST_F(PlanFileTest, WritesAndReplaces) {
  const std::string path = folder_ / "a.hsaplan";
  ASSERT_TRUE(WritePlanFile(path, "first").ok());
  ASSERT_TRUE(WritePlanFile(path, "second").ok());
  EXPECT_EQ(ReadFile(path), "second");
  EXPECT_EQ(FilesInFolder(), 1u);  // no temporary file is left
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  const mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQ(info.st_mode & 0777, 0666 & ~mask);  // as any other output file
}

TEST_F(PlanFileTest, AReaderKeepsTheOldFile) {
  const std::string path = folder_ / "a.hsaplan";
  ASSERT_TRUE(WritePlanFile(path, "first").ok());
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(WritePlanFile(path, "second").ok());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "first");
}

TEST_F(PlanFileTest, NamesPathAndReasonOfAFailure) {
  const std::string path = folder_ / "missing/a.hsaplan";
  const absl::Status status = WritePlanFile(path, "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()).find(path + ": cannot create"), 0u) << status;
}

TEST_F(PlanFileTest, WritesToADeviceAsItIs) {
  EXPECT_TRUE(WritePlanFile("/dev/null", "x").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(WritePlanFile("/dev/full", "x").code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(PlanFileTest, AFolderIsNotReplaced) {
  const std::string path = folder_ / "a.hsaplan";
  fs::create_directory(path);
  EXPECT_FALSE(WritePlanFile(path, "x").ok());
  EXPECT_EQ(FilesInFolder(), 1u);
}

}  // namespace
}  // namespace hsa::format
