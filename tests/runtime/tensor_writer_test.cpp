#include "runtime/tensor_writer.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <optional>
#include <ostream>

#include "runtime/tensor_source.h"
#include "tests/runtime/test_folder.h"

namespace hsa {
namespace {

void Store(const MutableTensorView& tensor, int64_t head, int64_t token, float value) {
  std::memcpy(tensor.Row(head, token), &value, sizeof value);
}

TEST(TensorWriterTest, WritesWhatTheReaderReads) {
  const TestFolder folder;
  const TensorSpec tensors[] = {{"o", DType::kBF16, {2, 3, 5}}, {"lse", DType::kF32, {2, 3}}};
  auto writer = TensorWriter::Create(folder / "out", tensors);
  ASSERT_TRUE(writer.ok()) << writer.status();
  const MutableTensorView lse = writer->View("lse");
  EXPECT_EQ(lse.shape, (std::array<int64_t, 3>{1, 2, 3}));
  EXPECT_EQ(writer->View("o").shape, (std::array<int64_t, 3>{2, 3, 5}));
  EXPECT_EQ(writer->View("nothing").data, nullptr);
  Store(lse, 0, 1, 42);
  EXPECT_EQ(folder.Files(), std::vector<std::string>{"out.tmp." + std::to_string(getpid())});
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_EQ(folder.Files(), std::vector<std::string>{"out"});

  const auto file = TensorFile::Open(folder / "out");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->tensors()[0].name, "lse");  // wider elements first, so that all are aligned
  EXPECT_EQ(file->tensors()[0].begin % 64, 0);
  EXPECT_EQ(file->tensors()[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(file->Get("o").ok()) << file->Get("o").status();
  float stored = 0;
  std::memcpy(&stored, ReadText(folder / "out").data() + file->tensors()[0].begin + 3 * 4, sizeof stored);
  EXPECT_EQ(stored, 42);
}

TEST(TensorWriterTest, RowsStayReadableWhenTheyAreReady) {
  const TestFolder folder;
  const TensorSpec tensors[] = {{"o", DType::kF32, {2, 4096, 4}}};
  auto writer = TensorWriter::Create(folder / "out", tensors);
  ASSERT_TRUE(writer.ok()) << writer.status();
  const MutableTensorView o = writer->View("o");
  for (int64_t head = 0; head < 2; ++head)
    for (int64_t token = 0; token < 4096; ++token) Store(o, head, token, static_cast<float>(head * 4096 + token));
  writer->RowsReady("o", 0, 3000);
  writer->RowsReady("o", 3000, 9999);
  writer->RowsReady("nothing", 0, 1);
  for (int64_t token = 0; token < 4096; ++token) {
    float value = 0;
    std::memcpy(&value, o.Row(1, token), sizeof value);
    ASSERT_EQ(value, static_cast<float>(4096 + token));
  }
  EXPECT_TRUE(writer->Commit().ok());
}

TEST(TensorWriterTest, WithoutCommitNothingIsLeftAndTheOldFileStays) {
  const TestFolder folder;
  WriteText(folder / "out", "old");
  const TensorSpec tensors[] = {{"o", DType::kF32, {1, 1, 1}}};
  {
    auto writer = TensorWriter::Create(folder / "out", tensors);
    ASSERT_TRUE(writer.ok()) << writer.status();
    TensorWriter moved = *std::move(writer);
    EXPECT_NE(moved.View("o").data, nullptr);
  }
  EXPECT_EQ(folder.Files(), std::vector<std::string>{"out"});
  EXPECT_EQ(ReadText(folder / "out"), "old");
}

TEST(TensorWriterTest, CommitsOnce) {
  const TestFolder folder;
  const TensorSpec tensors[] = {{"o", DType::kF32, {1, 1, 1}}};
  auto writer = TensorWriter::Create(folder / "out", tensors);
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_TRUE(writer->Commit().ok());
  EXPECT_FALSE(writer->Commit().ok());
}

TEST(TensorWriterTest, FollowsALinkAndReplacesWhatAKilledRunLeft) {
  const TestFolder folder;
  std::filesystem::create_symlink("real", folder / "link");
  WriteText(folder / "real", "old");
  WriteText((folder / "real") + ".tmp." + std::to_string(getpid()), "left behind");
  const TensorSpec tensors[] = {{"o", DType::kF32, {1, 1, 1}}};
  auto writer = TensorWriter::Create(folder / "link", tensors);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_TRUE(TensorFile::Open(folder / "real").ok());
  EXPECT_EQ(folder.Files().size(), 2u);
}

TEST(TensorWriterTest, ZeroTokens) {
  const TestFolder folder;
  const TensorSpec tensors[] = {{"o", DType::kBF16, {3, 0, 64}}, {"lse", DType::kF32, {3, 0}}};
  auto writer = TensorWriter::Create(folder / "out", tensors);
  ASSERT_TRUE(writer.ok()) << writer.status();
  writer->RowsReady("o", 0, 0);
  ASSERT_TRUE(writer->Commit().ok());
  const auto file = TensorFile::Open(folder / "out");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Get("o")->tokens(), 0);
}

struct BadSpec {
  std::string name;
  std::vector<TensorSpec> tensors;
  std::string message;
};
std::ostream& operator<<(std::ostream& out, const BadSpec& bad) { return out << bad.name; }

class BadSpecTest : public testing::TestWithParam<BadSpec> {};
TEST_P(BadSpecTest, IsRefused) {
  const TestFolder folder;
  const auto writer = TensorWriter::Create(folder / "out", GetParam().tensors);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(writer.status().message()).find(GetParam().message), std::string::npos) << writer.status();
  EXPECT_TRUE(folder.Files().empty());
}
constexpr int64_t kHuge = int64_t{1} << 61;
const BadSpec kBadSpecs[] = {
    {"negative", {{"o", DType::kF32, {1, -1, 1}}}, "wanted sizes of 0 or more"},
    {"rank_1", {{"o", DType::kF32, {1}}}, "wanted rank 2 or 3"},
    {"overflow", {{"o", DType::kF32, {kHuge, kHuge, 1}}}, "more bytes than a file can have"},
    {"overflow_beside_zero", {{"o", DType::kF32, {0, kHuge, kHuge}}}, "more bytes than a file can have"},
    {"name_twice", {{"o", DType::kF32, {1, 1, 1}}, {"o", DType::kF32, {1, 1}}}, "'o' is empty, reserved or comes twice"},
    {"name_reserved", {{"__metadata__", DType::kF32, {1, 1}}}, "reserved"},
};
INSTANTIATE_TEST_SUITE_P(Cases, BadSpecTest, testing::ValuesIn(kBadSpecs), [](const auto& info) { return info.param.name; });

TEST(TensorWriterTest, RefusesFoldersDevicesAndMissingFolders) {
  const TestFolder folder;
  const TensorSpec tensors[] = {{"o", DType::kF32, {1, 1, 1}}};
  for (const std::string& path : {folder / ".", std::string("/dev/null"), folder / "no/such"}) {
    const auto writer = TensorWriter::Create(path, tensors);
    EXPECT_EQ(writer.status().code(), absl::StatusCode::kFailedPrecondition) << path;
    EXPECT_TRUE(std::string(writer.status().message()).starts_with(path)) << writer.status();
  }
  EXPECT_TRUE(folder.Files().empty());
}

// 1 EiB: more than any disk has.
TEST(TensorWriterTest, NoSpaceNamesBothNumbers) {
  const TestFolder folder;
  const TensorSpec tensors[] = {{"o", DType::kF32, {1, int64_t{1} << 40, int64_t{1} << 18}}};
  const auto writer = TensorWriter::Create(folder / "out", tensors);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
  const std::string message(writer.status().message());
  EXPECT_NE(message.find("no space left: needs 1152921504606847104 bytes, has "), std::string::npos) << message;
  EXPECT_TRUE(folder.Files().empty());
}

TEST(TensorWriterTest, FileSizeLimitIsAnError) {
  const TestFolder folder;
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit limit = before;
  limit.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const TensorSpec tensors[] = {{"o", DType::kF32, {1, 4096, 1}}};
  const auto writer = TensorWriter::Create(folder / "out", tensors);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(writer.status().message()).find("files of this process may have 4096"), std::string::npos) << writer.status();
  EXPECT_TRUE(folder.Files().empty());
}

TEST(TensorWriterTest, FullDisk) {
  const TestFolder folder;
  const std::string disk = folder / "disk";
  std::filesystem::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "mounting a small disk needs root: " << std::strerror(errno);
  WriteText(disk + "/fill", std::string(40'000, 'x'));
  const TensorSpec tensors[] = {{"o", DType::kF32, {1, 8192, 1}}};
  const auto writer = TensorWriter::Create(disk + "/out", tensors);
  const bool left_behind = std::filesystem::exists(disk + "/out.tmp." + std::to_string(getpid()));
  umount(disk.c_str());
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(writer.status().message()).find("no space left: needs 32"), std::string::npos) << writer.status();
  EXPECT_FALSE(left_behind);
}

}  // namespace
}  // namespace hsa
