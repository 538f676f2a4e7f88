// Algebra of what is kept, compiled, beside Eigen's and the reference's: rows become shares (hsa.rescale), two levels overlap (hsa.overlap) and what was there
// before is added (hsa.union), small entries go (hsa.threshold).
#include <Eigen/SparseCore>

#include "dialect/reference/kept.h"
#include "tests/passes/cpu/kernel_test.h"

namespace hsa::ir {
namespace {

using Sparse = Eigen::SparseMatrix<double, Eigen::RowMajor>;
using Dense = Eigen::MatrixXd;

constexpr int64_t kLevels[] = {60, 10}, kFirst[] = {0, 60}, kTop = 5, kSlots = 16, kWidth = 16;

std::string GraphOf(const KernelCase& test) {
  const std::string d = std::to_string(test.head_dim), dv = std::to_string(test.value_dim);
  const std::string q = "tensor<1x?x" + d + "xf32>", v = "tensor<1x?x" + dv + "xf32>", c = "tensor<1x70x" + d + "xf32>",
                    s = "tensor<1x70x1xf32>", up = "tensor<1x10x60xf32>", l = "tensor<1x70x70xf32>";
  return "func.func @attention(%q: " + q + ", %k: " + q + ", %v: " + v + ", %c: " + c + ", %s: " + s + ", %up: " + up + ") -> " + v +
         " {\n  %l = hsa.links %up {levels = array<i64: 60, 10>, from = array<i64: 0>, to = array<i64: 1>, ranks = array<i64: 0>} : (" +
         up + ") -> " + l + "\n  %o = hsa.routed_attention %q, %k, %v splats %c, %s link %l " +
         "{levels = array<i64: 60, 10>, weights = array<f64: 1.0, 1.0>, sparse = #hsa.sparse<top = 5>} : (" + q + ", " + q + ", " + v +
         ", " + c + ", " + s + ", " + l + ") -> " + v + "\n  return %o : " + v + "\n}\n";
}

// What some tokens keep of one level: lists as an entry takes them, and the same as a matrix of 2^score.
struct Kept {
  Kept(int64_t tokens, int64_t splats) : score({tokens, kSlots}), splat({tokens, kSlots}), count({tokens}), matrix(tokens, splats) {}
  Array<float> score;
  Array<int32_t> splat, count;
  Sparse matrix;
};

reference::Tensor LogsOf(const Dense& matrix) {
  reference::Tensor logs = reference::Tensor::filled({1, matrix.rows(), matrix.cols()}, 0);
  for (int64_t r = 0; r < matrix.rows(); ++r)
    for (int64_t c = 0; c < matrix.cols(); ++c) logs.row(0, r)[c] = std::log(matrix(r, c));
  return logs;
}

Dense PowersOf(const reference::Tensor& logs) {
  Dense matrix(logs.shape[1], logs.shape[2]);
  for (int64_t r = 0; r < matrix.rows(); ++r)
    for (int64_t c = 0; c < matrix.cols(); ++c) matrix(r, c) = std::exp(logs.row(0, r)[c]);
  return matrix;
}

// Rows times what makes their sum 1.
Dense Shares(const Dense& matrix) {
  reference::Tensor scale = reference::Tensor::filled({1, matrix.rows(), 1}, 0);
  for (int64_t r = 0; r < matrix.rows(); ++r)
    if (const double sum = matrix.row(r).sum(); sum > 0) scale.row(0, r)[0] = -std::log(sum);
  return PowersOf(reference::rescale(LogsOf(matrix), scale));
}

class KeptKernelTest : public KernelTest {
 protected:
  const CompiledKernels& all_ = CompiledKernels::Of(GetParam().isa, GraphOf(GetParam()));
  const int64_t tokens_ = 37;

  // Up to `kTop` of a level, none for some, greatest first.
  Kept RandomKept(int level) {
    Kept kept(tokens_, kLevels[level]);
    std::vector<Eigen::Triplet<double>> entries;
    for (int64_t token = 0; token < tokens_; ++token) {
      std::vector<int32_t> splats(kLevels[level]);
      std::iota(splats.begin(), splats.end(), static_cast<int32_t>(kFirst[level]));
      std::shuffle(splats.begin(), splats.end(), random_);
      kept.count(token) = static_cast<int32_t>(random_() % (kTop + 1));
      float score = Normal(0, 40);
      for (int64_t slot = 0; slot < kSlots; ++slot, score -= std::abs(Normal(0, 2))) {  // behind what is kept: what was found, too
        kept.splat(token, slot) = splats[slot % kLevels[level]];
        kept.score(token, slot) = score;
        if (slot < kept.count(token)) entries.emplace_back(token, splats[slot] - kFirst[level], std::exp2(static_cast<double>(score)));
      }
    }
    kept.matrix.setFromTriplets(entries.begin(), entries.end());
    return kept;
  }
};
INSTANTIATE_TEST_SUITE_P(All, KeptKernelTest, ::testing::ValuesIn(AllKernelCases()), KernelCaseName);

TEST_P(KeptKernelTest, SharesAreRowsThatAreRescaled) {
  const Kept kept = RandomKept(0);
  const Dense wanted = Shares(kept.matrix);
  all_.Call("kept_shares", {&kept.count, &kept.score});
  for (int64_t token = 0; token < tokens_; ++token) {
    double sum = 0;
    for (int64_t slot = 0; slot < kept.count(token); ++slot) {
      EXPECT_NEAR(kept.score(token, slot), wanted(token, kept.splat(token, slot)), 1e-5) << token << " " << slot;
      sum += kept.score(token, slot);
    }
    EXPECT_NEAR(sum, kept.count(token) > 0 ? 1 : 0, 1e-5);
  }
}

TEST_P(KeptKernelTest, OverlapIsATransposedProductAddedToWhatWasThere) {
  Array<float> overlap({kLevels[0], kWidth});
  overlap.Fill(0);
  Array<int32_t> first({2});
  first(0) = kFirst[0], first(1) = kFirst[1];
  Dense wanted = Dense::Zero(kLevels[0], kLevels[1]);
  reference::Tensor logs = LogsOf(wanted);
  for (int part = 0; part < 2; ++part) {
    const Kept left = RandomKept(0), right = RandomKept(1);
    const Dense left_shares = Shares(left.matrix), right_shares = Shares(right.matrix);
    all_.Call("kept_shares", {&left.count, &left.score});
    all_.Call("kept_shares", {&right.count, &right.score});
    all_.Call("overlap", {&left.score, &left.splat, &left.count, &right.score, &right.splat, &right.count, &first, &overlap});
    wanted += Sparse(Sparse(left_shares.sparseView()).transpose()) * right_shares;
    logs = reference::unite(logs, reference::overlap(LogsOf(left_shares), LogsOf(right_shares)));
  }
  const Dense interpreted = PowersOf(logs);
  for (int64_t s = 0; s < kLevels[0]; ++s)
    for (int64_t t = 0; t < kWidth; ++t) {
      const bool inside = t < kLevels[1];
      EXPECT_NEAR(overlap(s, t), inside ? wanted(s, t) : 0, 1e-5) << s << " " << t;
      if (inside) EXPECT_NEAR(interpreted(s, t), wanted(s, t), 1e-12);
    }
}

TEST_P(KeptKernelTest, SmallEntriesOfARowGo) {
  constexpr int64_t kRows = 9;
  Array<float> matrix({kRows, 2 * kWidth}), least({1});
  matrix.Fill(0), least(0) = -6;
  Dense before = Dense::Zero(kRows, 2 * kWidth);
  for (int64_t r = 1; r < kRows; ++r)  // nothing in the first
    for (int64_t c = 0; c < 20; ++c)
      if (random_() % 3 != 0) before(r, c) = matrix(r, c) = std::exp2(Normal(0, 5));
  before(1, 0) = matrix(1, 0) = 1024;
  before(1, 1) = matrix(1, 1) = 16.01f, before(1, 2) = matrix(1, 2) = 15.99f;  // just kept, and just not: 2^-6 is rounded
  all_.Call("threshold_rows", {&least, &matrix});
  const Dense wanted = Shares(PowersOf(reference::threshold(LogsOf(before), 1.0 / 64)));
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < 2 * kWidth; ++c) {
      EXPECT_NEAR(matrix(r, c), wanted(r, c), 1e-5) << r << " " << c;
      EXPECT_EQ(matrix(r, c) > 0, wanted(r, c) > 0) << r << " " << c;
    }
}

}  // namespace
}  // namespace hsa::ir
