// States in files: a stream that is cut anywhere gives what it gives whole, files of disjoint tokens add up, and what is no such file is refused.
#include <cmath>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/format/plan_file.h"
#include "runtime/format/state_file.h"
#include "tests/end_to_end/routed_stream.h"
#include "tests/oracle/attention_oracle.h"
#include "tests/runtime/test_folder.h"

namespace hsa::end_to_end {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

constexpr double kRelL2 = 5e-6;

const RoutedSpec kCausal = {
    .H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {48, 16}, .weights = {1, 0.5}, .amplitude = true, .causal = true};
const RoutedSpec kPlain = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {48, 16}, .weights = {1, 0.5}, .amplitude = true};
const RoutedSpec kOdd = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .isotropic = true, .causal = true};

// With links and a gate, and with tokens that keep a few splats.
const RoutedSpec kFlow = {.H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {50, 20, 1}, .link = true, .gate = true};
const RoutedSpec kFlowCausal = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {80, 40}, .link = true, .gate = true, .causal = true};
const RoutedSpec kSparse = {.H = 3, .Hkv = 1, .D = 64, .Dv = 64, .levels = {48, 16}, .amplitude = true, .top = 8};
const RoutedSpec kSparseCausal = {.H = 4, .Hkv = 2, .D = 36, .Dv = 20, .levels = {70, 9, 1}, .causal = true, .top = 5, .threshold = 0.2};

// Coarser levels keep fewer dimensions of the values.
const RoutedSpec kFewerValues = {.H = 3, .Hkv = 1, .D = 36, .Dv = 64, .levels = {64, 16}, .value_dims = {64, 32}};
const RoutedSpec kFewerValuesCausal = {.H = 3, .Hkv = 1, .D = 36, .Dv = 64, .levels = {64, 16}, .value_dims = {64, 32}, .causal = true};

// Covariances that are not one variance or one for each dimension.
const RoutedSpec kBands = {.H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {30, 9}, .causal = true, .bands = 8};
const RoutedSpec kLowRank = {
    .H = 2, .Hkv = 1, .D = 36, .Dv = 20, .levels = {30, 9}, .amplitude = true, .causal = true, .bands = 3, .rank = 5};
const RoutedSpec kFull = {.H = 2, .Hkv = 2, .D = 36, .Dv = 20, .levels = {30, 9}, .causal = true, .full = true};

RoutedProblem Problem(RoutedSpec spec, int64_t tokens, uint64_t seed) {
  spec.N = spec.M = tokens;
  return oracle::RandomRouted(spec, seed);
}

std::vector<double> Wanted(const RoutedProblem& p, int64_t begin, int64_t end) {
  const std::vector<double> all = oracle::AttendRouted(p);
  std::vector<double> rows;
  for (int64_t h = 0; h < p.spec.H; ++h)
    rows.insert(rows.end(), all.begin() + (h * p.spec.N + begin) * p.spec.Dv, all.begin() + (h * p.spec.N + end) * p.spec.Dv);
  return rows;
}

double ErrorOf(const std::vector<float>& o, const std::vector<double>& wanted) {
  return oracle::RelL2(std::span<const float>(o), std::span<const double>(wanted));
}

// A causal run behind the state of the tokens before it is that of all of them, wherever they are cut.
TEST(RoutedStateTest, CausalGoesOn) {
  for (const RoutedSpec& spec : {kCausal, kOdd, kFlowCausal, kSparseCausal, kFewerValuesCausal}) {
    const RoutedProblem p = Problem(spec, 300, 51);
    for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{0, 300}, {0, 1, 300}, {0, 64, 128, 300}, {0, 100, 101, 257, 300}}) {
      const TestFolder folder;
      RunOptions options{.threads = 2};
      for (size_t i = 0; i + 1 < cuts.size(); ++i) {
        options.save_state = folder / absl::StrCat("s", i);
        const StreamRun run = MustStream(Piece(p, cuts[i], cuts[i + 1]), options, i == 0 ? SplatsFrom::kProblem : SplatsFrom::kState);
        EXPECT_LE(ErrorOf(run.o, Wanted(p, cuts[i], cuts[i + 1])), kRelL2) << "tokens " << cuts[i] << " to " << cuts[i + 1];
        options.load_states = {options.save_state};
      }
    }
  }
}

TEST(RoutedStateTest, AnyCuts) {
  constexpr uint64_t kSeed = 20261127;
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 5; ++round) {
    const RoutedProblem p = Problem(kCausal, 200, random());
    const int64_t cut = 1 + static_cast<int64_t>(random() % 199);
    SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", round ", round, ", cut ", cut));
    const TestFolder folder;
    MustStream(Piece(p, 0, cut), {.threads = 2, .save_state = folder / "s"});
    EXPECT_LE(ErrorOf(MustStream(Piece(p, cut, 200), {.threads = 2, .load_states = {folder / "s"}}).o, Wanted(p, cut, 200)), kRelL2);
  }
}

// Covariances go with the state, and it is read and written as the same bytes.
TEST(RoutedStateTest, OfOtherCovariances) {
  for (const RoutedSpec& spec : {kBands, kLowRank, kFull}) {
    const RoutedProblem p = Problem(spec, 150, 63);
    const TestFolder folder;
    MustStream(Piece(p, 0, 90), {.threads = 2, .save_state = folder / "s"});
    for (const SplatsFrom splats : {SplatsFrom::kProblem, SplatsFrom::kState})
      EXPECT_LE(ErrorOf(MustStream(Piece(p, 90, 150), {.threads = 2, .load_states = {folder / "s"}}, splats).o, Wanted(p, 90, 150)),
                kRelL2);
    MustStream(Piece(p, 0, 0), {.threads = 2, .load_states = {folder / "s"}, .save_state = folder / "t"}, SplatsFrom::kState);
    EXPECT_EQ(ReadText(folder / "s"), ReadText(folder / "t"));
  }
}

// Not causal: queries receive from the tokens of all files, whose order does not matter.
TEST(RoutedStateTest, FilesAddUp) {
  for (const RoutedSpec& spec : {kPlain, kFlow, kSparse, kFewerValues}) {
    const RoutedProblem p = Problem(spec, 240, 53);
    const TestFolder folder;
    for (int64_t i = 0; i < 3; ++i) MustStream(Piece(p, 80 * i, 80 * i + 80), {.threads = 2, .save_state = folder / absl::StrCat("s", i)});
    const RoutedProblem last = Piece(p, 160, 240);
    for (const std::vector<std::string>& states : {std::vector{folder / "s0", folder / "s1"}, {folder / "s1", folder / "s0"}})
      EXPECT_LE(ErrorOf(MustStream(last, {.threads = 2, .load_states = states}, SplatsFrom::kState).o, Wanted(p, 160, 240)), kRelL2);
  }
}

// What splats have passed on is not passed on again, whichever mask wrote the file: causal and not, a run without tokens of its own leaves it as it was.
TEST(RoutedStateTest, PassedOnOnce) {
  for (const RoutedSpec& spec : {kFlow, kFlowCausal}) {
    const RoutedProblem p = Problem(spec, 70, 59);
    const TestFolder folder;
    MustStream(p, {.threads = 2, .save_state = folder / "a"});
    MustStream(Piece(p, 0, 0), {.threads = 2, .load_states = {folder / "a"}, .save_state = folder / "b"}, SplatsFrom::kState);
    EXPECT_EQ(ReadText(folder / "a"), ReadText(folder / "b"));
  }
}

// A threshold rises with all tokens that count, those of the state too.
TEST(RoutedStateTest, SparseThresholdGoesOn) {
  RoutedSpec spec = {.D = 16, .Dv = 16, .levels = {32}, .causal = true, .top = 16, .threshold = 0.3, .width = 0.3};
  constexpr int64_t kCut = 16000, kTokens = 17000;
  const RoutedProblem p = Problem(spec, kTokens, 61);
  const std::vector<float> whole = MustStream(p, {.threads = 2}).o;
  const TestFolder folder;
  MustStream(Piece(p, 0, kCut), {.threads = 2, .save_state = folder / "s"});
  const std::vector<float> rest = MustStream(Piece(p, kCut, kTokens), {.threads = 2, .load_states = {folder / "s"}}).o;
  const std::vector<float> wanted = RowsOf(whole, spec.H, spec.Dv, kCut, kTokens);
  EXPECT_LE(ErrorOf(rest, std::vector<double>(wanted.begin(), wanted.end())), kRelL2);
}

// A run without tokens of its own: files become one file, and a state that is read and written is the same bytes.
TEST(RoutedStateTest, ReadAndWrittenIsTheSame) {
  const RoutedProblem p = Problem(kOdd, 150, 55);
  const TestFolder folder;
  MustStream(p, {.threads = 2, .save_state = folder / "a"});
  MustStream(Piece(p, 0, 0), {.threads = 2, .load_states = {folder / "a"}, .save_state = folder / "b"}, SplatsFrom::kState);
  EXPECT_EQ(ReadText(folder / "a"), ReadText(folder / "b"));
  EXPECT_THAT(folder.Files(), testing::UnorderedElementsAre("a", "b")) << "nothing else is left";
}

// Where coarser levels keep fewer value dims the file has no zeros for the others.
TEST(RoutedStateTest, IsSmallerForFewerValueDims) {
  const TestFolder folder;
  RoutedSpec whole = kFewerValues;
  whole.value_dims = {};
  MustStream(Problem(whole, 40, 1), {.threads = 1, .save_state = folder / "whole"});
  MustStream(Problem(kFewerValues, 40, 1), {.threads = 1, .save_state = folder / "fewer"});
  EXPECT_EQ(ReadText(folder / "whole").size() - ReadText(folder / "fewer").size(), 16 * 32 * sizeof(float))
      << "of the 16 splats of level 1";
}

// What is in it: z_s and S_s by the formula.
TEST(RoutedStateTest, HoldsWhatWasSent) {
  const RoutedProblem p = Problem(kCausal, 90, 57);
  const TestFolder folder;
  MustStream(p, {.threads = 2, .save_state = folder / "s"});
  const std::string bytes = ReadText(folder / "s");
  std::vector<uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const auto file = std::as_bytes(std::span(aligned)).first(bytes.size());
  const absl::StatusOr<format::StateFile> state = format::CheckState(file, "s");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->header.tokens(), 90u);
  for (int64_t s = 0; s < 64; ++s) {
    double z = 0, first = 0;
    for (int64_t j = 0; j < 90; ++j) {
      double square = 0;
      for (int64_t d = 0; d < 64; ++d) {
        const double apart = double(p.k[j * 64 + d]) - p.center[s * 64 + d];
        square += apart * apart / p.variance[s * 64 + d];
      }
      z += std::exp(-square / 2), first += std::exp(-square / 2) * p.v[j * 64];
    }
    const double scale = std::exp2(*state->Find(file, "max").Row(0, s));
    EXPECT_NEAR(scale * *state->Find(file, "sum").Row(0, s) / z, 1, 1e-5) << s;
    EXPECT_NEAR(scale * *state->Find(file, "acc").Row(0, s), first, 1e-5 * z) << s;
  }
}

std::string MessageOf(const std::string& file, const RoutedSpec& spec = kCausal, SplatsFrom splats = SplatsFrom::kState) {
  return std::string(TryStream(Problem(spec, 5, 1), {.threads = 1, .load_states = {file}}, splats).status().message());
}

TEST(RoutedStateErrorsTest, Files) {
  const TestFolder folder;
  const std::string path = folder / "s";
  MustStream(Problem(kCausal, 40, 1), {.threads = 1, .save_state = path});
  const std::string good = ReadText(path);
  const auto message = [&](const std::string& bytes) {
    WriteText(path, bytes);
    return MessageOf(path);
  };
  EXPECT_EQ(message(good), "");
  EXPECT_EQ(message(good.substr(0, 10)), path + ": is 10 bytes, a state has at least 24; write it again with hsa-run --state-out");
  for (const size_t size : {size_t{24}, size_t{100}, good.size() / 2, good.size() - 1})
    EXPECT_THAT(message(good.substr(0, size)), testing::HasSubstr("truncated or damaged")) << size;
  for (const size_t byte : {size_t{30}, good.size() / 2, good.size() - 1}) {
    std::string bad = good;
    bad[byte] ^= 4;
    EXPECT_EQ(message(bad), path + ": checksum does not fit its bytes: truncated or damaged; write it again with hsa-run --state-out");
  }
  std::string newer = good;
  newer[8] = 9;
  EXPECT_EQ(message(newer), path + ": is of version 9, this program reads versions 1 to 2; write it again with hsa-run --state-out");
  EXPECT_EQ(message("HSAPLAN\n" + good.substr(8)), path + ": is no state file; write it again with hsa-run --state-out");
  EXPECT_EQ(MessageOf(folder / "none"), (folder / "none") + ": no such state; write one with --state-out");
}

TEST(RoutedStateErrorsTest, OfSomethingElse) {
  const TestFolder folder;
  const std::string path = folder / "s";
  const RoutedProblem p = Problem(kCausal, 40, 1);
  MustStream(p, {.threads = 1, .save_state = path});
  EXPECT_EQ(MessageOf(path, kOdd),
            path +
                ": belongs to another graph: 1 kv_heads of 64 and 64 dims, diagonal splats 48 + 16, amplitudes, the plan has 2 "
                "kv_heads of 36 and 20 dims, isotropic splats 70 + 9 + 1; run the plan that wrote it, or leave --state out");
  RoutedProblem other = p;
  other.center[10 * 64 + 3] += 1;
  EXPECT_EQ(TryStream(other, {.threads = 1, .load_states = {path}}).status().message(),
            path +
                ": was made with other splats: center of splat 10 of kv_head 0 differs from that given; leave --splats out to run with "
                "those of the file");
}

TEST(RoutedStateErrorsTest, OfOtherCovariances) {
  const TestFolder folder;
  const std::string path = folder / "s";
  RoutedProblem p = Problem(kLowRank, 40, 1);
  MustStream(p, {.threads = 1, .save_state = path});
  RoutedSpec other = kLowRank;
  other.rank = 4;
  EXPECT_EQ(
      MessageOf(path, other),
      path +
          ": belongs to another graph: 1 kv_heads of 36 and 20 dims, 3 bands + rank 5 splats 30 + 9, amplitudes, the plan has 1 kv_heads "
          "of 36 and 20 dims, 3 bands + rank 4 splats 30 + 9, amplitudes; run the plan that wrote it, or leave --state out");
  p.factor[(7 * 5 + 2) * 36] += 1;
  EXPECT_EQ(TryStream(p, {.threads = 1, .load_states = {path}}).status().message(),
            path +
                ": was made with other splats: factor of splat 7 of kv_head 0 differs from that given; leave --splats out to run with "
                "those of the file");
}

TEST(RoutedStateErrorsTest, OfOtherLinks) {
  const TestFolder folder;
  const std::string path = folder / "s";
  RoutedProblem p = Problem(kFlowCausal, 40, 1);
  MustStream(p, {.threads = 1, .save_state = path});
  EXPECT_TRUE(TryStream(p, {.threads = 1, .load_states = {path}}).ok());
  p.link[80 * 120 + 3] += 1;  // from splat 3 of level 0 to splat 0 of level 1
  for (const SplatsFrom splats : {SplatsFrom::kProblem, SplatsFrom::kState})
    EXPECT_EQ(TryStream(p, {.threads = 1, .load_states = {path}}, splats).status().message(),
              path + ": was made with other links: their weights differ from those given; run the plan and the splats that wrote it");
  RoutedSpec plain = kFlowCausal;
  plain.link = false;
  EXPECT_THAT(MessageOf(path, plain), testing::HasSubstr(": was made with other links"));
}

// What dense tokens sent is nothing for a plan whose tokens keep a few splats, and the other way round.
TEST(RoutedStateErrorsTest, OfOtherSparsity) {
  const TestFolder folder;
  const std::string path = folder / "s";
  MustStream(Problem(kSparse, 40, 1), {.threads = 1, .save_state = path});
  RoutedSpec dense = kSparse, fewer = kSparse;
  dense.top = 0, fewer.top = 4, fewer.threshold = 0.01;
  const std::string splats = "1 kv_heads of 64 and 64 dims, diagonal splats 48 + 16, amplitudes";
  const std::string file = path + ": belongs to another graph: " + splats + ", top 8, the plan has ";
  EXPECT_EQ(MessageOf(path, dense), file + splats + "; run the plan that wrote it, or leave --state out");
  EXPECT_EQ(MessageOf(path, fewer), file + splats + ", top 4 above 0.01; run the plan that wrote it, or leave --state out");
}

// A plan that reads no amplitudes would take those of the file for its own, and the other way round.
TEST(RoutedStateErrorsTest, OfOtherAmplitudes) {
  const TestFolder folder;
  const std::string with = folder / "with", without = folder / "without";
  RoutedSpec plain = kCausal;
  plain.amplitude = false;
  MustStream(Problem(kCausal, 40, 1), {.threads = 1, .save_state = with});
  MustStream(Problem(plain, 40, 1), {.threads = 1, .save_state = without});
  const std::string splats = "1 kv_heads of 64 and 64 dims, diagonal splats 48 + 16", file = ": belongs to another graph: ";
  EXPECT_EQ(MessageOf(with, plain),
            with + file + splats + ", amplitudes, the plan has " + splats + "; run the plan that wrote it, or leave --state out");
  EXPECT_EQ(MessageOf(without, kCausal),
            without + file + splats + ", the plan has " + splats + ", amplitudes; run the plan that wrote it, or leave --state out");
}

// Nor is what levels kept of the values.
TEST(RoutedStateErrorsTest, OfOtherValueDims) {
  const TestFolder folder;
  const std::string path = folder / "s";
  MustStream(Problem(kFewerValues, 40, 1), {.threads = 1, .save_state = path});
  RoutedSpec whole = kFewerValues;
  whole.value_dims = {};
  EXPECT_EQ(MessageOf(path, whole),
            path +
                ": belongs to another graph: 1 kv_heads of 36 and 64 dims, diagonal splats 64 + 16 (values of 32), the plan "
                "has 1 kv_heads of 36 and 64 dims, diagonal splats 64 + 16; run the plan that wrote it, or leave --state out");
}

// A file that cannot be written is an error, and the old one is as it was.
TEST(RoutedStateErrorsTest, NothingIsLostWhenItCannotBeWritten) {
  const RoutedProblem p = Problem(kCausal, 40, 1);
  EXPECT_THAT(std::string(TryStream(p, {.threads = 1, .save_state = "/dev/full"}).status().message()), testing::HasSubstr("No space left"));
  EXPECT_THAT(std::string(TryStream(p, {.threads = 1, .save_state = "/no/such/folder/s"}).status().message()),
              testing::HasSubstr("/no/such/folder/s: cannot write"));
}

}  // namespace
}  // namespace hsa::end_to_end
