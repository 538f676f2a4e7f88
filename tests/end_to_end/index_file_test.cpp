// The splat index in a file: what was saved answers like what was built, and anything else is refused.
#include <xxhash.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <ostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/change_tokens.h"
#include "tests/end_to_end/compiled_plan.h"
#include "tests/end_to_end/float64.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using testing::HasSubstr;

const GraphSpec kCausal = {.H = 4, .Hkv = 2, .D = 64, .Dv = 64, .mask = {.causal = true}, .units = kSmallUnits};
const GraphSpec kNone = {.H = 4, .Hkv = 2, .D = 48, .Dv = 32, .mask = {}, .units = kSmallUnits};
const GraphSpec kSinks = {
    .H = 2, .Hkv = 1, .D = 32, .Dv = 48, .mask = {.causal = true, .window = 1100, .sinks = 300}, .units = kSmallUnits};

RunOptions Theta(double theta) { return {.mode = Mode::kTheta, .theta = theta, .threads = 2}; }
RunOptions Saving(double theta, const std::string& path) {
  RunOptions options = Theta(theta);
  options.save_index = path;
  return options;
}
RunOptions Loading(double theta, const std::string& path) {
  RunOptions options = Theta(theta);
  options.load_index = path;
  return options;
}

// docs/index_format.md
constexpr size_t kHeaderBytes = 104, kTablesBytesAt = 56;

struct Case {
  std::string name;
  GraphSpec graph;
  int64_t N, M;
  DType dtype = DType::kF32;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class IndexFileTest : public testing::TestWithParam<Case> {};
TEST_P(IndexFileTest, AnswersLikeTheIndexThatWasBuilt) {
  const Case& c = GetParam();
  const TestFolder folder;
  oracle::Problem p = Rounded(RandomProblem(c.graph, c.N, c.M, /*seed=*/7), c.dtype);
  KeyAt(p, 0, c.M / 3)[2] = std::numeric_limits<float>::infinity();  // the file keeps which keys are exceptions
  const Attended saved = Attend(PlanOf(c.graph), p, Saving(0.01, folder / "index"), {.input = c.dtype});
  const Attended loaded = Attend(PlanOf(c.graph), p, Loading(0.01, folder / "index"), {.input = c.dtype});
  EXPECT_TRUE(loaded.SameBits(saved));
  EXPECT_EQ(folder.Files(), std::vector<std::string>{"index"});
}
const Case kCases[] = {
    {"causal", kCausal, 1500, 2000},   {"causal_bf16", kCausal, 900, 2000, DType::kBF16},
    {"no_segment", kCausal, 400, 400}, {"minis_only", kCausal, 700, 700},
    {"none", kNone, 300, 1900},        {"sinks", kSinks, 1500, 2000},
};
INSTANTIATE_TEST_SUITE_P(Cases, IndexFileTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

class RefusedIndexTest : public testing::Test {
 protected:
  RefusedIndexTest() : problem_(RandomProblem(kCausal, 700, 1500, /*seed=*/7)), path_(folder_ / "index") {
    Attend(PlanOf(kCausal), problem_, Saving(0.01, path_));
  }
  absl::Status Load(const GraphSpec& graph, const oracle::Problem& problem, const Storage& storage = {}) const {
    return TryAttend(PlanOf(graph), problem, Loading(0.01, path_), storage).status();
  }
  void ExpectRefused(const absl::Status& status, absl::StatusCode code, const std::string& words) const {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_ + ": "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  TestFolder folder_;
  oracle::Problem problem_;
  std::string path_;
};

TEST_F(RefusedIndexTest, OtherKeys) {
  oracle::Problem other = problem_;
  KeyAt(other, 1, 300)[5] += 1;
  ExpectRefused(Load(kCausal, other), absl::StatusCode::kFailedPrecondition, "other keys");
}

TEST_F(RefusedIndexTest, OtherValues) {
  oracle::Problem other = problem_;
  ValueAt(other, 0, 0)[0] += 1;
  ExpectRefused(Load(kCausal, other), absl::StatusCode::kFailedPrecondition, "other keys");
}

TEST_F(RefusedIndexTest, FewerKeys) { ExpectRefused(Load(kCausal, Prefix(problem_, 900)), absl::StatusCode::kFailedPrecondition, "keys"); }

TEST_F(RefusedIndexTest, OtherGraph) {
  const oracle::Problem other = RandomProblem(kSinks, 700, 1500, /*seed=*/7);
  ExpectRefused(Load(kSinks, other), absl::StatusCode::kFailedPrecondition, "another graph");
}

TEST_F(RefusedIndexTest, OtherElementType) {
  ExpectRefused(Load(kCausal, problem_, {.input = DType::kBF16}), absl::StatusCode::kFailedPrecondition, "element type");
}

TEST_F(RefusedIndexTest, NoFile) {
  std::filesystem::remove(path_);
  ExpectRefused(Load(kCausal, problem_), absl::StatusCode::kNotFound, "no such index");
}

TEST_F(RefusedIndexTest, Truncated) {
  const std::string whole = ReadText(path_);
  for (size_t bytes : {size_t{0}, size_t{7}, size_t{50}, whole.size() / 2, whole.size() - 1}) {
    SCOPED_TRACE(bytes);
    WriteText(path_, whole.substr(0, bytes));
    ExpectRefused(Load(kCausal, problem_), absl::StatusCode::kDataLoss, "write it again");
  }
}

TEST_F(RefusedIndexTest, FlippedByte) {
  const std::string whole = ReadText(path_);
  // Magic, checksum, header, tables, arrays, the last byte; then one byte too many.
  for (size_t at : {size_t{0}, size_t{9}, size_t{20}, size_t{45}, size_t{200}, whole.size() / 2, whole.size() - 1}) {
    SCOPED_TRACE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    WriteText(path_, damaged);
    ExpectRefused(Load(kCausal, problem_), absl::StatusCode::kDataLoss, "write it again");
  }
  WriteText(path_, whole + '\0');
  ExpectRefused(Load(kCausal, problem_), absl::StatusCode::kDataLoss, "write it again");
}

// A decode step reads little of the arrays, but all of the header and the tables, and whatever it is told to check.
TEST_F(RefusedIndexTest, ByADecodeStep) {
  const oracle::Problem last = LastQueries(problem_, 4);
  RunOptions checked = Loading(0.01, path_);
  checked.check_index = true;
  const std::string whole = ReadText(path_);
  int64_t tables = 0;
  std::memcpy(&tables, &whole[kTablesBytesAt], sizeof tables);
  const size_t tables_end = kHeaderBytes + tables;
  for (size_t at : {size_t{0}, size_t{9}, size_t{30}, size_t{70}, kHeaderBytes, tables_end / 2, tables_end - 1}) {
    SCOPED_TRACE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    WriteText(path_, damaged);
    ExpectRefused(Load(kCausal, last), absl::StatusCode::kDataLoss, "write it again");
  }
  for (size_t bytes : {size_t{0}, size_t{50}, kHeaderBytes, tables_end, whole.size() / 2, whole.size() - 1}) {
    SCOPED_TRACE(bytes);
    WriteText(path_, whole.substr(0, bytes));
    ExpectRefused(Load(kCausal, last), absl::StatusCode::kDataLoss, "write it again");
  }
  std::string damaged = whole;
  damaged[whole.size() / 2] = static_cast<char>(damaged[whole.size() / 2] ^ 0x10);
  WriteText(path_, damaged);
  ExpectRefused(TryAttend(PlanOf(kCausal), last, checked).status(), absl::StatusCode::kDataLoss, "write it again");
  WriteText(path_, whole);
  EXPECT_TRUE(TryAttend(PlanOf(kCausal), last, checked).ok());

  ExpectRefused(Load(kSinks, LastQueries(RandomProblem(kSinks, 700, 1500, /*seed=*/7), 4)), absl::StatusCode::kFailedPrecondition,
                "another graph");
  ExpectRefused(Load(kCausal, last, {.input = DType::kBF16}), absl::StatusCode::kFailedPrecondition, "element type");
  ExpectRefused(Load(kCausal, LastQueries(Prefix(problem_, 900), 4)), absl::StatusCode::kFailedPrecondition, "keys");
  const oracle::Problem others = LastQueries(RandomProblem(kCausal, 700, 1500, /*seed=*/8), 4);
  ExpectRefused(Load(kCausal, others), absl::StatusCode::kFailedPrecondition, "other keys");
  // One key that is not in the sample is seen by those who look at all of them.
  oracle::Problem other = last;
  KeyAt(other, 1, 300)[5] += 1;
  EXPECT_TRUE(Load(kCausal, other).ok());
  ExpectRefused(TryAttend(PlanOf(kCausal), other, checked).status(), absl::StatusCode::kFailedPrecondition, "other keys");
}

// A header, or an overlay, that lies under a checksum that is right.
TEST_F(RefusedIndexTest, NumbersOutOfRange) {
  const std::string whole = ReadText(path_);
  const auto put = [](std::string& file, size_t at, uint64_t number) { std::memcpy(&file[at], &number, sizeof number); };
  struct Lie {
    const char* name;
    size_t at;  // docs/index_format.md
    uint64_t number;
  };
  const double two = 2;
  for (const Lie& lie : {Lie{"segments", 64, ~0ull},
                         {"segments", 64, 0},
                         {"segments", 64, 1ull << 40},
                         {"minis", 72, 1000},
                         {"minis", 72, ~0ull},
                         {"file bytes", 48, 64},
                         {"table bytes", kTablesBytesAt, ~0ull},
                         {"table bytes", kTablesBytesAt, 1ull << 40},
                         {"error", 88, std::bit_cast<uint64_t>(two)},
                         {"non-finite keys", kHeaderBytes, 1ull << 40},
                         {"non-finite keys", kHeaderBytes, ~0ull},
                         {"theta", kHeaderBytes + 2 * 8, std::bit_cast<uint64_t>(-two)},
                         {"error scale and reference", kHeaderBytes + 3 * 8, ~0ull}}) {
    SCOPED_TRACE(testing::Message() << lie.name << " " << lie.number);
    std::string file = whole;
    int64_t tables = 0;
    std::memcpy(&tables, &whole[kTablesBytesAt], sizeof tables);
    put(file, lie.at, lie.number);
    put(file, 8, XXH3_64bits(file.data() + 16, kHeaderBytes - 16 + tables));
    WriteText(path_, file);
    EXPECT_FALSE(Load(kCausal, problem_).ok());
    EXPECT_FALSE(Load(kCausal, LastQueries(problem_, 4)).ok());
  }
}

TEST(SaveIndexTest, NamesAFolderThatDoesNotExist) {
  const TestFolder folder;
  const oracle::Problem p = RandomProblem(kCausal, 10, 700, /*seed=*/7);
  const absl::Status status = TryAttend(PlanOf(kCausal), p, Saving(0.01, folder / "none/index")).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("none/index"));
}

}  // namespace
}  // namespace hsa::end_to_end
