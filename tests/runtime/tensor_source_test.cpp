#include "runtime/tensor_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <ostream>

#include "tests/runtime/test_folder.h"

namespace hsa {
namespace {

constexpr char kOneTensor[] = R"({"q":{"dtype":"F32","shape":[1,2,1],"data_offsets":[0,8]}}  )";  // 60 bytes: what follows is aligned

struct BadFile {
  std::string name;
  std::string bytes;
  std::string message;  // part of it
};
std::ostream& operator<<(std::ostream& out, const BadFile& bad) { return out << bad.name; }

// One tensor of dtype, shape and offsets over `data_bytes` bytes.
std::string One(const std::string& dtype, const std::string& shape, const std::string& offsets, std::size_t data_bytes) {
  return SafetensorsBytes(R"({"q":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
                          std::string(data_bytes, 'x'));
}

std::string Two(const std::string& offsets_a, const std::string& offsets_b, std::size_t data_bytes) {
  return SafetensorsBytes(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + offsets_a +
                              R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + offsets_b + "}}",
                          std::string(data_bytes, 'x'));
}

class BadFileTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadFileTest, IsRefusedInOneLine) {
  const auto file = ParseTensorFile(Bytes(GetParam().bytes), "in.safetensors");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss);
  const std::string message(file.status().message());
  EXPECT_TRUE(message.starts_with("in.safetensors: ")) << message;
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

const BadFile kBadFiles[] = {
    {"empty", "", "is 0 bytes, wanted at least 8"},
    {"shorter_than_the_length", "1234567", "is 7 bytes, wanted at least 8"},
    {"no_header", SafetensorsBytes("", ""), "does not start with '{'"},
    {"truncated_header", SafetensorsBytes("{}", "", 3), "says that its header has 3 bytes, but 2 bytes follow"},
    {"header_longer_than_file", SafetensorsBytes("{}", "", 99'999'999), "says that its header has 99999999 bytes, but 2 bytes follow"},
    {"header_over_the_cap", SafetensorsBytes("{}", "", 100'000'001), "wanted at most 100000000"},
    {"header_length_wraps", SafetensorsBytes("{}", "", ~uint64_t{0} - 1), "wanted at most 100000000"},
    {"header_not_json", SafetensorsBytes("{\"q\":}", ""), "not JSON at byte 13"},
    {"header_is_a_list", SafetensorsBytes("[]", ""), "does not start with '{'"},
    {"header_cut_in_json", SafetensorsBytes("{\"q\":{\"dtype\"", ""), "not JSON"},
    {"text_behind_json", SafetensorsBytes("{} x", ""), "not JSON at byte 11"},
    {"zero_byte_behind_json", SafetensorsBytes(std::string("{}\0 x", 5), ""), "not JSON at byte 10"},
    {"invalid_utf8", SafetensorsBytes("{\"\xff\":1}", ""), "not JSON"},
    {"deeply_nested", SafetensorsBytes("{\"q\":" + std::string(100'000, '['), ""), "has a list in the place of its fields"},
    {"entry_is_a_number", SafetensorsBytes("{\"q\":1}", ""), "tensor 'q' has a number in the place of its fields"},
    {"entry_twice", SafetensorsBytes(R"({"q":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"q":{}})", ""), "two entries 'q'"},
    {"field_twice", SafetensorsBytes(R"({"q":{"dtype":"U8","dtype":"U8"}})", ""), "two fields 'dtype'"},
    {"field_unknown", SafetensorsBytes(R"({"q":{"dtypo":"U8"}})", ""), "field 'dtypo'"},
    {"field_missing", SafetensorsBytes(R"({"q":{"dtype":"U8","shape":[0]}})", ""), "lacks a field"},
    {"metadata_not_a_string", SafetensorsBytes(R"({"__metadata__":{"a":1}})", ""), "__metadata__ has a number in the place of a string"},
    {"dtype_unknown", One("F31", "[1]", "[0,4]", 4), "dtype 'F31', which is unknown"},
    {"dtype_a_number", SafetensorsBytes(R"({"q":{"dtype":32,"shape":[1],"data_offsets":[0,4]}})", "1234"),
     "has a number in the place of dtype"},
    {"shape_a_string", SafetensorsBytes(R"({"q":{"shape":"1"}})", ""), "has a string in the place of shape"},
    {"shape_negative", One("F32", "[-1,4]", "[0,4]", 4), "has -1 in shape, wanted 0 or more"},
    {"shape_fraction", One("F32", "[1.5]", "[0,4]", 4), "has 1.5 in shape, wanted an integer"},
    {"shape_of_2_to_64", One("F32", "[18446744073709551616]", "[0,4]", 4), "wanted an integer less than 2^63"},
    {"shape_of_2_to_63", One("F32", "[9223372036854775808]", "[0,4]", 4), "wanted less than 2^63"},
    {"shape_overflows", One("F32", "[4294967296,4294967296,4294967296]", "[0,4]", 4), "of more than 2^63 bytes"},
    {"shape_overflows_beside_zero", One("F32", "[0,9223372036854775807,4]", "[0,0]", 0), "of more than 2^63 bytes"},
    {"shape_times_bytes_overflows", One("F64", "[2305843009213693952]", "[0,4]", 4), "of more than 2^63 bytes"},
    {"shape_disagrees_with_data", One("F32", "[2]", "[0,4]", 4), "has 4 bytes of data, F32 [2] wants 8"},
    {"offsets_descend", One("F32", "[1]", "[4,0]", 4), "data_offsets 4 to 0, wanted them ascending"},
    {"offsets_three", One("F32", "[1]", "[0,4,8]", 8), "has 3 data_offsets, wanted 2"},
    {"offsets_negative", One("F32", "[1]", "[-4,0]", 4), "has -4 in data_offsets"},
    {"offsets_out_of_file", One("F32", "[2]", "[0,8]", 4), "ends at byte 8 of the data, the file has 4 bytes of data"},
    {"offsets_far_out_of_file", One("U8", "[9223372036854775807]", "[0,9223372036854775807]", 4), "ends at byte 9223372036854775807"},
    {"overlap", Two("[0,4]", "[2,6]", 6), "tensor 'b' starts at byte 2 of the data, inside tensor 'a' that ends at 4"},
    {"same_bytes", Two("[0,4]", "[0,4]", 4), "inside tensor 'a'"},
    {"gap", Two("[0,4]", "[6,10]", 10), "tensor 'b' starts at byte 6 of the data, wanted 4, where tensor 'a' ends"},
    {"bytes_behind_the_last", Two("[0,4]", "[4,8]", 9), "the file has 9 bytes of data, its tensors take 8"},
    {"newline_in_a_name", SafetensorsBytes(R"({"a\nb":1})", ""), R"(tensor 'a\nb')"},
};
INSTANTIATE_TEST_SUITE_P(Cases, BadFileTest, testing::ValuesIn(kBadFiles), [](const auto& info) { return info.param.name; });

TEST(TensorFileTest, GivesATensorWithoutCopying) {
  const std::string bytes =
      SafetensorsBytes(R"({"__metadata__":{"a":"b"},"q":{"dtype":"F32","shape":[2,1,3],"data_offsets":[0,24]}}    )", std::string(24, 'x'));
  ASSERT_EQ((bytes.size() - 24) % 4, 0u);
  const auto file = ParseTensorFile(Bytes(bytes), "in");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto q = file->Get("q");
  ASSERT_TRUE(q.ok()) << q.status();
  EXPECT_EQ(q->data, Bytes(bytes).data() + bytes.size() - 24);
  EXPECT_EQ(q->dtype, DType::kF32);
  EXPECT_EQ(q->shape, (std::array<int64_t, 3>{2, 1, 3}));
  EXPECT_EQ(q->strides, (std::array<int64_t, 3>{3, 3, 1}));
}

TEST(TensorFileTest, TakesTensorsInAnyOrderOfTheHeader) {
  const std::string bytes = Two("[4,8]", "[0,4]", 8);
  const auto file = ParseTensorFile(Bytes(bytes), "in");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors()[0].name, "b");
}

TEST(TensorFileTest, HasZeroTokens) {
  const std::string bytes = One("BF16", "[3,0,64]", "[0,0]", 0);
  const auto file = ParseTensorFile(Bytes(bytes), "in");
  ASSERT_TRUE(file.ok()) << file.status();
  // The data of an empty tensor is aligned by chance only; what matters is that it has none.
  const auto q = file->Get("q");
  ASSERT_TRUE(q.ok()) << q.status();
  EXPECT_EQ(q->tokens(), 0);
}

TEST(TensorFileTest, HasNoTensors) {
  const std::string bytes = SafetensorsBytes("{}", "");
  const auto file = ParseTensorFile(Bytes(bytes), "in");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Get("q").status().message(), "in: no tensor 'q'; the file has no tensors");
}

TEST(TensorFileTest, MissingTensorListsThoseThereAre) {
  const std::string bytes = Two("[0,4]", "[4,8]", 8);
  const auto file = ParseTensorFile(Bytes(bytes), "in");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Get("q").status(), absl::NotFoundError("in: no tensor 'q'; the file has 'a', 'b'"));
}

TEST(TensorFileTest, RefusesIntegersAndOtherRanks) {
  const std::string integers = One("I64", "[1,1,1]", "[0,8]", 8), flat = One("F32", "[1,1]", "[0,4]", 4);
  const auto a = ParseTensorFile(Bytes(integers), "in"), b = ParseTensorFile(Bytes(flat), "in");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->Get("q").status(), absl::InvalidArgumentError("in: tensor 'q' is I64, wanted F32, BF16 or F16; convert it"));
  EXPECT_EQ(b->Get("q").status(), absl::InvalidArgumentError("in: tensor 'q' has shape [1,1], wanted [heads, tokens, dim]; reshape it"));
}

TEST(TensorFileTest, RefusesElementsThatAreNotAligned) {
  const std::string bytes = SafetensorsBytes(R"({"q":{"dtype":"F32","shape":[1,1,1],"data_offsets":[0,4]}})", "1234");
  ASSERT_NE((bytes.size() - 4) % 4, 0u);
  const auto file = ParseTensorFile(Bytes(bytes), "in");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Get("q").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(TensorFileTest, OpensAndAdvises) {
  const TestFolder folder;
  const int64_t tokens = 4096;
  std::string data(static_cast<std::size_t>(2 * tokens * 4 * 4), 'x');
  WriteText(folder / "in", SafetensorsBytes(R"({"q":{"dtype":"F32","shape":[2,4096,4],"data_offsets":[0,131072]}}      )", data));
  auto opened = TensorFile::Open(folder / "in");
  ASSERT_TRUE(opened.ok()) << opened.status();
  const TensorFile file = *std::move(opened);  // views outlive the move
  const auto q = file.Get("q");
  ASSERT_TRUE(q.ok()) << q.status();
  EXPECT_TRUE(file.WillNeed(*q, 0, tokens).ok());
  EXPECT_TRUE(file.WillNeed(*q, -5, 2 * tokens).ok());
  file.DontNeed(*q, 0, tokens);
  EXPECT_EQ(std::memcmp(q->Row(1, tokens - 1), "xxxx", 4), 0);

  // Memory that is not the file's keeps what it holds.
  std::vector<float> own(1 << 16, 1.0f);
  file.DontNeed({reinterpret_cast<const std::byte*>(own.data()), DType::kF32, {1, 1 << 14, 4}, {1 << 16, 4, 1}}, 0, 1 << 14);
  EXPECT_EQ(own[1 << 15], 1.0f);
}

TEST(TensorFileTest, SeesThatTheFileHasShrunk) {
  const TestFolder folder;
  WriteText(folder / "in", SafetensorsBytes(kOneTensor, "12345678"));
  const auto file = TensorFile::Open(folder / "in");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(truncate((folder / "in").c_str(), 10), 0);
  const absl::Status status = file->WillNeed(*file->Get("q"), 0, 2);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(std::string(status.message()).find("is 10 bytes, was "), std::string::npos) << status;
}

TEST(TensorFileTest, RefusesWhatIsNoFile) {
  const TestFolder folder;
  EXPECT_EQ(TensorFile::Open(folder / "nowhere").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(TensorFile::Open(folder / ".").status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(TensorFile::Open(folder / "pipe").status().code(), absl::StatusCode::kFailedPrecondition);  // and does not wait for a writer
  WriteText(folder / "empty", "");
  EXPECT_EQ(TensorFile::Open(folder / "empty").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace hsa
