#include "runtime/format/state_file.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <set>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/format/plan_file.h"
#include "tools/splat_overlap.h"

namespace hsa::format {
namespace {

constexpr int64_t kHeads = 2, kSplats = 5, kDim = 3, kValueDim = 4;

struct Parts {
  StateHeader header;
  std::vector<std::vector<float>> values;

  void Add(const char* name, uint32_t dim, float value) {
    StateArray& array = *header.add_arrays();
    array.set_name(name), array.set_rows(kSplats), array.set_dim(dim);
    values.emplace_back(kHeads * kSplats * dim, value);
  }
};

Parts Small() {
  Parts parts;
  StateHeader& h = parts.header;
  h.set_tokens(7), h.set_kv_heads(kHeads), h.set_head_dim(kDim), h.set_value_dim(kValueDim);
  for (uint32_t splats : {3, 2}) {
    SplatLevel& level = *h.add_levels();
    level.set_splats(splats), level.set_weight(1);
  }
  parts.Add("max", 1, -2), parts.Add("sum", 1, 1), parts.Add("acc", kValueDim, 0.5), parts.Add("center", kDim, 3);
  parts.Add("variance", 1, 2);
  return parts;
}

void AddAdapted(Parts& parts, uint32_t history, uint32_t level) {
  parts.Add("adapt", 6, 0);
  parts.header.mutable_arrays()->rbegin()->set_rows(1);
  for (int64_t head = 0; head < kHeads; ++head) {
    AdaptedSplats& adapted = *parts.header.add_adapted();
    adapted.set_segment(3), adapted.set_segment_tokens(512), adapted.set_history(history);
    adapted.add_events()->set_level(level);
  }
}

// A file of its own, aligned.
class Aligned {
 public:
  explicit Aligned(const Parts& parts) {
    std::vector<std::string_view> arrays;
    for (const std::vector<float>& values : parts.values)
      arrays.emplace_back(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    std::string bytes = StateFileStart(parts.header, arrays);
    for (const std::string_view array : arrays) bytes.append(array).append(StatePadding(array.size()));
    words_.resize((bytes.size() + 7) / 8);
    std::memcpy(words_.data(), bytes.data(), bytes.size());
    size_ = bytes.size();
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)).first(size_); }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

TEST(StateFileRoundTripTest, GivesWhatWasWritten) {
  Parts parts = Small();
  for (size_t i = 0; i < parts.values[2].size(); ++i) parts.values[2][i] = static_cast<float>(i);
  const Aligned file(parts);
  const absl::StatusOr<StateFile> state = CheckState(file.bytes(), "s");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->splats(), kSplats);
  const StateRows acc = state->Find(file.bytes(), "acc");
  EXPECT_EQ(acc.Row(1, 2)[3], (1 * kSplats + 2) * kValueDim + 3);
  EXPECT_TRUE(state->Find(file.bytes(), "amplitude").values.empty());
  EXPECT_EQ(file.bytes().size() % 64, 0u);
}

TEST(StateFileRoundTripTest, OfSplatsThatAdapted) {
  Parts parts = Small();
  AddAdapted(parts, 4, 1);
  const Aligned file(parts);
  const absl::StatusOr<StateFile> state = CheckState(file.bytes(), "s");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->header.adapted(1).events(0).level(), 1u);
}

// Bands, a factor beside them, and a Cholesky factor in place of both.
TEST(StateFileRoundTripTest, OfOtherCovariances) {
  Parts low_rank = Small(), full = Small();
  low_rank.header.mutable_arrays(4)->set_dim(2), low_rank.values[4].resize(kHeads * kSplats * 2);
  low_rank.Add("factor", kDim, 1);
  low_rank.header.mutable_arrays(5)->set_rows(kSplats * 2), low_rank.values[5].resize(kHeads * kSplats * 2 * kDim);
  full.header.mutable_arrays(4)->set_name("cholesky"), full.header.mutable_arrays(4)->set_rows(kSplats * kDim);
  full.header.mutable_arrays(4)->set_dim(kDim), full.values[4].resize(kHeads * kSplats * kDim * kDim);
  for (const auto& [parts, variances, rank] : {std::tuple{low_rank, 2, 2}, {full, 0, 0}}) {
    const Aligned file(parts);
    const absl::StatusOr<StateFile> state = CheckState(file.bytes(), "s");
    ASSERT_TRUE(state.ok()) << state.status();
    const StateCovariance covariance = CovarianceOf(*state, file.bytes());
    EXPECT_EQ(covariance.variances, variances);
    EXPECT_EQ(covariance.rank, rank);
  }
}

// Levels that keep fewer value dims: as many numbers as they keep, or as files of version 1 have them.
TEST(StateFileRoundTripTest, OfFewerValueDims) {
  Parts whole = Small(), packed = Small();
  for (Parts* parts : {&whole, &packed}) parts->header.mutable_levels(1)->set_value_dim(2);
  packed.header.mutable_arrays(2)->set_rows(1), packed.header.mutable_arrays(2)->set_dim(3 * 4 + 2 * 2);
  packed.values[2].resize(kHeads * 16);
  for (Parts* parts : {&whole, &packed})
    for (size_t i = 0; i < parts->values[2].size(); ++i) parts->values[2][i] = static_cast<float>(i);
  const Aligned of_all(whole), of_kept(packed);
  const absl::StatusOr<StateFile> all = CheckState(of_all.bytes(), "s"), kept = CheckState(of_kept.bytes(), "s");
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_TRUE(kept.ok()) << kept.status();
  const StateValues all_rows(*all, of_all.bytes()), kept_rows(*kept, of_kept.bytes());
  EXPECT_EQ(all_rows.Row(1, 4).size(), 4u);
  EXPECT_EQ(all_rows.Row(1, 4)[0], (1 * kSplats + 4) * kValueDim);
  EXPECT_EQ(kept_rows.Row(1, 2).size(), 4u);
  EXPECT_EQ(kept_rows.Row(1, 4).size(), 2u);
  EXPECT_EQ(kept_rows.Row(1, 4)[1], 16 + 3 * 4 + 2 + 1);
}

// The seeds of the fuzzer are files that runs have written; version_1 one that every later build has to read.
TEST(StateFileSeedsTest, AreStates) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(HSA_SOURCE_DIR) / "tests/fuzz/corpus/state")) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    std::vector<uint64_t> words((bytes.size() + 7) / 8);
    std::memcpy(words.data(), bytes.data(), bytes.size());
    const std::span<const std::byte> file = std::as_bytes(std::span(words)).first(bytes.size());
    const std::string name = entry.path().filename().string();
    const absl::StatusOr<StateFile> state = CheckState(file, name);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->header.tokens(), 1300u) << name;
    EXPECT_EQ(ReadPrefix(file).version, name == "version_1" ? 1u : 2u);
    EXPECT_EQ(state->header.adapted_size(), name == "levels_that_slept" ? 1 : 0);
    names.insert(name);
  }
  EXPECT_EQ(names, (std::set<std::string>{"bands_low_rank", "full", "isotropic", "levels_that_slept", "sparse_fewer_values", "version_1"}));
}

// Three fine splats apart from each other, two wide ones at one place.
TEST(StateFileOverlapTest, SaysHowManySplatsShareTheTokens) {
  Parts parts = Small();
  for (int64_t head = 0; head < kHeads; ++head)
    for (int64_t s = 0; s < kSplats; ++s) {
      for (int64_t d = 0; d < kDim; ++d) parts.values[3][(head * kSplats + s) * kDim + d] = s < 3 ? 100.0f * static_cast<float>(s) : 100.0f;
      parts.values[4][head * kSplats + s] = s < 3 ? 1.0f : 1e10f;
      parts.values[1][head * kSplats + s] = head == 0 ? 1.0f : s < 3 ? 0.0f : 2.0f;  // nothing was sent to the fine ones of head 1
    }
  const Aligned file(parts);
  const absl::StatusOr<StateFile> state = CheckState(file.bytes(), "s");
  ASSERT_TRUE(state.ok()) << state.status();
  const StateDescription description{"s", file.bytes(), *state};
  using Rows = std::vector<std::vector<double>>;
  const auto expect = [](const Rows& is, const Rows& wanted) {
    ASSERT_EQ(is.size(), wanted.size());
    for (size_t a = 0; a < is.size(); ++a)
      for (size_t b = 0; b < is[a].size(); ++b) EXPECT_NEAR(is[a][b], wanted[a][b], 1e-3) << a << " " << b;
  };
  // Tokens of a wide splat are everywhere: each fine splat has as many of them.
  expect(SharedSplats(description, 0), {{1, 2}, {3, 2}});
  expect(SharedSplats(description, 1), {{0, 0}, {0, 2}});
}

// By hand: tokens of splat 0 are normal with 2 in each of three dimensions; a splat as wide that is √8 away in one of them has e^{−½·8/4} of its own.
TEST(StateFileOverlapTest, ExpectsTheAffinityOfTokens) {
  Parts parts = Small();
  for (int64_t d = 0; d < kDim; ++d) parts.values[3][3 * kDim + d] = 3;
  parts.values[3][4 * kDim] = 3 + std::sqrt(8.0f);
  const Aligned file(parts);
  const absl::StatusOr<StateFile> state = CheckState(file.bytes(), "s");
  ASSERT_TRUE(state.ok()) << state.status();
  const double p = 1 / (1 + std::exp(-1.0)), wanted = std::exp(-p * std::log(p) - (1 - p) * std::log(1 - p));
  EXPECT_NEAR(SharedSplats({"s", file.bytes(), *state}, 0)[0][1], wanted, 1e-6);
}

struct Case {
  const char* name;
  const char* message;
  std::function<void(Parts&)> spoil;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class StateFileTest : public testing::TestWithParam<Case> {};
TEST_P(StateFileTest, Refuses) {
  Parts parts = Small();
  GetParam().spoil(parts);
  const Aligned file(parts);
  EXPECT_EQ(std::string(CheckState(file.bytes(), "s").status().message()),
            std::string("s: ") + GetParam().message + "; write it again with hsa-run --state-out");
}
const Case kCases[] = {
    {"tokens", "state_c1: tokens is 1099511627777, wanted at most 1099511627776",
     [](Parts& p) { p.header.set_tokens((uint64_t{1} << 40) + 1); }},
    {"heads", "state_c1: kv_heads is 0, wanted 1..4096", [](Parts& p) { p.header.set_kv_heads(0); }},
    {"dim", "state_c1: value_dim is 1025, wanted 1..1024", [](Parts& p) { p.header.set_value_dim(1025); }},
    {"no_levels", "state_c2: it has 0 levels, wanted 1..16", [](Parts& p) { p.header.clear_levels(); }},
    {"level_without_splats", "state_c2: a level has 0 splats, wanted 1 or more and at most 65536 together",
     [](Parts& p) { p.header.mutable_levels(0)->set_splats(0); }},
    {"many_splats", "state_c2: a level has 65534 splats, wanted 1 or more and at most 65536 together",
     [](Parts& p) { p.header.mutable_levels(1)->set_splats(65534); }},
    {"name", "state_c2: a level has a name of more than 256 bytes or with control characters",
     [](Parts& p) { p.header.mutable_levels(0)->set_name("a\nb"); }},
    {"weight", "state_c2: a level has weight -1, wanted a finite number ≥ 0", [](Parts& p) { p.header.mutable_levels(1)->set_weight(-1); }},
    {"sparse", "state_c7: sparse is top 0, threshold 0, wanted 1 or more and 0..1", [](Parts& p) { p.header.mutable_sparse(); }},
    {"sparse_threshold", "state_c7: sparse is top 8, threshold 1, wanted 1 or more and 0..1",
     [](Parts& p) { p.header.mutable_sparse()->set_top(8), p.header.mutable_sparse()->set_threshold(1); }},
    {"unknown_array", "state_c3: array 'mass' is unknown", [](Parts& p) { p.header.mutable_arrays(1)->set_name("mass"); }},
    {"twice", "state_c3: array 'max' is there twice", [](Parts& p) { p.header.mutable_arrays(1)->set_name("max"); }},
    {"missing", "state_c3: array 'variance' is missing", [](Parts& p) { p.header.mutable_arrays()->RemoveLast(), p.values.pop_back(); }},
    {"rows", "state_c3: array 'sum' is [2, 6, 1], wanted [2, 5, 1]", [](Parts& p) { p.header.mutable_arrays(1)->set_rows(6); }},
    {"shape", "state_c3: array 'center' is [2, 5, 1], wanted [2, 5, 3]", [](Parts& p) { p.header.mutable_arrays(3)->set_dim(1); }},
    {"level_keeps_more", "state_c2: a level keeps 5 value dims, wanted at most 4",
     [](Parts& p) { p.header.mutable_levels(1)->set_value_dim(5); }},
    {"fewer_value_dims", "state_c3: array 'acc' is [2, 1, 4], wanted [2, 1, 16]",
     [](Parts& p) { p.header.mutable_levels(1)->set_value_dim(2), p.header.mutable_arrays(2)->set_rows(1); }},
    {"factor_rows", "state_c3: array 'factor' is [2, 7, 3], wanted [2, 5, 3]",
     [](Parts& p) { p.Add("factor", kDim, 1), p.header.mutable_arrays(5)->set_rows(7); }},
    {"cholesky_rows", "state_c3: array 'cholesky' is [2, 5, 3], wanted [2, 15, 3]",
     [](Parts& p) { p.header.mutable_arrays(4)->set_name("cholesky"), p.header.mutable_arrays(4)->set_dim(kDim); }},
    {"two_covariances", "state_c3: it has a cholesky and a variance or a factor, wanted one or the other",
     [](Parts& p) {
       p.Add("cholesky", kDim, 1), p.header.mutable_arrays(5)->set_rows(kSplats * kDim), p.values[5].resize(kHeads * kSplats * kDim * kDim);
     }},
    {"behind_the_end", "state_c4: array 'acc' is at 256 with 160 bytes, the file has 320",
     [](Parts& p) { p.header.mutable_arrays()->DeleteSubrange(3, 2), p.values.resize(3), p.values[2] = {1}; }},
    {"sum", "state_c5: array 'sum' has the entry -1, wanted a finite number ≥ 0", [](Parts& p) { p.values[1][4] = -1; }},
    {"max", "state_c5: array 'max' has the entry inf, wanted a finite number",
     [](Parts& p) { p.values[0][9] = std::numeric_limits<float>::infinity(); }},
    {"adapted_without_numbers", "state_c6: adapted has 1 entries, wanted 0", [](Parts& p) { p.header.add_adapted(); }},
    {"numbers_without_adapted", "state_c6: adapted has 0 entries, wanted 2",
     [](Parts& p) {
       p.Add("adapt", 6, 0);
       p.header.mutable_arrays()->rbegin()->set_rows(1);
     }},
    {"adapt_shape", "state_c3: array 'adapt' is [2, 5, 6], wanted [2, 1, 2]", [](Parts& p) { p.Add("adapt", 6, 0); }},
    {"history", "state_c6: adapted is at segment 3 of 512 tokens with a history of 0", [](Parts& p) { AddAdapted(p, 0, 1); }},
    {"event_level", "state_c6: an event is of a level that is not there, wanted one of 2", [](Parts& p) { AddAdapted(p, 4, 2); }},
};
INSTANTIATE_TEST_SUITE_P(Cases, StateFileTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hsa::format
